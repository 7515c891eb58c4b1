"""Who occupied each lane when, and who waited: the Python twins of native/timelines.c.

A lane has one occupant at a time: a loop, a lock, the GIL; or a thread with its states. Its
occupants may interrupt each other. When flattened, it is pieces without gap or overlap.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterator

from viewer.trace.columns import LARGEST, Carved, Column, Met, Timeline, views

NOBODY = -1  # between two occupants of a lane
UNKNOWN = -2  # before the first, after the last
_NEVER = -LARGEST - 1


class _Flat:
    """A lane while it is flattened. The occupant is the top of `stack`."""

    def __init__(self) -> None:
        self.pieces: list[tuple[int, int]] = []  # (start, row)
        self.stack: list[
            tuple[int, int]
        ] = []  # (end, row); those below the top continue later
        self.framed = _NEVER  # until then a lane without occupant is NOBODY

    def emit(self, time: int, row: int) -> None:
        if self.pieces and self.pieces[-1][0] == time:
            self.pieces.pop()
        if not self.pieces or self.pieces[-1][1] != row:
            self.pieces.append((time, row))

    def leave(self, now: int) -> None:
        """Ends the frame, and every occupant that is over at `now`."""
        while self.stack and self.stack[-1][0] <= now:
            end = self.stack[-1][0]
            while self.stack and self.stack[-1][0] <= end:
                self.stack.pop()  # and those that it outlived: they do not come back
            if self.stack:
                self.emit(end, self.stack[-1][1])
            else:
                self.emit(end, NOBODY if end < self.framed else UNKNOWN)
        if not self.stack and self.last == NOBODY and self.framed <= now:
            self.emit(self.framed, UNKNOWN)

    @property
    def last(self) -> int:
        return self.pieces[-1][1] if self.pieces else UNKNOWN

    def occupy(self, start: int, end: int, row: int, framed: int) -> None:
        self.leave(start)
        self.framed = max(self.framed, framed)
        if end > start:
            self.stack.append((end, row))
            self.emit(start, row)
        elif not self.stack and framed > start and self.last == UNKNOWN:
            self.emit(start, NOBODY)  # it takes no time, but the lane is known with it


def flatten(
    start: Column,
    end: Column,
    lane: Column,
    frame: Column,
    extra_start: Column,
    extra_end: Column,
    extra_lane: Column,
    lanes: int,
    frames: int,
) -> Timeline:
    """The occupants of each lane in pieces; where rows overlap, the last to begin has it.

    The rows of a frame show when a lane is known: between the first and the last, a lane
    without occupant is NOBODY's; elsewhere it is UNKNOWN. The extras, ordered by begin like
    the rows, are occupants too, numbered after the rows.
    """
    n = len(start)
    last: dict[int, int] = {}
    by_lane: list[list[tuple[int, int, int, int]]] = [[] for _ in range(lanes)]
    for i, (k, of) in enumerate(zip(lane, frame, strict=True)):
        if k >= 0:
            by_lane[k].append((start[i], end[i], i, of))
            if of >= 0:
                last[of] = start[i]
    for e, k in enumerate(extra_lane):
        by_lane[k].append((extra_start[e], extra_end[e], n + e, -1))
    assert frames >= len(last)
    offset, starts, rows = array("i"), array("q"), array("i")
    for occupants in by_lane:
        occupants.sort(key=lambda occupant: occupant[0])  # extras stay behind rows
        flat = _Flat()
        for begins, ends, row, of in occupants:
            flat.occupy(begins, ends, row, last[of] if of >= 0 else _NEVER)
        flat.leave(LARGEST)
        offset.append(len(rows))
        starts.extend(at for at, _ in flat.pieces)
        rows.extend(row for _, row in flat.pieces)
    offset.append(len(rows))
    return Timeline(*views((offset, starts, rows)))


def pieces(
    timeline: Timeline, lane: int, from_ns: int, until_ns: int
) -> Iterator[tuple[int, int, int]]:
    """(from, until, row) of a window; beyond the lane's pieces the row is UNKNOWN."""
    starts = timeline.start_ns
    low, high = (timeline.offset[lane], timeline.offset[lane + 1]) if lane >= 0 else (0, 0)
    place, at = bisect_right(starts, from_ns, low, high) - 1, from_ns
    while at < until_ns:
        ends = min(starts[place + 1], until_ns) if place + 1 < high else until_ns
        yield at, ends, timeline.row[place] if place >= low else UNKNOWN
        place, at = place + 1, ends


def carve(
    offset: Column,
    start: Column,
    row: Column,
    key_of_row: Column,
    lane: int,
    from_ns: Column,
    until_ns: Column,
) -> Carved:
    """The windows cut into pieces of a lane, by key, in order of first appearance.

    NOBODY and UNKNOWN are keys; without `key_of_row` the rows are. Lane -1 is UNKNOWN.
    """
    timeline = Timeline(offset, start, row)
    found: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for begins, ends in zip(from_ns, until_ns, strict=True):
        for a, b, i in pieces(timeline, lane, begins, ends):
            found[key_of_row[i] if i >= 0 and key_of_row else i].append((a, b))
    places = array("i", [0])
    for parts in found.values():
        places.append(places[-1] + len(parts))
    columns = (
        array("i", found),
        places,
        array("q", (sum(b - a for a, b in parts) for parts in found.values())),
        array("q", (a for parts in found.values() for a, _ in parts)),
        array("q", (b for parts in found.values() for _, b in parts)),
    )
    return Carved(*views(columns))


def meet(
    start: Column,
    end: Column,
    lane: Column,
    from_ns: Column,
    until_ns: Column,
    lane_of: Column,
    lanes: int,
) -> Met:
    """By interval, the total length of the waits on its lane within it, and their number.

    The total up to a moment follows from how many waits had begun and ended, and when.
    """
    begins: list[list[int]] = [[] for _ in range(lanes)]
    ends: list[list[int]] = [[] for _ in range(lanes)]
    for a, b, k in zip(start, end, lane, strict=True):
        if k >= 0 and b > a:
            begins[k].append(a)
            ends[k].append(b)
    sums: dict[int, tuple[list[int], list[int]]] = {}
    total, count = array("q"), array("i")
    for since, until, k in zip(from_ns, until_ns, lane_of, strict=True):
        if k < 0 or until <= since:
            total.append(0)
            count.append(0)
            continue
        if k not in sums:
            ends[k].sort()
            sums[k] = _sums(begins[k]), _sums(ends[k])

        def waited(to: int, k: int = k) -> int:
            of_begins, of_ends = sums[k]
            begun, ended = bisect_right(begins[k], to), bisect_right(ends[k], to)
            return (begun - ended) * to - of_begins[begun] + of_ends[ended]

        total.append(min(waited(until) - waited(since), LARGEST))
        count.append(bisect_left(begins[k], until) - bisect_right(ends[k], since))
    return Met(*views((total, count)))


def _sums(values: list[int]) -> list[int]:
    """The sums of the first n values, by n."""
    found = [0]
    for value in values:
        found.append(found[-1] + value)
    return found
