"""Waits for the end of a child's output which go on when the child has ended: what it started
still has the pipe."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from tracer import schema as s
from tracer.units import duration, plural
from viewer.analysis.causes.elsewhere import Elsewhere
from viewer.analysis.findings.basis.facts import Facts, Finding
from viewer.analysis.findings.basis.waits import LongWaits, place_in
from viewer.analysis.findings.basis.words import at
from viewer.analysis.states import stack_of
from viewer.trace.columns import IO
from viewer.words import code

_MS = 1_000_000
# Half a second after the child has ended. What is in the pipe by then is read in less.
_LOST_NS = 500 * _MS
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
    rows = [row for row in facts.rows_of((IO,), _LOST_NS) if _is_for_output(facts, row)]
    if not rows:
        return
    unreaped, threads = _unreaped(facts), _children(facts)
    by_site = defaultdict[str, list[_Left]](list)
    for row in rows:
        if (left := _left(facts, row, unreaped, threads)) is not None:
            by_site[facts.call(facts.model.states.row[row])[1]].append(left)
    for site, every in by_site.items():
        yield _finding(facts, site, every)


def _is_for_output(facts: Facts, row: int) -> bool:
    frames = stack_of(facts.model, row).split("\n")
    return next((f for f in frames if _READS in f), "").endswith(_ITS_OUTPUT)


def _unreaped(facts: Facts) -> dict[tuple[int, int], list[int]]:
    """By process and pid of a child when it was seen to have ended."""
    trace, found = facts.model.trace, defaultdict[tuple[int, int], list[int]](list)
    for event in trace.instants(trace.events.name, s.CHILD_UNREAPED):
        pid = trace.args(event).get(s.ARG_CHILD)
        if isinstance(pid, int):
            process = trace.track_process[trace.events.track[event]]
            found[process, pid].append(trace.events.time_ns[event])
    return found


def _children(facts: Facts) -> dict[int, list[_Event]]:
    """By thread when it started children, and was told of their ends, in order of time."""
    trace, found = facts.model.trace, defaultdict[int, list[_Event]](list)
    for event in trace.instants(trace.events.name, s.SPAWN, s.CHILD_ENDED):
        args, name = trace.args(event), trace.text(trace.events.name[event])
        pid = args.get(s.ARG_CHILD)
        thread = facts.ledger.thread_of_track[trace.events.track[event]]
        if isinstance(pid, int) and thread >= 0:
            said = str(args.get(s.ARG_COMMAND, ""))
            found[thread].append(_Event(trace.events.time_ns[event], name, pid, said))
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
    return _Left(row, name, ended, ns) if ended >= 0 and ns >= _LOST_NS else None


def _finding(facts: Facts, site: str, every: list[_Left]) -> Finding:
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
    evidence = facts.evidence(("thread", thread), start, table.end_ns[worst.row] - start, site)
    return Finding("wait in vain", lost, text, evidence)
