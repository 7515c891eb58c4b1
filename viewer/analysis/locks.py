"""Locks: who waited, for how long, and who held the lock meanwhile."""

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache, partial
from itertools import compress
from operator import or_
from typing import NamedTuple

from tracer import schema as s
from viewer.analysis.ledger.ledger import Ledger
from viewer.analysis.ledger.rows import longs
from viewer.analysis.lockers import (
    Cause,
    Holder,
    Owners,
    Waiters,
    causes_by_row,
    holders_by_row,
    is_hold,
    is_wait,
    kind_of,
    of_locks,
    waiters_by_row,
    wakers_by_row,
)
from viewer.analysis.rows import Later, Rows, in_order
from viewer.analysis.spread import Spread, spread_at
from viewer.analysis.states import every, having, keys, marks, numbered
from viewer.analysis.waited import package_of
from viewer.trace.columns import (
    FAILED,
    HOLD,
    LOCK_WAIT,
    Column,
)
from viewer.trace.engine import BEST
from viewer.trace.model import Model

_ASYNCIO = "asyncio."
ENDS = ("Thread.join", "executor shutdown")  # waits for the end of a thread, which "holds" it
_EXCLUSIVE_AWAITS = (s.AWAIT_PREFIX + "Lock",)  # of a task, for what one task holds at a time


class LockRow(NamedTuple):
    """A lock; for idle waits (for conditions, queues, futures …), and for the ends of threads,
    all of a kind and site.

    `waited_for` adds up to the waits. With hold slices it is who held the lock, moment by
    moment; without, who held it when each wait began. Nobody holds what an idle wait is for:
    `waited_for` is empty. `woken_by` counts who ended waits.
    """

    pid: int
    lock: int  # -1 unknown
    locks: int  # the number of locks in this row
    kind: str
    site: str
    is_idle: bool
    waits: Spread
    timed_out: int
    holds: Spread
    holders: Sequence[Holder]  # the longest total first, like the following
    waiters: Waiters
    waited_for: Sequence[Cause]
    woken_by: Sequence[tuple[str, int]]
    process: int


class _Rows(NamedTuple):
    """Which locks make up each row, and the first of them."""

    of_lock: Column
    first: Column
    is_idle: bytes


def lock_rows(model: Model) -> Rows[LockRow]:
    """One row per lock with waits or holds, the longest total first, of as long ones the one
    that was used first; idle waits last."""
    table, engine = model.states, model.trace.engine
    if not table.lock_id:
        return Rows()
    made = _group(model)
    rows, to_row = len(made.first), made.of_lock
    waits, holds = (
        engine.grouped_stats(
            table.start_ns, table.end_ns, keys(model, kind, table.row, to_row), rows
        )
        for kind in (is_wait, is_hold)
    )
    locks, owners = _times(to_row, rows), Owners(model)

    def only(wanted: Iterable[int], among: Column, mark: int) -> Column:
        """By lock its row, if it is one of these; else -1."""
        kept = array("i", [-1]) * rows
        for row in wanted:
            kept[row] = row
        return engine.group_keys(among, to_row, memoryview(kept), mark)

    all_locks = memoryview(b"\1" * len(to_row))

    @cache
    def with_holds() -> Column:
        """By lock 1 if its row has holds."""
        return engine.take(memoryview(bytes(map(bool, holds.count))), to_row, 0)

    def make(wanted: Sequence[int]) -> Iterator[LockRow]:
        some = only(wanted, all_locks, 1)
        part = of_locks(model, some, rows)
        times = part.states.start_ns, part.states.end_ns
        waiting = keys(part, is_wait, part.states.row, some)
        holding = keys(part, is_hold, part.states.row, some)
        failed = engine.tally(*times, waiting, marks(part, _has_failed), rows, 2).count
        holders = cache(lambda: holders_by_row(part, holding, owners))
        waiters = waiters_by_row(part, waiting, rows)

        @cache
        def waited_for() -> dict[int, list[Cause]]:
            swept, others = (only(wanted, with_holds(), mark) for mark in (1, 0))
            return causes_by_row(part, Ledger.of(model), swept, others, rows, owners)

        woken = cache(lambda: wakers_by_row(part, waiting))
        held = {row: Later(partial(_of_row, holders, row)) for row in wanted}
        for row in wanted:
            first = made.first[row]
            yield LockRow(
                model.pid(table.lock_process[first]),
                table.lock_id[first],
                locks[row],
                _kind_name(model, first),
                _site(model, first, held[row]),
                bool(made.is_idle[row]),
                spread_at(waits, row),
                failed[row * 2 + 1],
                spread_at(holds, row),
                held[row],
                waiters(row),
                () if made.is_idle[row] else Later(partial(_of_row, waited_for, row)),
                Later(partial(_of_row, woken, row)),
                table.lock_process[first],
            )

    alike = numbered(
        engine,
        engine.take(table.lock_name, made.first, -1),
        engine.take(table.lock_kind, made.first, -1),
    )
    is_end = bytes(_kind_name(model, made.first[head]) in ENDS for head in alike.head)
    is_no_lock = made.is_idle  # nor is the end of a thread
    if 1 in is_end:
        is_no_lock = bytes(map(or_, is_no_lock, map(is_end.__getitem__, alike.number)))
    measures = {
        "total_ns": waits.total,
        "contended_ns": _unless(is_no_lock, waits.total),
        "max_ns": waits.max,
        "waits": waits.count,
        # Not idle, and not only held: what a sentence can be said of.
        "waited_for": _unless(made.is_idle, waits.count),
        "is_idle": made.is_idle,
    }
    idle_last = [(longs([*made.is_idle]), False)] if 1 in made.is_idle else []
    return Rows(in_order(range(rows), *idle_last, (waits.total, True)), make, measures)


