"""Pipes whose other end is gone, never closed, or keeps what was printed in its buffer: who
reads from them waits in vain."""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

from tracer import schema as s
from tracer.units import MS, duration, plural
from viewer.analysis.causes.elsewhere import Elsewhere
from viewer.analysis.endings import signal_name
from viewer.analysis.findings.basis.facts import LOST_NS, Facts, Finding
from viewer.analysis.findings.basis.queries import calls_of
from viewer.analysis.findings.basis.waits import LongWaits, place_in
from viewer.analysis.findings.basis.words import at, in_total
from viewer.analysis.processes.family import ORDERLY, Family, Member
from viewer.analysis.processes.notes import notes
from viewer.analysis.states import having, stack_of
from viewer.trace.columns import IO
from viewer.trace.sites import is_library
from viewer.words import code

# Waits for an item that begin, or go on for half a second, after the child's end.
_LONG_NS = 100 * MS
_MOST = 20_000  # calls that are looked at, the last ones
_QUEUE, _PIPE = "/multiprocessing/queues.py", "/multiprocessing/connection.py"
_WAITS = ("poll", "read", "recv", "select")


def writer_gone(facts: Facts) -> Iterator[Finding]:
    """Somebody waits for an item that a process should have put which ended with an error."""
    family = Family.of(facts.model)
    dead = defaultdict[int, list[Member]](list)
    for member in family.failed:
        if _failed(member):
            dead[member.parent].append(member)
    if not dead:
        return
    table, model = facts.model.states, facts.model
    lost: dict[tuple[int, str], list[tuple[int, int]]] = defaultdict(list)
    for row in _gets(facts, set(dead), _LONG_NS):
        thread, site = table.who[row], facts.call(table.row[row])[1]
        if _QUEUE not in stack_of(facts.model, row) and _is_of_another(facts, family, row):
            continue
        since = min(member.end_ns for member in dead[model.thread_process[thread]])
        after = table.end_ns[row] - max(table.start_ns[row], since)
        if after >= _LONG_NS and not is_library(site):
            lost[thread, site].append((row, after))
    last = _last_read(facts, {thread for thread, _ in lost}, set(dead)) if lost else {}
    for (thread, site), found in lost.items():
        vain = [pair for pair in found if last.get(thread, 0) < table.start_ns[pair[0]]]
        if sum(ns for _, ns in vain) >= LOST_NS:
            yield _gone(facts, thread, site, vain, dead[model.thread_process[thread]])


def _last_read(facts: Facts, threads: set[int], processes: set[int]) -> dict[int, int]:
    """When something came last to each thread."""
    model, table, found = facts.model, facts.model.states, dict[int, int]()
    for row in reversed(_gets(facts, processes, 0)):
        is_over = not model.trace.slices.unfinished[table.slice[row]]
        if is_over and table.who[row] in threads and "read" in facts.call(table.row[row])[0]:
            found.setdefault(table.who[row], table.start_ns[row])
            if len(found) == len(threads):
                break
    return found


def _failed(member: Member) -> bool:
    told = member.told
    if told is None or member.parent < 0:
        return False
    killed = told.signal is not None and told.signal not in ORDERLY
    return killed or bool(told.status)


def _gets(facts: Facts, processes: set[int], least_ns: int) -> list[int]:
    """The calls in which threads of these processes wait for a message, in order of begin."""
    model, table = facts.model, facts.model.states
    named = having(model, table.call_name, lambda _: True, _WAITS)
    if 1 not in named:
        return []
    return [
        row
        for row in calls_of(facts, (IO,), memoryview(named), least_ns)[-_MOST:]
        if model.thread_process[table.who[row]] in processes
        and _PIPE in stack_of(facts.model, row)
    ]


def _is_of_another(facts: Facts, family: Family, row: int) -> bool:
    """Whether a pipe may be of a child that is still there: any of them may put into a queue,
    but a pipe has one other end."""
    process, table = (
        facts.model.thread_process[facts.model.states.who[row]],
        facts.model.states,
    )
    ends = map(family.end_ns.__getitem__, family.below.get(process, ()))
    return any(map(table.end_ns[row].__le__, ends))


