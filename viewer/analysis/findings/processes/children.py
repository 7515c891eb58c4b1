"""Children of a process: killed while it waited for them, asked to end in vain, left, so that
they pile up, or started again as soon as they have failed."""

import signal
from collections import defaultdict
from collections.abc import Iterator
from itertools import compress, pairwise

from tracer import schema as s
from tracer.units import MS, duration, plural
from viewer.analysis.causes.elsewhere import Elsewhere
from viewer.analysis.endings import signal_name
from viewer.analysis.findings.basis.doing import mostly
from viewer.analysis.findings.basis.facts import LOST_NS, Evidence, Facts, Finding
from viewer.analysis.findings.basis.waits import LongWaits, place_in
from viewer.analysis.findings.basis.words import at
from viewer.analysis.ledger.circles import Who
from viewer.analysis.processes.ends import Ended
from viewer.analysis.processes.family import Family, Member
from viewer.analysis.processes.notes import notes
from viewer.analysis.states import groups, numbered, numbers, stack_of
from viewer.trace.columns import IO, SLEEP, STATE_MASK, Column
from viewer.trace.sites import is_library
from viewer.words import code

# Half a second in waits for the child, or for what it writes, one after the other up to its
# end. SIGTERM is how a service is ended that was to run so long.
_GAP_NS = 50 * MS  # between checks, and from the last one until the child has ended
_WAITS = (" Popen.wait", " Popen._wait", " Popen.communicate", " Popen._communicate")
_OUTPUT = " Popen._communicate"
_READ = "read"
_STUCK = (
    "It may have waited itself: for the end of its input (close `stdin`), or for somebody who "
    "reads its other output, which fills a pipe. `communicate()` does both."
)
_DID_NOT_END = "It did not end by itself: look at what it does."
_MOST = 10_000  # looks before one end


type _Found = dict[tuple[int, str, str], list[tuple[int, list[int]]]]


def killed_child(facts: Facts) -> Iterator[Finding]:
    """A thread waits for a child, or reads its output, until somebody kills the child."""
    table, waits_told = facts.model.states, LongWaits.of(facts).told
    found: _Found = {}
    ends, told = notes(facts.model, s.CHILD_ENDED)
    is_killed = map(signal.SIGKILL.__eq__, told.numbers(s.ARG_SIGNAL, 0))
    for thread, ns in compress(zip(ends.thread, ends.time_ns, strict=True), is_killed):
        rows = _waits(facts, thread, ns) if thread >= 0 else []
        ns = facts.total_ns(rows)
        if ns >= LOST_NS and not any(table.slice[row] in waits_told for row in rows):
            worst = facts.longest(rows)
            name, site = facts.call(table.row[worst])
            if not is_library(site):
                found.setdefault((thread, name, site), []).append((ns, rows))
    for (thread, name, site), times in found.items():
        yield _killed(facts, thread, name, site, times)


def _waits(facts: Facts, thread: int, end_ns: int) -> list[int]:
    """The thread's waits for a child up to its end, the last one first."""
    table, of = facts.model.states, facts.ledger.rows_of_threads
    found, before = list[int](), end_ns
    for place in reversed(of.begun(thread, 0, end_ns + 1)[-_MOST:]):
        row = of.row[place]
        start, end = table.start_ns[row], table.end_ns[row]
        if before - end > _GAP_NS:
            break
        if table.state[row] & STATE_MASK in (IO, SLEEP) and _is_for_child(facts, row):
            found.append(row)
            before = start
    return found


def _is_for_child(facts: Facts, row: int) -> bool:
    stack = stack_of(facts.model, row)
    return (
        any(wait in stack for wait in _WAITS)
        or _READ in facts.call(facts.model.states.row[row])[0]
    )


def _killed(
    facts: Facts, thread: int, name: str, site: str, times: list[tuple[int, list[int]]]
) -> Finding:
    model, table = facts.model, facts.model.states
    lost = sum(ns for ns, _ in times)
    ns, rows = max(times)
    start, how, why = table.start_ns[rows[-1]], "in `Popen.wait`", _STUCK
    if any(_OUTPUT in stack_of(model, row) for row in rows):
        how, why = "in `Popen.communicate`", _DID_NOT_END
    elif _READ in name:
        how = f"in `{name}` of its output"
    often = f", {plural(len(times), 'time')}, the longest {duration(ns)}" if times[1:] else ""
    text = (
        f"Waited in vain: {code(model.thread_names[thread])}{place_in(site)} waited "
        f"{duration(lost)} for a child {how}{often} ({at(facts, start)}), until the child was "
        f"killed. {why}"
    )
    evidence = facts.evidence(("thread", thread), start, ns, site)
    return Finding("wait in vain", lost, text, evidence)


