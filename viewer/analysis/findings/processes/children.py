"""Children of a process: killed while it waited for them, or left, so that they pile up."""

import signal
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from tracer import schema as s
from tracer.units import duration, plural
from viewer.analysis.findings.basis.facts import LOST_NS, Evidence, Facts, Finding
from viewer.analysis.findings.basis.waits import LongWaits, place_in
from viewer.analysis.findings.basis.words import at
from viewer.analysis.states import stack_of
from viewer.trace.columns import IO, SLEEP, STATE_MASK
from viewer.trace.reader import number_of
from viewer.trace.sites import is_library
from viewer.words import code

_MS = 1_000_000
# Half a second in waits for the child, or for what it writes, one after the other up to its
# end. SIGTERM is how a service is ended that was to run so long.
_GAP_NS = 50 * _MS  # between two looks, and from the last one until the child has ended
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
    model, trace = facts.model, facts.model.trace
    table, told = model.states, LongWaits.of(facts).told
    found: _Found = {}
    for event in trace.instants(trace.events.name, s.CHILD_ENDED):
        if number_of(trace.args(event), s.ARG_SIGNAL, 0) != signal.SIGKILL:
            continue
        thread = model.threads.of_track[trace.events.track[event]]
        rows = _waits(facts, thread, trace.events.time_ns[event]) if thread >= 0 else []
        ns = facts.total_ns(rows)
        if ns >= LOST_NS and not any(table.slice[row] in told for row in rows):
            worst = facts.longest(rows)
            name, site = facts.call(table.row[worst])
            if not is_library(site):
                found.setdefault((thread, name, site), []).append((ns, rows))
    for (thread, name, site), times in found.items():
        yield _killed(facts, thread, name, site, times)


def _waits(facts: Facts, thread: int, end_ns: int) -> list[int]:
    """The thread's waits for a child up to its end, the last one first."""
    table, of = facts.model.states, facts.ledger.rows_of_threads
    low, high = of.offset[thread], of.offset[thread + 1]
    found, before = list[int](), end_ns
    last = bisect_right(of.start_ns, end_ns, low, high)
    for place in range(last - 1, max(low, last - _MOST) - 1, -1):
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
_SPREAD_NS = 500 * _MS
# Or it killed all of them in the end, after it had started some in six eighths of the time:
# workers of a service are started when it begins.
_PARTS, _STARTS = 8, 6
_LEFT = "each runs on, or has ended and stays in the kernel's table of processes"
_KILLED = "all ran on until they were killed together"


class _Child(NamedTuple):
    pid: int
    start_ns: int
    track: int


class _End(NamedTuple):
    at_ns: int
    is_killed: bool


def _are_killed(found: list[_Child], ends: list[_End], end_ns: int) -> bool:
    """Whether all ran on until they were killed, after the last one had been started; and
    some were started nearly all the time."""
    first, last = found[0].start_ns, found[-1].start_ns
    part = max(end_ns - first, 1) // _PARTS + 1
    starts = {(child.start_ns - first) // part for child in found}
    return all(end.is_killed and end.at_ns > last for end in ends) and len(starts) >= _STARTS


def children_pile_up(facts: Facts) -> Iterator[Finding]:
    """Children of one line, of which the program never learns that one has ended."""
    model, trace = facts.model, facts.model.trace
    by_line: dict[tuple[int, str], list[_Child]] = defaultdict(list)
    ended = dict[tuple[int, int], _End]()
    for name in (s.SPAWN, s.FORK):
        for event in trace.instants(trace.events.name, name):
            args, track = trace.args(event), trace.events.track[event]
            pid, site = args.get(s.ARG_CHILD), str(args.get(s.ARG_SITE, ""))
            if isinstance(pid, int) and site and not is_library(site):
                child = _Child(pid, trace.events.time_ns[event], track)
                by_line[trace.track_process[track], site].append(child)
    if not any(len(found) >= _MANY for found in by_line.values()):
        return
    for event in trace.instants(trace.events.name, s.CHILD_ENDED):
        args, track = trace.args(event), trace.events.track[event]
        pid, is_killed = args.get(s.ARG_CHILD), bool(args.get(s.ARG_SIGNAL))
        if isinstance(pid, int):
            end = _End(trace.events.time_ns[event], is_killed)
            ended[trace.track_process[track], pid] = end
    for (process, site), found in by_line.items():
        first, last = found[0], found[-1]
        ends = [ended[process, one.pid] for one in found if (process, one.pid) in ended]
        end_ns = trace.processes[process].end_ns
        is_left = not ends or (len(ends) == len(found) and _are_killed(found, ends, end_ns))
        if len(found) < _MANY or not is_left or last.start_ns - first.start_ns < _SPREAD_NS:
            continue
        end_ns = min((end.at_ns for end in ends), default=end_ns)
        lost = sum(end_ns - child.start_ns for child in found)
        thread = model.threads.by_uuid.get(trace.events.uuids[first.track], -1)
        text = (
            f"Processes pile up: {len(found)} children were started{place_in(site)}, from "
            f"{at(facts, first.start_ns).removeprefix('at ')} on, and in "
            f"{duration(end_ns - first.start_ns)} nobody waited for one: "
            f"{_KILLED if ends else _LEFT}. Wait for each child "
            f"(`subprocess.run`, `wait()`, `poll()` now and then), and start no more than a "
            f"few at a time."
        )
        who = model.thread_names[thread] if thread >= 0 else ""
        tid = model.threads[thread].tid if thread >= 0 else -1
        evidence = Evidence(
            first.start_ns, end_ns - first.start_ns, who, tid=tid, site=site,
            pid=model.pid(process),
        )  # fmt: skip
        yield Finding("workers never exit", lost, text, evidence)