def _times(rows: Column, count: int) -> Column:
    """How often there is each of the rows below `count`."""
    nothing = memoryview(bytes(8 * len(rows)))
    times = nothing.cast("q")
    return BEST.tally(times, times, rows, nothing[: len(rows)], count, 1).count


def _unless(marks: bytes, values: Column) -> Column:
    """The values, 0 where there is a mark."""
    rows, nothing = every(len(marks)), memoryview(bytes(8 * len(marks)))
    unmarked = BEST.group_keys(memoryview(marks), rows, rows, 0)
    of_none = nothing[: len(marks)]
    return BEST.tally(nothing.cast("q"), values, unmarked, of_none, len(marks), 1).total


def _group(model: Model) -> _Rows:
    """A row per lock; what idle waits and joins are for is often used once: one per site."""
    table, engine = model.states, model.trace.engine
    locks = len(table.lock_id)
    used = keys(
        model, lambda state: kind_of(state) in (LOCK_WAIT, HOLD), table.row, every(locks)
    )
    is_idle = bytearray(b"\1" * locks)
    for lock in engine.distinct(used, locks):
        is_idle[lock] = 0
    exclusive = having(
        model, table.lock_name, _EXCLUSIVE_AWAITS.__contains__, _EXCLUSIVE_AWAITS
    )
    for lock in compress(range(locks), exclusive) if 1 in exclusive else ():
        is_idle[lock] = 0
    ends = having(model, table.lock_name, _is_end, ENDS)
    is_folded = bytes(map(or_, is_idle, ends)) if 1 in ends else is_idle
    if 1 not in is_folded:
        return _Rows(every(locks), every(locks), bytes(locks))
    alone = engine.group_keys(memoryview(is_folded), every(locks), every(locks), 0)
    pairs = numbered(engine, alone, table.lock_site)
    for column in (table.lock_process, table.lock_name, table.lock_kind):
        if len({*engine.bounds(column)}) > 1:  # else all are alike
            pairs = numbered(engine, pairs.number, column)
    idle = bytes(engine.take(memoryview(is_idle), pairs.head, 0))
    return _Rows(pairs.number, pairs.head, idle)


def _is_end(name: str) -> bool:
    return name.removeprefix(s.LOCK_WAIT_PREFIX) in ENDS


def _of_row[T](found: Callable[[], dict[int, list[T]]], row: int) -> tuple[T, ...]:
    return tuple(found().get(row, ()))


def _has_failed(state: int) -> int:
    return int(bool(state & FAILED))


def _kind_name(model: Model, lock: int) -> str:
    """The kind that its hold names, else its waits."""
    kind = model.states.lock_kind[lock]
    if kind >= 0:
        return model.trace.text(kind)
    name = model.trace.text(model.states.lock_name[lock])
    if name.startswith(s.AWAIT_PREFIX):
        what = name.removeprefix(s.AWAIT_PREFIX)
        return what if package_of(what) else _ASYNCIO + what
    return name.removeprefix(s.LOCK_WAIT_PREFIX)


def _site(model: Model, lock: int, holders: Sequence[Holder]) -> str:
    """Where it was first waited for, or where it was held if nobody waited."""
    site = model.trace.text(model.states.lock_site[lock])
    return site or (holders[0].site if holders else "")