# A program that starts its workers does so at once, and a few helpers may be left to
# themselves: these are sixteen, started over half a second, of which it saw none end.
_MANY = 16
_SPREAD_NS = 500 * MS
# Sixteen of them lived at once, as far as the trace knows: of those that soon end the kernel
# takes care itself where SIGCHLD is ignored, which the trace does not say.
# Or it killed all of them in the end, after it had started some in six eighths of the time:
# workers of a service are started when it begins.
_PARTS, _STARTS = 8, 6
_LEFT = "each runs on, or has ended and stays in the kernel's table of processes"
_KILLED = "all ran on until they were killed together"


def _are_killed(begun: list[int], ends: list[int], end_ns: int) -> bool:
    """Whether all ran on until they were killed, after the last one had been started; and
    some were started nearly all the time."""
    first, last = begun[0], begun[-1]
    part = max(end_ns - first, 1) // _PARTS + 1
    starts = {(since - first) // part for since in begun}
    return min(ends) > last and len(starts) >= _STARTS


def _most_at_once(facts: Facts, process: int, pids: Column) -> int:
    """Whose end is not known may live on."""
    family, processes = Family.of(facts.model), facts.model.trace.processes
    end_ns = processes.end_ns[process]
    known = [family.child(process, pid, end_ns) for pid in pids]
    known = [child for child in known if child >= 0 and child not in processes.replaced]
    return len(pids) - len(known) + family.at_once(known)


def children_pile_up(facts: Facts) -> Iterator[Finding]:
    """Children of one line, of which the program never learns that one has ended."""
    model, trace = facts.model, facts.model.trace
    take, (noted, told) = trace.engine.take, notes(model, s.SPAWN, s.FORK)
    sites = told.strings(s.ARG_SITE)
    lines = numbered(trace.engine, noted.process, sites)
    ended, told = notes(model, s.CHILD_ENDED)
    end_of, killed_by = ended.last_of(model, noted), told.numbers(s.ARG_SIGNAL, 0)
    for rows in groups(trace.engine, lines.number, len(lines.head)):
        site, begun = trace.text(sites[rows[0]]), take(noted.time_ns, rows, -1).tolist()
        if len(rows) < _MANY or begun[-1] - begun[0] < _SPREAD_NS:
            continue
        if not site or is_library(site):
            continue
        process, thread = noted.process[rows[0]], noted.thread[rows[0]]
        ends = [end for end in take(end_of, rows, -1) if end >= 0]
        ends_ns = take(ended.time_ns, numbers(ends), -1).tolist()
        end_ns = trace.processes.end_ns[process]
        if ends:
            is_left = len(ends) == len(rows) and all(map(killed_by.__getitem__, ends))
            is_left = is_left and _are_killed(begun, ends_ns, end_ns)
        else:
            is_left = _most_at_once(facts, process, take(noted.pid, rows, -1)) >= _MANY
        if not is_left:
            continue
        end_ns = min(ends_ns, default=end_ns)
        lost = sum(end_ns - since for since in begun)
        text = (
            f"Processes pile up: {len(rows)} children were started{place_in(site)}, from "
            f"{at(facts, begun[0]).removeprefix('at ')} on, and in "
            f"{duration(end_ns - begun[0])} nobody waited for one: "
            f"{_KILLED if ends else _LEFT}. Wait for each child "
            f"(`subprocess.run`, `wait()`, `poll()` now and then), and start no more than a "
            f"few at a time."
        )
        who = model.thread_names[thread] if thread >= 0 else ""
        tid = model.threads[thread].tid if thread >= 0 else -1
        evidence = Evidence(
            begun[0], end_ns - begun[0], who, tid=tid, site=site,
            pid=model.pid(process),
        )  # fmt: skip
        yield Finding("workers never exit", lost, text, evidence)


# What a child is asked to end with.
_ENDS = (signal.SIGTERM, signal.SIGINT)
_FORKED = (
    "A forked process has the handlers of its parent: set its own "
    "(`signal.signal(SIGTERM, SIG_DFL)`), or look more often at the flag that they set."
)
_OTHER = "Look at its handler of the signal: what it sets must be looked at often."


def asked_in_vain(facts: Facts) -> Iterator[Finding]:
    """Waits for children that go on after a signal which was to end them."""
    table, (sent, said) = facts.model.states, notes(facts.model, s.SIGNAL_SENT)
    asked: dict[tuple[int, int], int] = {}  # process and pid: when
    each = zip(sent.process, sent.pid, sent.time_ns, strict=True)
    for (process, pid, ns), number in zip(each, said.numbers(s.ARG_SIGNAL, 0), strict=True):
        if number in _ENDS:
            asked.setdefault((process, pid), ns)
    if not asked:
        return
    children, family = Elsewhere.of(facts.model).child_of_row, Family.of(facts.model)
    found = defaultdict[tuple[int, str], list[tuple[int, Member, int]]](list)
    told = LongWaits.of(facts).told
    for row in facts.rows_of((IO,), _GAP_NS):
        child, thread = children.get(row), table.who[row]
        member = family.members.get(child.process) if child is not None else None
        if child is None or member is None or table.slice[row] in told:
            continue
        since = asked.get((facts.model.thread_process[thread], child.pid), -1)
        if 0 <= since <= table.start_ns[row]:
            found[thread, facts.call(table.row[row])[1]].append((row, member, since))
    for (thread, site), every in found.items():
        lost = facts.total_ns(row for row, _, _ in every)
        if lost >= LOST_NS and not is_library(site):
            yield _went_on(facts, thread, site, every, lost)


def _went_on(
    facts: Facts, thread: int, site: str, every: list[tuple[int, Member, int]], lost: int
) -> Finding:
    model, table = facts.model, facts.model.states
    row, worst, since = max(every, key=lambda one: one[1].end_ns - one[2])
    times: list[tuple[Who, int, int]] = [
        (("thread", one.main), begun, one.end_ns) for _, one, begun in every if one.main >= 0
    ]
    did = mostly(facts, times)
    others = f" and {plural(len(every) - 1, 'other')}" if len(every) > 1 else ""
    text = (
        f"Slow end: {code(model.thread_names[thread])}{place_in(site)} waited "
        f"{duration(lost)} in `{facts.call(table.row[row])[0]}` "
        f"({at(facts, table.start_ns[every[0][0]])}) for the end of {code(worst.name)}"
        f"{others}, which went on for {duration(worst.end_ns - since)} after a signal that "
        f"should have ended it{f', {did.text}' if did.text else ''}. "
        f"{_FORKED if worst.origin == s.FORK else _OTHER}"
    )
    evidence = facts.evidence(("thread", thread), table.start_ns[row], lost, site)
    LongWaits.of(facts).told.update(table.slice[one] for one, _, _ in every)
    return Finding("slow end", lost, text, evidence, behind=did.behind)


# Ten children of one line that fail, a second in all, and each was started within 50 ms of
# the end of the one before: what fails again does so after a pause as well. Whom somebody
# ends by a signal, as a runner of tests does with its services, has not failed; and a child
# that works for more than a tenth of a second may be meant to fail, as a mutated program is.
_FAILURES, _LOOP_NS, _AGAIN_NS, _OF = 10, 1_000 * MS, 50 * MS, (8, 10)
_EARLY_NS = 100 * MS
_ENDED_BY = (signal.SIGTERM, signal.SIGINT, signal.SIGKILL, signal.SIGHUP)


def _has_failed(told: Ended) -> bool:
    return bool(told.status or (told.signal and told.signal not in _ENDED_BY))


def children_fail_again(facts: Facts) -> Iterator[Finding]:
    """Forked children of one line that fail one after the other, without a pause."""
    by_line: dict[tuple[int, str], list[Member]] = defaultdict(list)
    family = Family.of(facts.model)
    for member in family.members.values() if len(family.failed) >= _FAILURES else ():
        if member.start is not None and member.origin == s.FORK:
            by_line[member.start.thread, member.start.site].append(member)
    for (thread, site), found in by_line.items():
        failed = [one for one in found if one.told is not None and _has_failed(one.told)]
        if len(failed) < max(_FAILURES, len(found) - 1) or is_library(site) or thread < 0:
            continue
        found.sort(key=lambda one: one.start_ns)
        again = sum(0 <= b.start_ns - a.end_ns <= _AGAIN_NS for a, b in pairwise(found))
        start, ns = found[0].start_ns, found[-1].end_ns - found[0].start_ns
        mean = sum(one.ns for one in found) // len(found)
        if ns < _LOOP_NS or again * _OF[1] < len(found) * _OF[0] or mean > _EARLY_NS:
            continue
        told = failed[-1].told
        killed_by = told.signal if told is not None else None
        how = f"was killed by {signal_name(killed_by)}" if killed_by else "failed"
        how += f" (exit code {told.status})" if told is not None and told.status else ""
        text = (
            f"{code(facts.model.thread_names[thread])} starts children again and again"
            f"{place_in(site)}: {len(found)} in {duration(ns)} ({at(facts, start)}). Each "
            f"{how} after {duration(mean)}, and the next one was started at once. Look at "
            f"why they fail, and pause before the next start, longer each time."
        )
        evidence = facts.evidence(("thread", thread), start, ns, site)
        yield Finding("busy loop", ns, text, evidence, processes=len(found) + 1)