def _gone(
    facts: Facts, thread: int, site: str, found: list[tuple[int, int]], dead: list[Member]
) -> Finding:
    model, table = facts.model, facts.model.states
    worst, ns = max(found, key=lambda pair: pair[1])
    one = min(dead, key=lambda member: member.end_ns)
    assert one.told is not None
    how = f"with exit code {one.told.status}"
    if one.told.signal is not None:
        how = f"by {signal_name(one.told.signal)}"
    lost = sum(ns for _, ns in found)
    others = f" and {plural(len(dead) - 1, 'other child')}" if dead[1:] else ""
    text = (
        f"Waited in vain: {code(model.thread_names[thread])}{place_in(site)} waited for an "
        f"item of a queue or pipe of `multiprocessing`: {plural(len(found), 'wait')}, "
        f"{in_total(facts, lost, ns, table.start_ns[worst])}. {code(one.name)}{others} had "
        f"ended {how} ({at(facts, one.end_ns)}), and nothing came any more. Look at why it "
        f"ended, and wait for `process.sentinel` as well (`multiprocessing.connection.wait`), "
        f"or use a time-out and ask `is_alive`."
    )
    return Finding("wait in vain", lost, text, facts.evidence_of(worst))


# Half a second after the child has ended. What is in the pipe by then is read in less.
_READS = "/subprocess.py:"
_ITS_OUTPUT = (" Popen._communicate", " Popen.communicate")


class _Event(NamedTuple):
    ns: int
    name: str
    pid: int
    command: str


class _Left(NamedTuple):
    row: int
    child: str
    ended_ns: int
    ns: int


def left_pipes(facts: Facts) -> Iterator[Finding]:
    """`communicate` waits for a process that its child has left behind."""
    rows = [row for row in facts.rows_of((IO,), LOST_NS) if _is_for_output(facts, row)]
    if not rows:
        return
    unreaped, threads = _unreaped(facts), _children(facts)
    by_site = defaultdict[str, list[_Left]](list)
    for row in rows:
        if (left := _left(facts, row, unreaped, threads)) is not None:
            by_site[facts.call(facts.model.states.row[row])[1]].append(left)
    for site, every in by_site.items():
        yield _left_open(facts, site, every)


def _is_for_output(facts: Facts, row: int) -> bool:
    frames = stack_of(facts.model, row).split("\n")
    return next((f for f in frames if _READS in f), "").endswith(_ITS_OUTPUT)


def _unreaped(facts: Facts) -> dict[tuple[int, int], list[int]]:
    """By process and pid of a child when it was seen to have ended."""
    found = defaultdict[tuple[int, int], list[int]](list)
    noted, _ = notes(facts.model, s.CHILD_UNREAPED)
    for process, pid, ns in zip(noted.process, noted.pid, noted.time_ns, strict=True):
        found[process, pid].append(ns)
    return found


def _children(facts: Facts) -> dict[int, list[_Event]]:
    """By thread when it started children, and was told of their ends, in order of time."""
    trace, found = facts.model.trace, defaultdict[int, list[_Event]](list)
    noted, told = notes(facts.model, s.SPAWN, s.CHILD_ENDED)
    commands = told.texts(s.ARG_COMMAND)
    for event, _, thread, ns, pid, said in zip(*noted, commands, strict=True):
        if thread >= 0:
            name = trace.text(trace.events.name[event])
            found[thread].append(_Event(ns, name, pid, said))
    for events in found.values():
        events.sort()
    return found


