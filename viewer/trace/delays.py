"""Who ran on a loop while others waited for it: the Python twin in native/tasks.c."""

import heapq
from array import array
from collections import Counter
from dataclasses import dataclass, field

from viewer.trace.columns import (
    LARGEST,
    LOOP_CALLBACK,
    LOOP_TASK,
    SELECT,
    Column,
    Delays,
    views,
)

_END = LARGEST - 1  # after every time


@dataclass(slots=True)
class _Active:
    since: int  # accounted up to
    count: int = 0  # waiting now
    waited: int = 0  # since the present occupant came


@dataclass(slots=True)
class _Lane:
    """A loop during the sweep. Who runs is the top of `stack`; below it, who goes on later."""

    gap: int
    unknown: int
    sums: Counter[tuple[int, int]]
    left: int  # occupants to come
    seen: int = 0
    stack: list[tuple[int, int]] = field(default_factory=list)  # (end, who)
    heap: list[tuple[int, int]] = field(default_factory=list)  # (end, key)
    active: dict[int, _Active] = field(default_factory=dict)

    def touch(self, key: int, now: int) -> _Active:
        active = self.active.setdefault(key, _Active(now))
        active.waited += active.count * (now - active.since)
        active.since = now
        return active

    def flush(self, now: int) -> None:
        """Charges everyone waiting, up to `now`, to whoever has been running."""
        who = self.unknown
        if self.stack:
            who = self.stack[-1][1]
        elif self.seen and self.left:
            who = self.gap
        for key in list(self.active):
            active = self.touch(key, now)
            if active.waited:
                self.sums[key, who] += active.waited
            active.waited = 0
            if not active.count:
                del self.active[key]

    def advance(self, now: int) -> None:
        """Ends every occupant and every wait that is over at `now`."""
        while self.stack or self.heap:
            leaves = self.stack[-1][0] if self.stack else LARGEST
            served = self.heap[0][0] if self.heap else LARGEST
            if min(leaves, served) > now:
                return
            if self.stack and leaves <= served:
                self.flush(leaves)
                while self.stack and self.stack[-1][0] <= leaves:
                    self.stack.pop()
            else:
                self.touch(self.heap[0][1], served).count -= 1
                heapq.heappop(self.heap)

    def occupy(self, start: int, end: int, who: int) -> None:
        self.advance(start)
        self.flush(start)
        self.stack.append((end, who))

    def wait(self, start: int, end: int, key: int) -> None:
        self.advance(start)
        self.touch(key, start).count += 1
        heapq.heappush(self.heap, (end, key))


def attribute(
    start: Column,
    end: Column,
    kind: Column,
    owner: Column,
    key: Column,
    lane: Column,
    task_group: Column,
    extra_start: Column,
    extra_end: Column,
    extra_lane: Column,
    extra_who: Column,
    groups: int,
    calls: int,
    keys: int,
    lanes: int,
) -> Delays:
    """For each key, how long its slices (key >= 0) overlapped with each occupant of the loop.

    Occupants are numbered: groups of tasks, then callbacks, then select, then the loop's own
    work between slices, then the unknown (before a loop's first slice, after its last, or
    no loop at all). The extras, ordered by start, are occupants with numbers of their own;
    one that begins inside another interrupts it. The sums of a key add up to its durations.
    """
    assert keys >= 0
    select = groups + calls
    sums: Counter[tuple[int, int]] = Counter()
    occupants = Counter(
        lane[i] for i, k in enumerate(kind) if LOOP_TASK <= k <= SELECT and lane[i] >= 0
    )
    all_lanes = [_Lane(select + 1, select + 2, sums, occupants[i]) for i in range(lanes)]
    extra = 0
    for i, slice_kind in enumerate(kind):
        is_occupant = LOOP_TASK <= slice_kind <= SELECT
        if not is_occupant and key[i] < 0:
            continue
        while extra < len(extra_start) and extra_start[extra] < start[i]:
            all_lanes[extra_lane[extra]].occupy(
                extra_start[extra], extra_end[extra], extra_who[extra]
            )
            extra += 1
        at = all_lanes[lane[i]] if lane[i] >= 0 else None
        if key[i] >= 0:
            if at:
                at.wait(start[i], end[i], key[i])
            else:
                sums[key[i], select + 2] += end[i] - start[i]
        if is_occupant and at:
            who = select
            if slice_kind == LOOP_TASK:
                who = task_group[owner[i]]
            elif slice_kind == LOOP_CALLBACK:
                who = groups + owner[i]
            at.occupy(start[i], end[i], who)
            at.seen += 1
            at.left -= 1
    for rest in range(extra, len(extra_start)):
        all_lanes[extra_lane[rest]].occupy(extra_start[rest], extra_end[rest], extra_who[rest])
    for each in all_lanes:
        each.advance(_END)
        each.flush(_END)
    found = {row: total for row, total in sums.items() if total}
    columns = (
        array("i", (k for k, _ in found)),
        array("q", (who for _, who in found)),
        array("q", (min(total, LARGEST) for total in found.values())),
    )
    return Delays(*views(columns))
