"""Locks: who waited, for how long, and who held the lock meanwhile."""

from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache, partial
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
    held_longest_at,
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
from viewer.analysis.states import keys, marks, numbered, numbers, ranks
from viewer.analysis.waited import package_of
from viewer.trace.columns import (
    FAILED,
    HOLD,
    LOCK_WAIT,
    STATE_MASK,
    Column,
    Pairs,
)
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
    waited_for: tuple[Cause, ...]
    woken_by: tuple[tuple[str, int], ...]
    process: int


class _Rows(NamedTuple):
    """Which locks make up each row: the first of them, and how many."""

    of_lock: Column
    first: Sequence[int]
    locks: list[int]
    is_idle: list[bool]


def lock_rows(model: Model) -> Rows[LockRow]:
    """One row per lock with waits or holds, the longest total first, idle waits last."""
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
    owners = Owners(model)

    def only(wanted: Iterable[int], among: Column, mark: int) -> Column:
        """By lock its row, if it is one of these; else -1."""
        kept = array("i", [-1]) * rows
        for row in wanted:
            kept[row] = row
        return engine.group_keys(among, to_row, memoryview(kept), mark)

    every = memoryview(b"\1" * len(to_row))

    @cache
    def with_holds() -> Column:
        """By lock 1 if its row has holds."""
        return engine.take(memoryview(bytes(map(bool, holds.count))), to_row, 0)

    def make(wanted: Sequence[int]) -> Iterator[LockRow]:
        some = only(wanted, every, 1)
        part = of_locks(model, some, rows)
        times = part.states.start_ns, part.states.end_ns
        waiting = keys(part, is_wait, part.states.row, some)
        holding = keys(part, is_hold, part.states.row, some)
        failed = engine.tally(*times, waiting, marks(part, _has_failed), rows, 2).count
        holders = cache(lambda: holders_by_row(part, holding, owners))
        waiters = waiters_by_row(part, waiting, rows)
        swept, others = (only(wanted, with_holds(), mark) for mark in (1, 0))
        waited_for = causes_by_row(part, Ledger.of(model), swept, others, rows, owners)
        woken = wakers_by_row(part, waiting)
        held = {row: Later(partial(_of_row, holders, row)) for row in wanted}
        for row in wanted:
            first = made.first[row]
            yield LockRow(
                model.pid(table.lock_process[first]),
                table.lock_id[first],
                made.locks[row],
                _kind_name(model, first),
                _site(model, first, held[row]),
                made.is_idle[row],
                spread_at(waits, row),
                failed[row * 2 + 1],
                spread_at(holds, row),
                held[row],
                waiters(row),
                () if made.is_idle[row] else tuple(waited_for.get(row, ())),
                tuple(woken.get(row, ())),
                table.lock_process[first],
            )

    first = numbers(made.first)
    site_of = engine.take(table.lock_site, first, -1)
    nowhere = {-1, model.trace.symbol("")}
    if engine.bounds(site_of)[0] < 0 or len(nowhere) > 1:  # of those that nobody waited for
        unnamed = [row for row, site in enumerate(site_of) if site in nowhere]
        held_at = keys(model, is_hold, table.row, only(unnamed, every, 1))
        sites = array("i", site_of)
        for row, site in held_longest_at(model, held_at, owners).items():
            sites[row] = site
        site_of = memoryview(sites)
    alike = numbered(
        engine,
        engine.take(table.lock_name, first, -1),
        engine.take(table.lock_kind, first, -1),
    )
    names = [_kind_name(model, first[head]) for head in alike.head]
    rank = {name: n for n, name in enumerate(sorted({*names}))}
    kinds = longs(map(rank.__getitem__, names))
    total = waits.total.tolist()
    contended = [
        0 if is_idle or names[kind] in ENDS else ns  # the end of a thread is no lock
        for is_idle, kind, ns in zip(made.is_idle, alike.number, total, strict=True)
    ]
    measures = {
        "total_ns": total,
        "contended_ns": contended,
        "max_ns": waits.max,
        "waits": waits.count,
        # Not idle, and not only held: what a sentence can be said of.
        "waited_for": [n and not i for n, i in zip(waits.count, made.is_idle, strict=True)],
        "is_idle": made.is_idle,
    }
    order = in_order(
        range(rows),
        *([(made.is_idle, False)] if True in made.is_idle else []),
        (waits.total, True),
        (engine.take(kinds, alike.number, -1), False),
        (ranks(model, site_of), False),
        (engine.take(table.lock_id, first, -1), False),
    )
    return Rows(order, make, measures)


def _group(model: Model) -> _Rows:
    """A row per lock; what idle waits and joins are for is often used once: one per site."""
    table = model.states
    locks, kinds, text = len(table.lock_id), STATE_MASK + 1, model.trace.text
    any_use = keys(
        model,
        lambda state: is_wait(state) or is_hold(state),
        table.row,
        numbers(range(locks)),
    )
    seen = model.trace.engine.tally(
        table.start_ns, table.end_ns, any_use, marks(model, kind_of), locks, kinds
    ).count
    names = {number: text(number) for number in {*table.lock_name}}
    exclusive = {number for number, name in names.items() if name in _EXCLUSIVE_AWAITS}
    ends = {
        number
        for number, name in names.items()
        if name.removeprefix(s.LOCK_WAIT_PREFIX) in ENDS
    }
    is_used = map(or_, seen[LOCK_WAIT::kinds].tolist(), seen[HOLD::kinds].tolist())
    is_idle = [
        not used and name not in exclusive
        for used, name in zip(is_used, table.lock_name, strict=True)
    ]
    is_folded = is_idle
    if not ends.isdisjoint(names):
        is_folded = [*map(or_, is_idle, map(ends.__contains__, table.lock_name))]
    if True not in is_folded:
        return _Rows(numbers(range(locks)), range(locks), [1] * locks, is_idle)
    engine, alone = (
        model.trace.engine,
        (-1 if folds else n for n, folds in enumerate(is_folded)),
    )
    pairs = Pairs(numbers(alone), numbers(()))
    for column in (table.lock_process, table.lock_name, table.lock_site, table.lock_kind):
        pairs = numbered(engine, pairs.number, column)
    first = pairs.head.tolist()
    count = Counter(pairs.number.tolist())
    return _Rows(
        pairs.number,
        first,
        [*map(count.__getitem__, range(len(first)))],
        [*map(is_idle.__getitem__, first)],
    )


def _of_row(holders: Callable[[], dict[int, list[Holder]]], row: int) -> tuple[Holder, ...]:
    return tuple(holders().get(row, ()))


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
