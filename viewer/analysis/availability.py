"""How soon loops answer: delays of coroutines by size, and when a loop was responsive."""

from array import array
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, chain, compress, starmap
from operator import itemgetter, or_
from typing import NamedTuple

from tracer import schema as s
from viewer.analysis.handlers import handlers_in_polls
from viewer.analysis.ledger.resource import Losses
from viewer.analysis.rows import Later
from viewer.trace.columns import LOOP_CALLBACK, LOOP_TASK, READY, SELECT, Column, records
from viewer.trace.model import Model

WINDOW_NS = 100_000_000
ANSWER_NS = 10_000_000
_NEVER = 1 << 63
# 1, 2, 5, 10 … µs up to 100 s
BOUNDS_NS = (
    *(step * 10**power for power in range(3, 11) for step in (1, 2, 5)),
    100_000_000_000,
)


class LoopRow(NamedTuple):
    """Of a loop's `windows` of 100 ms, those in which it would have answered within 10 ms at
    any moment; `unknown` windows have dropped events and are not in `windows`."""

    pid: int
    thread: str
    windows: int
    available: int
    unknown: int
    process: int = -1


class Bucket(NamedTuple):
    """Durations from `start_ns` up to `end_ns`, which is -1 in the last one."""

    start_ns: int
    end_ns: int
    count: int  # type: ignore[assignment]


class HistogramRow(NamedTuple):
    """How long the tasks of a coroutine were ready before they ran."""

    coro: str
    site: str
    buckets: tuple[Bucket, ...]  # all sizes between the smallest and the largest

    @property
    def count(self) -> int:  # type: ignore[override]
        return sum(bucket.count for bucket in self.buckets)


class Latency(NamedTuple):
    loops: tuple[LoopRow, ...]
    coroutines: Sequence[HistogramRow]  # the longest delays first


def latency(model: Model) -> Latency:
    return Latency(loop_rows(model), Later(lambda: histogram_rows(model)))


def histogram_rows(model: Model) -> tuple[HistogramRow, ...]:
    """One row per coroutine function that was ever ready."""
    owned, slices, engine = model.owners, model.trace.slices, model.trace.engine
    groups, sizes = len(owned.group_head), len(BOUNDS_NS) + 1
    ready = engine.group_keys(owned.kind, owned.owner, owned.task_group, READY)
    bounds = memoryview(array("q", BOUNDS_NS))
    counts = engine.histogram(slices.start_ns, slices.end_ns, ready, bounds, groups)
    edges = (0, *BOUNDS_NS, -1)
    found = []
    for group in range(groups):
        row = counts[group * sizes : (group + 1) * sizes].tolist()
        filled = [i for i, count in enumerate(row) if count]
        if filled:
            buckets = (
                Bucket(edges[i], edges[i + 1], row[i])
                for i in range(filled[0], filled[-1] + 1)
            )
            found.append(HistogramRow(*model.coroutine(group), tuple(buckets)))
    found.sort(key=lambda row: (-row.buckets[-1].start_ns, -row.count, row.coro, row.site))
    return tuple(found)


type _Marks = list[tuple[int, int]]  # windows, first and last, marked once or often
type _Time = tuple[int, int, int]  # from, until, loop (-1 of none)