def _left(
    facts: Facts,
    row: int,
    unreaped: dict[tuple[int, int], list[int]],
    threads: dict[int, list[_Event]],
) -> _Left | None:
    table = facts.model.states
    thread, start, end = table.who[row], table.start_ns[row], table.end_ns[row]
    child = Elsewhere.of(facts.model).child_of_row.get(row)
    if child is not None:  # it is told of the child's end afterwards
        seen = unreaped.get((facts.model.thread_process[thread], child.pid), ())
        ended = max((ns for ns in seen if ns < end), default=-1)
        name = child.name
    else:  # it was told before, and has started no other child since
        events = threads.get(thread, [])
        before = bisect_right(events, start, key=lambda event: event.ns) - 1
        if before < 0 or events[before].name != s.CHILD_ENDED:
            return None
        ended, pid = events[before].ns, events[before].pid
        spawned = (one for one in reversed(events[:before]) if one.pid == pid and one.command)
        name = next((one.command for one in spawned), f"pid {pid}")
    ns = end - max(ended, start)
    return _Left(row, name, ended, ns) if ended >= 0 and ns >= LOST_NS else None


def _left_open(facts: Facts, site: str, every: list[_Left]) -> Finding:
    table = facts.model.states
    worst, lost = max(every, key=lambda left: left.ns), sum(left.ns for left in every)
    thread, start = table.who[worst.row], table.start_ns[worst.row]
    LongWaits.of(facts).told.update(table.slice[left.row] for left in every)
    times = f": {plural(len(every), 'such wait')}, {duration(lost)} in total"
    text = (
        f"{code(facts.model.thread_names[thread])}{place_in(site)} waited "
        f"{duration(worst.ns)} in `{facts.call(table.row[worst.row])[0]}` "
        f"({at(facts, max(start, worst.ended_ns))}) for the end of the output of its child "
        f"{code(worst.child)}, though the child had ended: what it has left behind still has "
        f"the pipe{times if len(every) > 1 else ''}. Give that another output "
        f"(`>/dev/null 2>&1`, `stdout=subprocess.DEVNULL`), or start the child in a group "
        f"that is ended as one (`process_group=0`, `os.killpg`)."
    )
    return Finding("wait in vain", lost, text, facts.evidence_of(worst.row))


# A process that was forked after another program was started has a copy of the parent's end of
# that one's pipe. The end of the last copy ends the input, and the child at once.
_AT_ONCE_NS = 50 * MS


def kept_by_a_sibling(facts: Facts) -> Iterator[Finding]:
    """A wait for a program that ends as soon as a process that was forked after it does."""
    spawned = defaultdict[tuple[int, int], list[int]](list)  # by thread and pid, in order
    noted, _ = notes(facts.model, s.SPAWN)
    for thread, pid, ns in zip(noted.thread, noted.pid, noted.time_ns, strict=True):
        spawned[thread, pid].append(ns)
    if not spawned:
        return
    table, children = facts.model.states, Elsewhere.of(facts.model).child_of_row
    family, told = Family.of(facts.model), LongWaits.of(facts).told
    ending = cache(
        lambda process: sorted(family.below.get(process, ()), key=family.end_ns.__getitem__)
    )
    for row in facts.rows_of((IO,), LOST_NS):
        if row not in children or table.slice[row] in told:
            continue
        child, thread = children[row], table.who[row]
        start, end = table.start_ns[row], table.end_ns[row]
        times = spawned.get((thread, child.pid), [])
        before = bisect_left(times, start) - 1
        siblings = ending(facts.model.thread_process[thread]) if before >= 0 else []
        first = bisect_left(siblings, end - _AT_ONCE_NS, key=family.end_ns.__getitem__)
        last = bisect_right(siblings, end, key=family.end_ns.__getitem__)
        for one in map(family.members.__getitem__, sorted(siblings[first:last])):
            forked_ns = one.start.time_ns if one.start and one.origin == s.FORK else -1
            if times[before] < forked_ns < start:
                told.add(table.slice[row])
                yield _kept(facts, row, child.name, one)
                break


