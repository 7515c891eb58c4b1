"""A resource that has one occupant at a time: its lanes in pieces, and what waits cost."""

from array import array
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

from viewer.trace.columns import Carved, Charges, Column, Timeline
from viewer.trace.engine import Engine
from viewer.trace.model import Model
from viewer.trace.timelines import UNKNOWN, pieces

type Window = tuple[int, int]  # from, until


@dataclass(frozen=True, slots=True)
class Windows:
    """Times that do not overlap."""

    from_ns: Column  # q
    until_ns: Column  # q

    @property
    def ns(self) -> int:
        return sum(self.until_ns) - sum(self.from_ns)

    def __len__(self) -> int:
        return len(self.from_ns)


def within(times: Iterable[tuple[int, int]], since: int, until: int) -> int:
    """How much of these times lies in a window."""
    return sum(max(min(end, until) - max(start, since), 0) for start, end in times)


def covers(ns: int, of_ns: int) -> bool:
    """Whether it is four fifths of a time: all of it, but for moments between two waits."""
    return ns * 10 >= of_ns * 8


def longest_gap(times: Iterable[Window], since: int, until: int) -> Window:
    """The longest time in a window in which none of these is."""
    best, begun = (since, since), since
    for start, end in sorted(times):
        if min(start, until) - begun > best[1] - best[0]:
            best = begun, min(start, until)
        begun = max(begun, end)
    return max(best, (begun, until), key=lambda time: time[1] - time[0])


def all_at_once(every: Sequence[Sequence[Window]]) -> list[Window]:
    """When all are, of times by whose they are."""
    changes = sorted(
        change
        for times in every
        for start, end in times
        if start < end
        for change in ((start, 1), (end, -1))
    )
    found, count, begun = list[Window](), 0, 0
    for time_ns, change in changes:
        if count == len(every) and time_ns > begun:
            found.append((begun, time_ns))
        count, begun = count + change, time_ns
    return found


def window(from_ns: int, until_ns: int) -> Windows:
    return Windows(memoryview(array("q", [from_ns])), memoryview(array("q", [until_ns])))


def windows_of(times: Sequence[Window]) -> Windows:
    """Of times that do not overlap, in order."""
    return Windows(
        memoryview(array("q", [start for start, _ in times])),
        memoryview(array("q", [end for _, end in times])),
    )


class Waits(NamedTuple):
    """Waits by lane. With key -1 they do not count; with lane -1 the occupant is unknown."""

    start_ns: Column  # q
    end_ns: Column  # q
    lane: Column  # i
    key: Column  # i
    keys: int