def loop_rows(model: Model) -> tuple[LoopRow, ...]:
    """One row for each loop that ran anything.

    A loop would not have answered within 10 ms of a moment t if until t + 10 ms it was in one
    and the same step or callback, in one gap between its slices, or in a signal handler that
    had interrupted its poll; or if a task that was ready at t still was 10 ms later. A window
    is available if it has no such moment. Windows are counted from the loop's first slice; the
    last one has what remains. Times in which the loop did not run at all do not count.
    """
    slices, engine = model.trace.slices, model.trace.engine
    loops = len(model.loops)
    if not loops:
        return ()
    lane = _of_kinds(model, (LOOP_TASK, LOOP_CALLBACK, SELECT))
    spans = engine.spans(slices.end_ns, lane, loops)
    starts = engine.take(slices.start_ns, spans.first, 0).tolist()
    counts = [
        ((end - start) // WINDOW_NS or 1) if row >= 0 else 0
        for start, end, row in zip(
            starts, spans.end_ns.tolist(), spans.first.tolist(), strict=True
        )
    ]
    stops, losses = _Stops(model), Losses.of(model)

    def marked(times: Iterable[_Time], answer_ns: int) -> Iterator[tuple[int, int, int]]:
        """(loop, first, last): the windows with a moment of one of these times, which are in
        order, without the last `answer_ns` of each; each window once."""
        # By loop how many windows are told or before one that is, and when a time must end
        # to add to them; the last one is of times of no loop.
        told, news = [0] * loops, [start + answer_ns for start in starts] + [_NEVER]
        for since, until, at in times:
            if until <= news[at] or since >= until - answer_ns:
                continue
            start, before, count = starts[at], told[at], counts[at]
            behind = (until - answer_ns - 1 - start) // WINDOW_NS + 1
            if behind >= count:
                behind, news[at] = count, _NEVER
            else:
                news[at] = start + behind * WINDOW_NS + answer_ns
            told[at] = behind
            if count:
                first = (since - start) // WINDOW_NS
                yield at, before if first < before else min(first, behind - 1), behind - 1

    lost, off = (defaultdict[int, _Marks](list) for _ in range(2))
    ends = (start + count * WINDOW_NS for start, count in zip(starts, counts, strict=True))
    lost_times = (
        (since, until, at)
        for at, (loop, start, end) in enumerate(zip(model.loops, starts, ends, strict=True))
        for since, until in losses.within(loop.process, start, end)
    )
    for at, first, last in marked(sorted(lost_times) if losses else (), 0):
        lost[at].append((first, last))
    for at, (from_ns, until_ns) in stops.each():
        first = -((starts[at] - from_ns) // WINDOW_NS)  # windows that begin after it stopped
        last = min((until_ns - starts[at]) // WINDOW_NS, counts[at]) - 1
        if first <= last:
            off[at].append((max(first, 0), last))
    gaps = engine.gaps(slices.start_ns, slices.end_ns, lane, loops, ANSWER_NS + 1)
    times: Iterable[_Time] = _busy(model)
    others = [*zip(gaps.start_ns, gaps.end_ns, gaps.key, strict=True)]
    others += [(each.start_ns, each.end_ns, each.loop) for each in handlers_in_polls(model)]
    if others or stops.of:
        every = chain(times, others)
        times = sorted(chain.from_iterable(starmap(stops.ran, every)) if stops.of else every)
    known, available, unknown = [*counts], [*counts], [0] * loops
    bad = {at: list[tuple[int, int]]() for at in {*lost, *off}}
    for at, first, last in marked(times, ANSWER_NS):
        if at in bad:
            bad[at].append((first, last))
        else:
            available[at] -= last - first + 1
    for at in bad:
        marks = (_windows(which.get(at, []), counts[at]) for which in (bad, lost, off))
        windows = list(zip(*marks, strict=True))
        good = [is_bad for is_bad, is_lost, is_off in windows if not is_lost and not is_off]
        unknown[at] = sum(is_lost and not is_off for _, is_lost, is_off in windows)
        known[at], available[at] = len(good), good.count(False)
    processes = [loop.process for loop in model.loops]
    rows = records(
        LoopRow,
        model.pids(processes),
        [loop.thread_name for loop in model.loops],
        known,
        available,
        unknown,
        processes,
    )
    return tuple(compress(rows, map(or_, known, unknown)))


def _busy(model: Model) -> Iterable[_Time]:
    """When a loop was in one step or callback, or a task was ready; in order of begin."""
    slices, engine = model.trace.slices, model.trace.engine
    table = bytes(int(kind in (LOOP_TASK, LOOP_CALLBACK, READY)) for kind in range(256))
    kinds = memoryview(bytes(model.owners.kind).translate(table))
    long = engine.longer(slices.start_ns, slices.end_ns, kinds, ANSWER_NS + 1)
    columns = (slices.start_ns, slices.end_ns, model.lane)
    return zip(*(engine.take(column, long, -1).tolist() for column in columns), strict=True)


def _windows(marks: _Marks, count: int) -> list[bool]:
    """By window whether it is marked."""
    changes = array("i", bytes(4 * (count + 1)))
    for first, last in marks:
        changes[first] += 1
        changes[last + 1] -= 1
    return [count > 0 for count in accumulate(changes[:-1])]


class _Stops:
    """When loops did not run: after one run_forever() and before the next."""

    def __init__(self, model: Model) -> None:
        trace, self.of = model.trace, defaultdict[int, list[tuple[int, int]]](list)
        events, since = trace.events, dict[int, int]()
        for event in trace.instants(events.name, s.LOOP_STARTED, s.LOOP_STOPPED):
            lane = model.track_lane[events.track[event]]
            if lane < 0:
                continue
            if trace.text(events.name[event]) == s.LOOP_STOPPED:
                since[lane] = events.time_ns[event]
            elif lane in since:
                self.of[lane].append((since.pop(lane), events.time_ns[event]))
        for lane, stop_ns in since.items():
            self.of[lane].append((stop_ns, model.end_ns))

    def each(self) -> Iterator[tuple[int, tuple[int, int]]]:
        """(loop, (from, until)) for each such time."""
        return ((lane, stop) for lane, stops in self.of.items() for stop in stops)

    def ran(self, since: int, until: int, lane: int) -> Iterator[_Time]:
        """The parts of a time in which the loop ran."""
        stops = self.of.get(lane, [])
        for at in range(bisect_right(stops, since, key=itemgetter(1)), len(stops)):
            stop, start = stops[at]
            if stop >= until:
                break
            if stop > since:
                yield since, stop, lane
            since = start
        if since < until:
            yield since, until, lane


def _of_kinds(model: Model, kinds: tuple[int, ...]) -> Column:
    """By slice its loop, if the slice is of such a kind, else -1."""
    table = bytes(int(kind in kinds) for kind in range(256))
    wanted = memoryview(bytes(model.owners.kind).translate(table))
    loops = model.trace.engine.upto(0, len(model.loops))
    return model.trace.engine.group_keys(wanted, model.lane, loops, 1)
