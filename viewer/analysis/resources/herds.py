"""Threads that are all woken for what is there for one of them, look, and wait again."""

from array import array
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import accumulate, compress, pairwise
from operator import mul
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


class Herd(NamedTuple):
    """Threads that wait for one condition. `waits` are their rows, by thread and begin;
    `woken` and `looked` those among them, by place, after which a thread was woken at all, and
    in vain: it ran for `ran_ns` in all, and waited again in the next one. In how many `goes`;
    `lost_ns`: for how long some of them were on their way, from `start_ns` to `end_ns`."""

    lock: int
    waits: Column
    woken: list[int]
    looked: list[int]
    ran_ns: int
    threads: set[int]
    goes: int
    lost_ns: int
    start_ns: int
    end_ns: int

    @property
    def hurts(self) -> bool:
        """Whether that alone is worth a finding."""
        return self.lost_ns >= max(_LOST_NS, (self.end_ns - self.start_ns) // _PART)


class Herds:
    """Those of a model, found once: who asks about the GIL or a pool asks for them, too."""

    @classmethod
    def of(cls, reading: Reading) -> Self:
        return reading.model.derive(cls, lambda: cls(reading))

    def __init__(self, reading: Reading) -> None:
        locks = _often_waited_for(reading)
        found = _Waits(reading, locks).herds() if len(locks) else ()
        self.all = tuple(found)
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
            looked = () if herd.hurts else herd.looked
            found.update(dict.fromkeys(map(herd.waits.__getitem__, looked), _NO_WAIT))
            for first, last in _runs(looked):
                found[herd.waits[last + 1]] = self._start_ns[herd.waits[first]]
        return found


_NO_WAIT = 1 << 63


def _runs(ascending: Sequence[int]) -> Iterator[tuple[int, int]]:
    """The first and the last of numbers that follow each other."""
    firsts = [n for before, n in pairwise((-2, *ascending)) if n != before + 1]
    lasts = [n for n, after in pairwise((*ascending, -2)) if after != n + 1]
    return zip(firsts, lasts, strict=True)


def _often_waited_for(reading: Reading) -> Column:
    """Conditions of threads that were waited for so often, whatever the waits' lengths."""
    model, table = reading.model, reading.model.states
    locks, none = len(table.lock_id), memoryview(bytes(len(table.state)))
    named = having(model, table.lock_name, lambda name: name.endswith(WAIT), (WAIT,))
    if 1 not in named:
        return numbers(())
    which = keys(model, _is_idle, table.row, every(locks))
    tally = model.trace.engine.tally(table.start_ns, table.end_ns, which, none, locks, 1)
    return at_least(tally.count, _LEAST, named)


def _is_idle(state: int) -> bool:
    return state & STATE_MASK == IDLE_WAIT


class _Waits:
    """The waits for some conditions, and what their threads did in between."""

    def __init__(self, reading: Reading, locks: Column) -> None:
        self.model, self.locks = reading.model, locks
        self.rows = rows = reading.ledger.rows_of_threads
        table, engine = self.model.states, self.model.trace.engine
        number = memoryview(array("i", [-1]) * len(table.lock_id))
        for n, lock in enumerate(locks):
            number[lock] = n
        lock_of = engine.take(keys(self.model, _is_idle, table.row, number), rows.row, -1)
        code, count = rows.code, len(locks)
        self.places = engine.lanes(rows.start_ns, rows.end_ns, code, lock_of, count)

    def herds(self) -> Iterator[Herd]:
        """A herd for each of the conditions that has one."""
        for n, lock in enumerate(self.locks):
            if (found := self._herd(lock, self.places.of(n))) is not None:
                yield found

    def _herd(self, lock: int, places: Column) -> Herd | None:
        table, engine = self.model.states, self.model.trace.engine
        take, rows = engine.take, engine.take(self.rows.row, places, -1)
        who, state, waker, site = (
            take(column, rows, 0).tolist()
            for column in (table.who, table.state, table.waker, table.site)
        )
        if len({*who}) < _AT_ONCE:
            return None
        woken = [
            n
            for n, (thread, following) in enumerate(pairwise(who))
            if thread == following and waker[n] >= 0 and not state[n] & FAILED
        ]
        at, ran = places.tolist(), self._ran
        looked = [
            n
            for n in woken
            if site[n] == site[n + 1]
            and ran[at[n + 1]] - ran[at[n] + 1] <= _LOOK_NS
            and self._has_only_looked(at[n] + 1, at[n + 1], site[n])
        ]
        threads = {who[n] for n in looked}
        if len(threads) < _AT_ONCE or len(looked) * _IN_VAIN[1] < len(woken) * _IN_VAIN[0]:
            return None
        # From the end of one wait to the begin of the next.
        begins = take(table.end_ns, rows, 0)[:-1]
        ends = take(table.start_ns, rows, 0)[1:]
        order = engine.ranked(numbers(looked), begins, 0)
        since, until = take(begins, order, 0), take(ends, order, 0)
        every_ns = sum(until) - sum(since)
        start_ns, end_ns = since[0], engine.bounds(until)[1]
        none = memoryview(bytes(4 * len(order))).cast("i")
        pauses = engine.gaps(since, until, none, 1, 1)
        lost_ns = end_ns - start_ns - (sum(pauses.end_ns) - sum(pauses.start_ns))
        goes = _goes([who[n] for n in engine.ranked(numbers(woken), begins, 0)])
        is_behind_others = every_ns // len(looked) > min(len(threads) * _TURN_NS, _INTERVAL_NS)
        if is_behind_others or len(woken) < goes * _AT_ONCE or lost_ns < _KNOWN_NS:
            return None
        ran_ns = sum(ran[at[n + 1]] - ran[at[n] + 1] for n in looked)
        return Herd(
            lock, rows, woken, looked, ran_ns, threads, goes, lost_ns, start_ns, end_ns
        )

    @cached_property
    def _ran(self) -> list[int]:
        """By place among the threads' rows for how long they ran before it, all in all."""
        rows, between = self.rows, self.model.trace.engine.between
        does_run = bytes(rows.code).translate(_RUNS)
        return [
            *accumulate(map(mul, between(rows.start_ns, rows.end_ns), does_run), initial=0)
        ]

    @cached_property
    def _others(self) -> list[int]:
        """By place how many of the rows before it are neither that nor on the way."""
        return [*accumulate(bytes(self.rows.code).translate(_DOES_OTHERS), initial=0)]

    def _has_only_looked(self, first: int, behind: int, site: int) -> bool:
        """Whether a thread did nothing else between two waits: to have the condition's lock
        again it waits at the same line."""
        others, table = self._others, self.model.states
        return others[first] == others[behind] or all(
            table.state[row] & STATE_MASK == LOCK_WAIT and table.site[row] == site
            for row in compress(
                self.rows.row[first:behind],
                bytes(self.rows.code[first:behind]).translate(_DOES_OTHERS),
            )
        )


_RUNS = bytes(state & STATE_MASK == THREAD_RUNNING for state in range(256))
_DOES_OTHERS = bytes(
    state & STATE_MASK not in (THREAD_RUNNING, *_ON_THE_WAY) for state in range(256)
)


def _goes(threads: list[int]) -> int:
    """In how many goes they were woken: in each of them nobody comes twice."""
    goes, there = 1, set[int]()
    for thread in threads:
        if thread in there:
            goes, there = goes + 1, set()
        there.add(thread)
    return goes
