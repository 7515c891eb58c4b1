"""How each process of a trace began: by the arrow into it, else by what the pids say."""

from array import array
from collections import defaultdict
from collections.abc import Iterable
from itertools import compress
from typing import NamedTuple

from tracer import schema as s
from viewer.analysis.ledger.rows import joined, nowhere
from viewer.analysis.states import numbers
from viewer.trace.columns import Column
from viewer.trace.flows import Flows
from viewer.trace.model import Model
from viewer.trace.told import Told
from viewer.trace.tracks import pids_of

_STARTS = (s.FORK, s.SPAWN, s.EXEC)


class Start(NamedTuple):
    """How a process began, as its parent saw it; `thread` is -1 and `site` "" if unknown. Its
    pid there is another one than its own in another namespace of pids; -1 if not forked.
    """

    parent: int
    thread: int
    time_ns: int
    site: str
    pid: int = -1


class Starts(NamedTuple):
    """How processes began, a row each, as their parents saw it; see `Start`. `of` has by
    process its row, -1 unknown."""

    of: Column  # i, by process
    event: Column  # i: -1 none
    parent: Column  # i
    thread: Column  # i
    time_ns: Column  # q
    site: Column  # i: string
    pid: Column  # i


def starts(model: Model) -> Starts:
    trace, take = model.trace, model.trace.engine.take
    events, processes = trace.events, trace.processes
    noted = trace.instants(events.name, *_STARTS)
    begun = trace.instants(events.name, s.PROCESS_STARTED)
    arrows = [*Flows(events).all_causes(begun)]
    rows = {event: row for row, event in enumerate(noted)}
    others = {cause: None for _, cause in arrows if cause not in rows}  # of no known name
    rows |= {cause: row for row, cause in enumerate(others, len(rows))}
    table = joined(noted, others)
    told, tracks = Told(trace, table), take(events.track, table, -1)
    pids = told.numbers(s.ARG_CHILD, -1)
    fork = take(trace.mark(s.FORK), take(events.name, table, -1), 0)
    noted_pids = zip(pids, fork, strict=True)
    forked = [pid if pid and is_fork else -1 for pid, is_fork in noted_pids]
    found = Starts(
        nowhere(len(processes)),
        table,
        take(trace.track_process, tracks, -1),
        take(model.threads.of_track, tracks, -1),
        take(events.time_ns, table, -1),
        told.strings(s.ARG_SITE),
        pids_of(forked),
    )
    if arrows:
        caused, causes = zip(*arrows, strict=True)
        into = trace.engine.gather(numbers(caused), events.track, trace.track_process)
        nothing = memoryview(bytes(8 * len(into))).cast("q")
        firsts = trace.engine.spans(nothing, into, len(processes)).first
        found = found._replace(of=take(numbers(map(rows.__getitem__, causes)), firsts, -1))
    return _with_others(model, found, pids[: len(noted)])


def _with_others(model: Model, found: Starts, pids: Column) -> Starts:
    """With those into which no arrow leads. `pids` of children are told by the first rows."""
    processes = model.trace.processes
    recorded, begun, pid = processes.recorded, processes.start_ns, processes.pid
    parents = Told(model.trace, processes.begin).numbers(s.ARG_PARENT_PID, -1)
    order = processes.in_order
    without = [*compress(order, map((0).__gt__, model.trace.engine.take(found.of, order, -1)))]
    noted = _rows_of(pids, {pid[i] for i in without})
    alive = _rows_of(map(pid.__getitem__, recorded), {parents[i] for i in without})
    of, times, made = array("i", found.of), found.time_ns, list[tuple[int, int]]()
    for i in without:
        rows = [row for row in noted.get(pid[i], ()) if found.parent[row] != i]
        before = [row for row in rows if times[row] <= begun[i]]
        if before:
            of[i] = max(before, key=times.__getitem__)
        elif rows:  # fork's own note may be later than the child's first event
            of[i] = min(rows, key=times.__getitem__)
        else:  # the process that lived under the parent's pid then
            above = [recorded[at] for at in alive.get(parents[i], ())]
            above = [one for one in above if one != i and begun[one] <= begun[i]]
            if above:
                of[i] = len(times) + len(made)
                made.append((max(above, key=begun.__getitem__), begun[i]))
    none = nowhere(len(made))
    return Starts(
        memoryview(of),
        joined(found.event, none),
        joined(found.parent, (parent for parent, _ in made)),
        joined(found.thread, none),
        joined(times, (start_ns for _, start_ns in made)),
        joined(found.site, none),
        joined(found.pid, none),
    )


def _rows_of(pids: Iterable[int], wanted: set[int]) -> dict[int, list[int]]:
    """By each of these pids the rows that have it."""
    found = defaultdict[int, list[int]](list)
    mine = [*pids]
    for row in compress(range(len(mine)), map(wanted.__contains__, mine)):
        found[mine[row]].append(row)
    return found
