"""Threads that are all woken for what is there for one of them, look, and wait again."""

from collections import defaultdict
from collections.abc import Iterator
from functools import cache, cached_property
from itertools import pairwise
from typing import NamedTuple, Self

from tracer.units import MS
from viewer.analysis.resources.reading import Reading
from viewer.analysis.states import at_least, every, having, keys, numbers
from viewer.trace.columns import (
    FAILED,
    GIL_WAIT,
    IDLE_WAIT,
    LOCK_WAIT,
    NATIVE,
    OFF_CPU,
    PREEMPTED,
    STATE_MASK,
    THREAD_RUNNING,
    Column,
    States,
)

# While they are on their way hardly anybody else computes: half a second of that, and a tenth
# of the time from the first to the last, is lost for whoever has something to do. A fifth of
# half a second is enough to know that what they ran for was no work.
_LOST_NS, _KNOWN_NS = 500 * MS, 100 * MS
_PART = 10
# Of four threads woken at a time three do nothing. To look at what is there takes some
# microseconds; what takes longer is work.
_AT_ONCE = 4
_IN_VAIN = 3, 4
_LOOK_NS = 50_000
# On its way each waits for the others, up to 100 us for each of them; behind a thread that
# computes it would wait for a whole switch interval (5 ms).
_TURN_NS, _INTERVAL_NS = 100_000, 4 * MS
_LEAST = 1_000  # wake-ups; fewer cannot cost so much
WAIT = "Condition.wait"
_ON_THE_WAY = (NATIVE, GIL_WAIT, PREEMPTED, OFF_CPU)


class _Woken(NamedTuple):
    """A thread was woken, and what it ran for until it waited again in row `again`; -1 when it
    did something else first, or ran for longer. `row` is that of the wait that was over."""

    thread: int
    row: int
    again: int
    start_ns: int
    end_ns: int
    ran_ns: int


