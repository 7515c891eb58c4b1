"""Where the page shows the evidence of a finding: which slice, on which page."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping

from tracer import schema as s
from viewer.analysis.findings.basis.facts import Evidence
from viewer.render.json.values import Json
from viewer.server.lanes import Group
from viewer.trace.model import Model

_BEFORE = 16  # slices that may enclose the one that begins last: nested steps
_PAGES = {"waits": "locks", "threads": "threads", "loops": "tasks", "gc": "gc"}


def shown_at(model: Model, groups: Mapping[str, Group], evidence: Evidence) -> Json:
    """The page, the slice (`sel`) and, for a task, its coroutine; None without either."""
    if evidence.track == s.TRACK_HEAP:
        return {"page": "memory", "sel": ""}
    from_ns, to_ns = evidence.start_ns, evidence.start_ns + evidence.duration_ns
    best: tuple[int, str, int] | None = None
    for name, lane in _lanes(model, groups, evidence):
        for row, start, end in _near(groups[name], lane, from_ns):
            away = abs(start - from_ns) + abs(end - to_ns)
            if start < to_ns and end > from_ns and (best is None or away < best[0]):
                best = away, name, row
    if best is None:
        return None
    _, name, row = best
    found: dict[str, Json] = {"page": _PAGES.get(name, name), "sel": f"{name}:{row}"}
    if name == "tasks":
        owned = model.owners
        coro, site = model.coroutine(owned.task_group[owned.owner[row]])
        found |= {"coro": coro, "site": site}
    return found


def _lanes(
    model: Model, groups: Mapping[str, Group], evidence: Evidence
) -> Iterator[tuple[str, int]]:
    """The lanes that the evidence may be on; of equal slices the first counts."""
    if evidence.track == s.TRACK_GC:
        yield from (("gc", i) for i in _of_pid(model, evidence.pid))
    if evidence.track.startswith(s.LOOP_PREFIXES):
        yield from (
            ("loops", i)
            for i, of in enumerate(model.loops)
            if (of.tid, model.pid(of.process)) == (evidence.tid, evidence.pid)
        )
    table = model.states
    if evidence.lock > 0:
        for i, title in enumerate(groups["waits"].titles):
            lock, process = table.lock_id[title.of], table.lock_process[title.of]
            if (lock, model.pid(process)) == (evidence.lock, evidence.pid):
                yield "waits", i
    for i, thread in enumerate(model.threads):
        if (thread.pid, thread.tid) == (evidence.pid, evidence.tid):
            yield "threads", i
    if evidence.task >= 0:
        owned = model.owners
        for i, task in enumerate(owned.task_id):
            if task == evidence.task and model.pid(owned.task_process[i]) == evidence.pid:
                yield "tasks", i


def _of_pid(model: Model, pid: int) -> Iterable[int]:
    return (i for i, of in enumerate(model.trace.processes.pid) if of == pid)


def _near(group: Group, lane: int, at_ns: int) -> Iterator[tuple[int, int, int]]:
    """(row, start, end) of a lane's slices around a moment."""
    lanes = group.lanes
    low, high = lanes.offset[lane], lanes.offset[lane + 1]
    place = bisect_right(lanes.start_ns, at_ns, low, high)
    for i in range(max(place - _BEFORE, low), min(place + 2, high)):
        yield lanes.row[i], lanes.start_ns[i], lanes.end_ns[i]