class Resource(NamedTuple):
    """Lanes in pieces, and by row of the timeline the number of its occupant.

    Occupants are numbered below `whos`. Then follow `nobody` (released, not yet acquired; for
    a loop, asyncio's own work), `unknown`, and `others`: those that are not distinguished.
    """

    engine: Engine
    timeline: Timeline
    who: Column  # i
    whos: int

    @property
    def nobody(self) -> int:
        return self.whos

    @property
    def unknown(self) -> int:
        return self.whos + 1

    @property
    def others(self) -> int:
        return self.whos + 2

    def has(self, lane: int) -> bool:
        """Whether the lane ever had an occupant."""
        return self.timeline.offset[lane] < self.timeline.offset[lane + 1]

    def charge(self, waits: Waits) -> Charges:
        """What the waits cost, by key and occupant of their lane; see viewer.trace.charges."""
        timeline = self.timeline
        return self.engine.charge(
            timeline.offset,
            timeline.start_ns,
            timeline.row,
            self.who,
            self.whos,
            waits.start_ns,
            waits.end_ns,
            waits.lane,
            waits.key,
            waits.keys,
        )

    def carve(self, lane: int, windows: Windows) -> Carved:
        """The windows by occupant of the lane; -1 is nobody, -2 unknown."""
        return self.by_row(lane, windows, self.who)

    def by_row(self, lane: int, windows: Windows, key: Column) -> Carved:
        """The windows by the `key` of the rows that occupied the lane."""
        timeline = self.timeline
        return self.engine.carve(
            timeline.offset,
            timeline.start_ns,
            timeline.row,
            key,
            lane,
            windows.from_ns,
            windows.until_ns,
        )

    def pieces(self, lane: int, from_ns: int, until_ns: int) -> list[tuple[int, int, int]]:
        """(from, until, row) of a window; -1 is nobody, -2 unknown."""
        return [
            (a, b, UNKNOWN if self._is_lost(row) else row)
            for a, b, row in pieces(self.timeline, lane, from_ns, until_ns)
        ]

    def _is_lost(self, row: int) -> bool:
        return 0 <= row < len(self.who) and self.who[row] == self.unknown

    def row_at(self, lane: int, time_ns: int) -> int:
        """The row that occupies the lane at a moment; -1 nobody, -2 unknown."""
        timeline = self.timeline
        low, high = (timeline.offset[lane], timeline.offset[lane + 1]) if lane >= 0 else (0, 0)
        place = bisect_right(timeline.start_ns, time_ns, low, high) - 1
        row = timeline.row[place] if place >= low else UNKNOWN
        return UNKNOWN if self._is_lost(row) else row

    def rows_at(self, lane: int, times_ns: Column) -> list[int]:
        """The same at each of many moments, which are in order."""
        timeline, low, high = self.timeline, *self.timeline.offset[lane : lane + 2]
        pieces_, at = (memoryview(bytes(4 * n)).cast("i") for n in (high - low, len(times_ns)))
        found = self.engine.latest(timeline.start_ns[low:high], pieces_, times_ns, at, 1)
        rows = self.engine.take(timeline.row[low:high], found, UNKNOWN)
        return [UNKNOWN if self._is_lost(row) else row for row in rows]

    def backwards(self, lane: int, from_ns: int, until_ns: int) -> Iterator[tuple[int, int]]:
        """(row, until) of the occupants of the lane in the window, the last one first."""
        timeline = self.timeline
        low, high = timeline.offset[lane], timeline.offset[lane + 1]
        place = bisect_left(timeline.start_ns, until_ns, low, high) - 1
        ends = until_ns
        while place >= low and ends > from_ns:
            row = timeline.row[place]
            if row >= 0 and self.who[row] < self.whos:
                yield row, ends
            ends = timeline.start_ns[place]
            place -= 1

    def rows(self, lane: int) -> list[int]:
        """All rows that occupied the lane."""
        timeline = self.timeline
        found = timeline.row[timeline.offset[lane] : timeline.offset[lane + 1]]
        who, whos = self.who, self.whos
        return [row for row in dict.fromkeys(found.tolist()) if row >= 0 and who[row] < whos]


def parts(carved: Carved) -> Iterable[tuple[int, Windows]]:
    """The carved keys, each with its windows."""
    for n, key in enumerate(carved.key):
        low, high = carved.offset[n], carved.offset[n + 1]
        yield key, Windows(carved.from_ns[low:high], carved.until_ns[low:high])


class Losses:
    """The times when events of a process were dropped: occupants are unknown then."""

    def __init__(self, drops: Iterable[tuple[int, int, int]]) -> None:
        """Each drop is (process, from, until)."""
        self._of: dict[int, list[Window]] = defaultdict(list)
        for process, since, until in drops:
            self._of[process].append((since, until))
        self._last: dict[int, list[int]] = {}  # by process the latest end so far
        for process, found in self._of.items():
            found.sort()
            latest = [found[0][1]]
            for _, until in found[1:]:
                latest.append(max(latest[-1], until))
            self._last[process] = latest

    @classmethod
    def of(cls, model: Model) -> Self:
        """Those of a model, found once."""
        return model.derive(cls, lambda: cls(model.remarks.drops()))

    def __bool__(self) -> bool:
        return bool(self._of)

    def within(self, process: int, since: int, until: int) -> list[Window]:
        """Those that overlap a time."""
        return [drop for _, drop in self.within_each((process,), (since,), (until,))]

    def within_each(
        self, processes: Iterable[int], since: Iterable[int], until: Iterable[int]
    ) -> Iterator[tuple[int, Window]]:
        """Those that overlap each of very many times, with its number; a time that begins
        below 0 is none."""
        before, found, last = -1, list[Window](), list[int]()
        times = zip(processes, since, until, strict=True)
        for number, (process, begin, end) in enumerate(times):
            if process != before:
                before, found = process, self._of.get(process, [])
                last = self._last.get(process, [])
            if begin < 0:
                continue
            place = bisect_right(last, begin)
            while place < len(found) and found[place][0] < end:
                if found[place][1] > begin:
                    yield number, found[place]
                place += 1
