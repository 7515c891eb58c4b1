"""Waits charged to the occupants of their lanes: the Python twin of native/charges.c."""

from array import array
from bisect import bisect_right
from collections import Counter, defaultdict
from dataclasses import dataclass

from viewer.trace.columns import LARGEST, Charges, Column, Timeline, views
from viewer.trace.timelines import NOBODY, UNKNOWN, pieces

# This many occupants of a lane are distinguished, fewer where many keys wait or many waits are
# open at once: all occupants times all waiters would take too long to compute, and to read.
FEWEST, MOST = 16, 256
PAIRS, SNAPSHOTS = 1 << 16, 1 << 22


@dataclass(slots=True)
class _Sum:
    total: int = 0
    count: int = 0
    longest: int = 0

    def add(self, total: int, count: int, longest: int) -> None:
        self.total = min(self.total + total, LARGEST)
        self.count += count
        self.longest = max(self.longest, longest)


type _Wait = tuple[int, int, int]  # start, end, key


def _room(waits: list[_Wait]) -> int:
    """How many occupants are distinguished."""
    ends = sorted(end for _, end, _ in waits)
    at_once = max(i + 1 - bisect_right(ends, start) for i, (start, _, _) in enumerate(waits))
    keys = len({key for _, _, key in waits})
    return min(max(min(PAIRS // keys, SNAPSHOTS // at_once), FEWEST), MOST)


def charge(
    offset: Column,
    start: Column,
    row: Column,
    who_of_row: Column,
    whos: int,
    wait_start: Column,
    wait_end: Column,
    wait_lane: Column,
    wait_key: Column,
    keys: int,
) -> Charges:
    """By key and occupant of their lanes: how long waits of the key lasted meanwhile, how many
    met the occupant, and the longest time that one of them did.

    Waits with key -1 do not count; a wait with lane -1 is charged to unknown. After the
    occupants, `whos` is nobody, `whos` + 1 unknown, and `whos` + 2 all those that are not
    distinguished. The totals of a key add up to its waits.
    """
    assert keys >= 0
    timeline = Timeline(offset, start, row)
    sums: dict[tuple[int, int], _Sum] = defaultdict(_Sum)
    lanes: dict[int, list[_Wait]] = defaultdict(list)
    for a, b, lane, key in zip(wait_start, wait_end, wait_lane, wait_key, strict=True):
        if key >= 0 and b > a:
            if lane < 0:
                sums[key, whos + 1].add(b - a, 1, b - a)
            else:
                lanes[lane].append((a, b, key))
    for lane, waits in sorted(lanes.items()):
        for pair, total in _charge_lane(timeline, lane, waits, who_of_row, whos).items():
            sums[pair].add(total.total, total.count, total.longest)
    columns = (
        array("i", (key for key, _ in sums)),
        array("i", (who for _, who in sums)),
        array("q", (total.total for total in sums.values())),
        array("q", (total.count for total in sums.values())),
        array("q", (total.longest for total in sums.values())),
    )
    return Charges(*views(columns))


def _charge_lane(
    timeline: Timeline, lane: int, waits: list[_Wait], who_of_row: Column, whos: int
) -> dict[tuple[int, int], _Sum]:
    since, until = waits[0][0], max(end for _, end, _ in waits)
    rest = {NOBODY: whos, UNKNOWN: whos + 1}
    found = [
        (a, b, who_of_row[i] if i >= 0 else rest[i])
        for a, b, i in pieces(timeline, lane, since, until)
    ]
    had: Counter[int] = Counter()
    for a, b, who in found:
        had[who] += b - a
    room = _room(waits)
    if len(had) > room:
        ranked = sorted(had, key=lambda who: (-had[who], who))
        told = set(ranked[: room - 1])
        found = [(a, b, who if who in told else whos + 2) for a, b, who in found]
    number = {who: n for n, who in enumerate(dict.fromkeys(who for _, _, who in found))}
    meanwhile = [0] * len(number)  # by occupant, what it has had so far
    before: dict[int, list[int]] = {}  # by wait, what each had when it began
    sums: dict[int, list[_Sum]] = {}
    starts = [(start, 1, n) for n, (start, _, _) in enumerate(waits)]
    ends = [(end, 0, n) for n, (_, end, _) in enumerate(waits)]
    at, piece = since, 0
    for now, begins, wait in sorted([*starts, *ends]):
        while now > at:
            _, over, who = found[piece]
            meanwhile[number[who]] += min(over, now) - at
            at = min(over, now)
            piece += at == over
        if begins:
            before[wait] = meanwhile.copy()
            continue
        key = waits[wait][2]
        mine = sums.setdefault(key, [_Sum() for _ in number])
        for n, (was, has) in enumerate(zip(before.pop(wait), meanwhile, strict=True)):
            if has > was:
                mine[n].add(has - was, 1, has - was)
    whos_ = list(number)
    return {
        (key, whos_[n]): total
        for key, mine in sums.items()
        for n, total in enumerate(mine)
        if total.count
    }
