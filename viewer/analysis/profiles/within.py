"""The part of a trace within the regions of a name, for profiles and waits."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator

from tracer.errors import NotInTraceError
from viewer.analysis.regions import REGION, Span, intervals, merged, regions
from viewer.trace.columns import LOOP_TASK
from viewer.trace.model import Model


class Spans:
    """The parts of a time that lie within spans, which do not overlap."""

    def __init__(self, spans: Iterable[Span]) -> None:
        ordered = sorted(spans)
        self._starts = [start for start, _ in ordered]
        self._ends = [end for _, end in ordered]

    def parts(self, start_ns: int, end_ns: int) -> list[Span]:
        """The parts of a time within the spans; a moment is its own part."""
        found = []
        for at in range(bisect_right(self._ends, start_ns), len(self._ends)):
            start, end = max(self._starts[at], start_ns), min(self._ends[at], end_ns)
            if start > end or start == end != start_ns:
                break
            found.append((start, end))
        return found

    def cover(self, time_ns: int) -> bool:
        at = bisect_right(self._starts, time_ns) - 1
        return at >= 0 and time_ns < self._ends[at]


def total_ns(spans: Iterable[Span]) -> int:
    return sum(end - start for start, end in spans)


class Everywhere:
    """What a profile is made from: everything. `at_ns`: the moment of a goroutine profile, in
    the trace's own time; None for its last one."""

    def __init__(self, at_ns: int | None = None) -> None:
        self.at_ns = at_ns

    def thread(self, pid: int, tid: int, start_ns: int, end_ns: int) -> list[Span]:
        """The parts of a thread's time that count."""
        return [(start_ns, end_ns)]

    def task(self, task: int, start_ns: int, end_ns: int) -> list[Span]:
        return [(start_ns, end_ns)]

    def has(self, pid: int, tid: int, time_ns: int) -> bool:
        return True


EVERYWHERE = Everywhere()


class During(Everywhere):
    """… only what lies in a time, both ends in the trace's own time."""

    def __init__(self, from_ns: int, until_ns: int) -> None:
        super().__init__(until_ns)
        self.from_ns, self.until_ns = from_ns, until_ns

    def thread(self, pid: int, tid: int, start_ns: int, end_ns: int) -> list[Span]:
        return self._part(start_ns, end_ns)

    def task(self, task: int, start_ns: int, end_ns: int) -> list[Span]:
        return self._part(start_ns, end_ns)

    def has(self, pid: int, tid: int, time_ns: int) -> bool:
        return self.from_ns <= time_ns <= self.until_ns

    def _part(self, start_ns: int, end_ns: int) -> list[Span]:
        start, end = max(start_ns, self.from_ns), min(end_ns, self.until_ns)
        return [(start, end)] if start < end or start == end == start_ns else []


class Within(Everywhere):
    """… only what lies within the regions of a name.

    A region of a task covers its thread's time while the task runs.
    """

    def __init__(self, model: Model, name: str, at_ns: int | None = None) -> None:
        super().__init__(at_ns)
        threads: dict[tuple[int, int], list[Span]] = defaultdict(list)
        tasks: dict[int, list[Span]] = defaultdict(list)
        for each in intervals(model, name):
            span = each.start_ns, each.end_ns
            if each.task >= 0:
                tasks[each.task].append(span)
            elif each.thread >= 0:
                track = model.threads[each.thread]
                threads[track.pid, track.tid].append(span)
        self._tasks = {task: Spans(spans) for task, spans in tasks.items()}
        for thread, span in _steps_within(model, tasks):
            threads[thread].append(span)
        self._threads = {key: Spans(merged(spans)) for key, spans in threads.items()}

    def thread(self, pid: int, tid: int, start_ns: int, end_ns: int) -> list[Span]:
        spans = self._threads.get((pid, tid))
        return spans.parts(start_ns, end_ns) if spans else []

    def task(self, task: int, start_ns: int, end_ns: int) -> list[Span]:
        spans = self._tasks.get(task)
        return spans.parts(start_ns, end_ns) if spans else []

    def has(self, pid: int, tid: int, time_ns: int) -> bool:
        spans = self._threads.get((pid, tid))
        return spans is not None and spans.cover(time_ns)


def within(model: Model, region: str, at_ns: int | None = None) -> Within:
    """Raises NotInTraceError when the trace has no such region."""
    names = sorted({each.name for each in regions(model) if each.kind == REGION})
    if region in names:
        return Within(model, region, at_ns)
    if not names:
        raise NotInTraceError("this trace has no regions.")
    there = ", ".join(map(repr, names))
    raise NotInTraceError(f"this trace has no region {region!r}. It has: {there}.")


def _steps_within(
    model: Model, tasks: dict[int, list[Span]]
) -> Iterator[tuple[tuple[int, int], Span]]:
    """The parts of the tasks' steps that lie within their spans, with the thread."""
    slices, owned = model.trace.slices, model.owners
    for i, kind in enumerate(owned.kind if tasks else ()):
        task = owned.owner[i]
        if kind != LOOP_TASK or task not in tasks or model.lane[i] < 0:
            continue
        loop = model.loops[model.lane[i]]
        start_ns, end_ns = slices.start_ns[i], slices.end_ns[i]
        spans = tasks[task]
        for at in range(bisect_right(spans, start_ns, key=_until), len(spans)):
            if spans[at][0] >= end_ns or not loop.tid:
                break
            span = max(spans[at][0], start_ns), min(spans[at][1], end_ns)
            yield (model.pid(loop.process), loop.tid), span


def _until(span: Span) -> int:
    return span[1]