def _kept(facts: Facts, row: int, child: str, sibling: Member) -> Finding:
    table = facts.model.states
    (name, site), thread = facts.call(table.row[row]), table.who[row]
    start, ns = table.start_ns[row], facts.row_ns(row)
    forked = place_in(sibling.start.site) if sibling.start is not None else ""
    text = (
        f"Waited in vain: {code(facts.model.thread_names[thread])}{place_in(site)} waited "
        f"{duration(ns)} in `{name}` ({at(facts, start)}) for {code(child)}, which ended as "
        f"soon as {code(sibling.name)} did. That was forked later{forked}, and so has a copy "
        f"of this end of the child's pipes: closing `stdin` here does not end its input. Fork "
        f"before the child is started, or use the start method `spawn` or `forkserver`."
    )
    return Finding("wait in vain", ns, text, facts.evidence_of(row))


# Half a second from the first text that a child printed to the moment when its parent got it.
# Reads that end with the first piece, and those that end with the output itself.
_PIECES = ("readline", "read1", "readinto", "os.read", "peek")
_TO_THE_END = (" Popen._communicate", " Popen.communicate", " check_output", " run")


class _Late(NamedTuple):
    row: int  # of States: the read
    child: str
    printed_ns: int
    site: str  # where it printed
    ns: int


def late_output(facts: Facts) -> Iterator[Finding]:
    """A line reads what a child prints piece by piece, and gets nothing until much later."""
    printed = _printed(facts)
    if not printed:
        return
    by_site = defaultdict[str, list[_Late]](list)
    children = Elsewhere.of(facts.model).child_of_row
    for row in facts.rows_of((IO,), LOST_NS):
        child = children.get(row)
        if child is None or child.process not in printed or not _is_by_pieces(facts, row):
            continue
        table, (first_ns, site) = facts.model.states, printed[child.process]
        ns = table.end_ns[row] - first_ns
        is_first = first_ns >= table.start_ns[row]  # later ones wait for what comes next
        if is_first and ns >= LOST_NS:
            by_site[facts.call(table.row[row])[1]].append(
                _Late(row, child.name, first_ns, site, ns)
            )
    for site, every in by_site.items():
        yield _printed_late(facts, site, every)


def _printed(facts: Facts) -> dict[int, tuple[int, str]]:
    """By process when it first printed into a pipe, and at which line."""
    trace, found = facts.model.trace, dict[int, tuple[int, str]]()
    for event in trace.instants(trace.events.name, s.PRINTED):
        process = trace.track_process[trace.events.track[event]]
        site = trace.text_of_event(event, s.ARG_SITE)
        found.setdefault(process, (trace.events.time_ns[event], site))
    return found


def _is_by_pieces(facts: Facts, row: int) -> bool:
    """Whether what is read comes as soon as there is some, not when the output ends."""
    if not facts.call(facts.model.states.row[row])[0].endswith(_PIECES):
        return False
    frames = stack_of(facts.model, row).split("\n")
    return not any(_READS in f and f.endswith(_TO_THE_END) for f in frames)


def _printed_late(facts: Facts, site: str, every: list[_Late]) -> Finding:
    table = facts.model.states
    worst, lost = max(every, key=lambda late: late.ns), sum(late.ns for late in every)
    thread, start, end = (
        column[worst.row] for column in (table.who, table.start_ns, table.end_ns)
    )
    LongWaits.of(facts).told.update(table.slice[late.row] for late in every)
    others = f"; {len(every)} such waits lost {duration(lost)} in total"
    text = (
        f"Waited in vain: {code(facts.model.thread_names[thread])}{place_in(site)} waited "
        f"{duration(end - start)} in `{facts.call(table.row[worst.row])[0]}` "
        f"({at(facts, start)}) for output of its child {code(worst.child)}, which printed for "
        f"the first time {duration(worst.ns)} before the wait was over "
        f"({at(facts, worst.printed_ns)}){place_in(worst.site)}"
        f"{others if len(every) > 1 else ''}. Text for a pipe stays in the child's buffer "
        f"until 8 KiB are there, it is flushed, or the child ends"
    )
    step = (
        "Let it flush (`print(…, flush=True)`), or start it unbuffered (`python -u`, "
        "`PYTHONUNBUFFERED=1`)."
    )
    evidence = facts.evidence_of(worst.row)
    return Finding("wait in vain", lost, f"{text}.", evidence, step, processes=2)