class Herd(NamedTuple):
    """Threads that wait for one condition. `woken`: all times, `looked`: those in vain; in how
    many `goes`; `lost_ns`: for how long some of them were on their way."""

    lock: int
    woken: list[_Woken]
    looked: list[_Woken]
    goes: int
    lost_ns: int

    @property
    def threads(self) -> set[int]:
        return {one.thread for one in self.looked}

    @property
    def start_ns(self) -> int:
        return min(one.start_ns for one in self.looked)

    @property
    def hurts(self) -> bool:
        """Whether that alone is worth a finding."""
        whole_ns = max(one.end_ns for one in self.looked) - self.start_ns
        return self.lost_ns >= max(_LOST_NS, whole_ns // _PART)


class Herds:
    """Those of a model, found once: who asks about the GIL or a pool asks for them, too."""

    @classmethod
    def of(cls, reading: Reading) -> Self:
        return reading.model.derive(cls, lambda: cls(reading))

    def __init__(self, reading: Reading) -> None:
        places = cache(lambda: _places(reading))
        found = (_herd(reading, lock, places()) for lock in _often_waited_for(reading))
        self.all = tuple(one for one in found if one is not None)
        self.hurting = tuple(one for one in self.all if one.hurts)
        self._start_ns = reading.model.states.start_ns

    @cached_property
    def threads(self) -> set[int]:
        return {thread for one in self.all for thread in one.threads}

    @cached_property
    def joined(self) -> dict[int, int]:
        """By row of a wait its begin, where it is one wait with those before it in which the
        thread was woken in vain; and of these the largest number: they are no waits. Not of
        herds that hurt: what they wait for is told."""
        found = dict[int, int]()
        for herd in self.all:
            for one in () if herd.hurts else herd.looked:
                found[one.again] = found.get(one.row, self._start_ns[one.row])
                found[one.row] = _NO_WAIT
        return found


_NO_WAIT = 1 << 63


def _often_waited_for(reading: Reading) -> list[int]:
    """Conditions of threads that were waited for so often, whatever the waits' lengths."""
    model, table = reading.model, reading.model.states
    locks, none = len(table.lock_id), memoryview(bytes(len(table.state)))
    named = having(model, table.lock_name, lambda name: name.endswith(WAIT), (WAIT,))
    if 1 not in named:
        return []
    which = keys(model, lambda of: of & STATE_MASK == IDLE_WAIT, table.row, every(locks))
    tally = model.trace.engine.tally(table.start_ns, table.end_ns, which, none, locks, 1)
    return at_least(tally.count, _LEAST, named).tolist()


def _places(reading: Reading) -> Column:
    """By row of the states table its place among those of threads."""
    rows, nothing = reading.ledger.rows_of_threads.row, reading.model.states.start_ns
    spans = reading.model.trace.engine.spans
    return spans(nothing[: len(rows)], rows, len(nothing)).first


def _herd(reading: Reading, lock: int, places: Column) -> Herd | None:
    table, waits = reading.model.states, defaultdict[int, list[int]](list)
    for row in reading.ledger.waits_for(lock)[0]:
        if table.state[row] & STATE_MASK == IDLE_WAIT:
            waits[table.who[row]].append(row)
    if len(waits) < _AT_ONCE:
        return None
    woken = [
        one for who in sorted(waits) for one in _wake_ups(reading, who, waits[who], places)
    ]
    looked = [one for one in woken if one.again >= 0]
    threads = {one.thread for one in looked}
    if len(threads) < _AT_ONCE or len(looked) * _IN_VAIN[1] < len(woken) * _IN_VAIN[0]:
        return None
    goes, lost_ns = _goes(woken), _union_ns(looked)
    mean_ns = sum(one.end_ns - one.start_ns for one in looked) // len(looked)
    is_behind_others = mean_ns > min(len(threads) * _TURN_NS, _INTERVAL_NS)
    if is_behind_others or len(woken) < goes * _AT_ONCE or lost_ns < _KNOWN_NS:
        return None
    return Herd(lock, woken, looked, goes, lost_ns)


def _wake_ups(
    reading: Reading, thread: int, waits: list[int], places: Column
) -> Iterator[_Woken]:
    """Each time that a thread was woken that waits for a condition."""
    table, rows = reading.model.states, reading.ledger.rows_of_threads.row
    take, at = reading.model.trace.engine.take, numbers(waits)
    of = (places, table.start_ns, table.end_ns, table.site, table.waker, table.state)
    each = zip(waits, *(take(column, at, 0) for column in of), strict=True)
    for before, (row, again, starts, _, here, *_) in pairwise(each):
        last, place, _, ends, site, waker, state = before
        if waker >= 0 and not state & FAILED:
            ran_ns = _looked_ns(table, last, rows[place + 1 : again])
            is_look = ran_ns <= _LOOK_NS and here == site
            yield _Woken(thread, last, row if is_look else -1, ends, starts, ran_ns)


def _looked_ns(table: States, wait: int, after: Column) -> int:
    """How long a thread ran after a wait; more than a look takes, if it did something else."""
    ran_ns = 0
    for row in after:
        state = table.state[row] & STATE_MASK
        if state == THREAD_RUNNING:
            ran_ns += table.end_ns[row] - table.start_ns[row]
        elif state not in _ON_THE_WAY and (
            state != LOCK_WAIT or table.site[row] != table.site[wait]
        ):
            ran_ns = _LOOK_NS + 1  # else it waits there to have the condition's lock again
        if ran_ns > _LOOK_NS:
            break
    return ran_ns


def _goes(woken: list[_Woken]) -> int:
    """In how many goes they were woken: in each of them nobody comes twice."""
    goes, there = 1, set[int]()
    for one in sorted(woken, key=lambda one: one.start_ns):
        if one.thread in there:
            goes, there = goes + 1, set()
        there.add(one.thread)
    return goes


def _union_ns(looked: list[_Woken]) -> int:
    """For how long at least one was on its way."""
    total = until = 0
    for one in sorted(looked, key=lambda one: one.start_ns):
        total += max(one.end_ns - max(one.start_ns, until), 0)
        until = max(until, one.end_ns)
    return total
