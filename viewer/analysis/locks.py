"""Locks: who waited, for how long, and who held the lock meanwhile."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from tracer import schema as s
from viewer.analysis.ledger.ledger import Ledger
from viewer.analysis.ledger.resource import Waits
from viewer.analysis.rows import Rows
from viewer.analysis.spread import Spread, spread_at
from viewer.analysis.states import keys, marks, numbers
from viewer.analysis.waited import package_of
from viewer.trace.columns import (
    FAILED,
    HOLD,
    IDLE_WAIT,
    LOCK_WAIT,
    STATE_MASK,
    TASK_WAIT,
    Column,
)
from viewer.trace.model import Model

_WAITS = (LOCK_WAIT, IDLE_WAIT, TASK_WAIT)
_ASYNCIO = "asyncio."
ENDS = ("Thread.join", "executor shutdown")  # waits for the end of a thread, which "holds" it
_EXCLUSIVE_AWAITS = (s.AWAIT_PREFIX + "Lock",)  # of a task, for what one task holds at a time


@dataclass(frozen=True, slots=True)
class Holder:
    """Who held the lock, acquired where; `ns` is the total, `max_ns` the longest hold."""

    who: str
    site: str
    count: int
    ns: int
    max_ns: int


@dataclass(frozen=True, slots=True)
class Waiter:
    """Who waited where; a task is named by its coroutine."""

    who: str
    site: str
    count: int
    ns: int
    max_ns: int


@dataclass(frozen=True, slots=True)
class Cause:
    """A part of the waiting time. Kinds: owner, free (released, not yet acquired), unknown,
    others (holders that are not distinguished).
    """

    who: str
    kind: str
    site: str
    ns: int


@dataclass(frozen=True, slots=True)
class LockRow:
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
    holders: tuple[Holder, ...]  # the longest total first, like the following
    waiters: tuple[Waiter, ...]
    waited_for: tuple[Cause, ...]
    woken_by: tuple[tuple[str, int], ...]
    process: int


@dataclass(frozen=True, slots=True)
class _Rows:
    """Which locks make up each row."""

    of_lock: list[int]
    members: list[list[int]]
    is_idle: list[bool]


def lock_rows(model: Model) -> Rows[LockRow]:
    """One row per lock with waits or holds, the longest total first, idle waits last."""
    table, engine = model.states, model.trace.engine
    if not table.lock_id:
        return Rows()
    made = _group(model)
    rows, to_row = len(made.members), numbers(made.of_lock)
    waits, holds = (
        engine.grouped_stats(
            table.start_ns, table.end_ns, keys(model, kind, table.row, to_row), rows
        )
        for kind in (_is_wait, _is_hold)
    )
    owners = _owners(model)
    held = [bool(holds.count[row]) for row in made.of_lock]

    def only(wanted: Iterable[int]) -> _Rows:
        """The same rows, where only locks of these have one."""
        kept = bytearray(rows)
        for row in wanted:
            kept[row] = 1
        return replace(made, of_lock=[row if kept[row] else -1 for row in made.of_lock])

    def make(wanted: Sequence[int]) -> Iterator[LockRow]:
        some = only(wanted)
        waiting = keys(model, _is_wait, table.row, numbers(some.of_lock))
        holding = keys(model, _is_hold, table.row, numbers(some.of_lock))
        failed = engine.tally(
            table.start_ns, table.end_ns, waiting, marks(model, _has_failed), rows, 2
        ).count
        holders = _holders(model, holding, owners)
        waiters = _waiters(model, waiting)
        waited_for = _waited_for(model, some, held, owners)
        woken = _woken_by(model, waiting)
        for row in wanted:
            first = made.members[row][0]
            yield LockRow(
                model.pid(table.lock_process[first]),
                table.lock_id[first],
                len(made.members[row]),
                _kind_name(model, first),
                _site(model, first, holders.get(row, [])),
                made.is_idle[row],
                spread_at(waits, row),
                failed[row * 2 + 1],
                spread_at(holds, row),
                tuple(holders.get(row, ())),
                tuple(waiters.get(row, ())),
                () if made.is_idle[row] else tuple(waited_for.get(row, ())),
                tuple(woken.get(row, ())),
                table.lock_process[first],
            )

    firsts = [members[0] for members in made.members]
    unnamed = [
        row for row in range(rows) if not model.trace.text(table.lock_site[firsts[row]])
    ]
    holders = (
        _holders(
            model, keys(model, _is_hold, table.row, numbers(only(unnamed).of_lock)), owners
        )
        if unnamed
        else {}
    )
    kinds: dict[tuple[int, int], str] = {}  # by kind and name

    def kind_of(lock: int) -> str:
        known = table.lock_kind[lock], table.lock_name[lock]
        if known not in kinds:
            kinds[known] = _kind_name(model, lock)
        return kinds[known]

    total = waits.total.tolist()
    place = [
        (
            made.is_idle[row],
            -total[row],
            kind_of(first),
            _site(model, first, holders.get(row, [])),
            table.lock_id[first],
        )
        for row, first in enumerate(firsts)
    ]
    contended = [0 if is_idle else ns for is_idle, ns in zip(made.is_idle, total, strict=True)]
    measures = {
        "total_ns": total,
        "contended_ns": contended,
        "max_ns": waits.max,
        "waits": waits.count,
        # Not idle, and not only held: what a sentence can be said of.
        "waited_for": [n and not i for n, i in zip(waits.count, made.is_idle, strict=True)],
        "is_idle": made.is_idle,
    }
    return Rows(sorted(range(rows), key=place.__getitem__), make, measures)


def _group(model: Model) -> _Rows:
    """A row per lock; what idle waits and joins are for is often used once: one per site."""
    table = model.states
    locks, kinds, text = len(table.lock_id), STATE_MASK + 1, model.trace.text
    any_use = keys(
        model,
        lambda state: _is_wait(state) or _is_hold(state),
        table.row,
        numbers(range(locks)),
    )
    seen = model.trace.engine.tally(
        table.start_ns, table.end_ns, any_use, marks(model, _kind), locks, kinds
    ).count
    index: dict[tuple[int, ...], int] = {}
    made = _Rows([], [], [])
    for lock in range(locks):
        has_owner = seen[lock * kinds + LOCK_WAIT] or seen[lock * kinds + HOLD]
        name = text(table.lock_name[lock])
        is_idle = not has_owner and name not in _EXCLUSIVE_AWAITS
        site = (
            *(table.lock_process[lock], table.lock_name[lock]),
            *(table.lock_site[lock], table.lock_kind[lock]),
        )
        by_site = is_idle or name.removeprefix(s.LOCK_WAIT_PREFIX) in ENDS
        row = index.setdefault(site if by_site else (lock,), len(index))
        if row == len(made.members):
            made.members.append([])
            made.is_idle.append(is_idle)
        made.members[row].append(lock)
        made.of_lock.append(row)
    return made


def _kind(state: int) -> int:
    return state & STATE_MASK


def _is_wait(state: int) -> bool:
    return _kind(state) in _WAITS


def _is_hold(state: int) -> bool:
    return _kind(state) == HOLD


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


def _site(model: Model, lock: int, holders: list[Holder]) -> str:
    """Where it was first waited for, or where it was held if nobody waited."""
    site = model.trace.text(model.states.lock_site[lock])
    return site or (holders[0].site if holders else "")


def _owners(model: Model) -> list[tuple[str, str]]:
    """By owner, name and site; a task is named by its coroutine."""
    table, owned = model.states, model.owners
    tasks: dict[tuple[int, int], int] = {}
    if any(table.owner_is_task):
        tasks = {
            key: i for i, key in enumerate(zip(owned.task_process, owned.task_id, strict=True))
        }
    names = {
        (model.thread_process[i], track.tid): track.thread_name
        for i, track in enumerate(model.threads)
        if track.thread_name
    }
    found = []
    columns = (table.owner_id, table.owner_process, table.owner_is_task)
    texts = (table.owner_name, table.owner_site)
    for id_, process, is_task, name, site in zip(*columns, *texts, strict=True):
        who = model.trace.text(name)
        if is_task and (process, id_) in tasks:
            who = model.coroutine_of(tasks[process, id_])
        elif not who:
            who = f"task {id_}" if is_task else names.get((process, id_), f"thread {id_}")
        found.append((who, model.trace.text(site)))
    return found


def _holders(
    model: Model, holding: Column, owners: list[tuple[str, str]]
) -> dict[int, list[Holder]]:
    """By row the holders of its locks."""
    table, engine = model.states, model.trace.engine
    pairs = engine.pairs(holding, table.owner)
    stats = engine.grouped_stats(table.start_ns, table.end_ns, pairs.number, len(pairs.head))
    sums: dict[tuple[int, tuple[str, str]], list[int]] = defaultdict(lambda: [0, 0, 0])
    for number, at in enumerate(pairs.head):
        total = sums[holding[at], owners[table.owner[at]]]
        total[0] += stats.count[number]
        total[1] += stats.total[number]
        total[2] = max(total[2], stats.max[number])
    found: dict[int, list[Holder]] = defaultdict(list)
    for (row, (name, site)), (count, ns, max_ns) in sums.items():
        found[row].append(Holder(name, site, count, ns, max_ns))
    for holders in found.values():
        holders.sort(key=lambda holder: (-holder.ns, holder.who, holder.site))
    return found


def _waiters(model: Model, waiting: Column) -> dict[int, list[Waiter]]:
    """By row the waiters for its locks, threads by name and tasks by coroutine."""
    table, engine, threads = model.states, model.trace.engine, len(model.threads)
    of_task = keys(
        model, lambda state: _kind(state) == TASK_WAIT, table.who, model.owners.task_group
    )
    of_thread = keys(
        model,
        lambda state: _kind(state) in (LOCK_WAIT, IDLE_WAIT),
        table.who,
        numbers(range(threads)),
    )
    found: dict[int, list[Waiter]] = defaultdict(list)
    for who, is_task in ((of_thread, False), (of_task, True)):
        of_row = engine.pairs(who, waiting)
        pairs = engine.pairs(of_row.number, table.site)
        stats = engine.grouped_stats(
            table.start_ns, table.end_ns, pairs.number, len(pairs.head)
        )
        for number, at in enumerate(pairs.head):
            name = model.coroutine(who[at])[0] if is_task else model.thread_names[who[at]]
            site = model.trace.text(table.site[at])
            sums = stats.count[number], stats.total[number], stats.max[number]
            found[waiting[at]].append(Waiter(name, site, *sums))
    for waiters in found.values():
        waiters.sort(key=lambda waiter: (-waiter.ns, waiter.who, waiter.site))
    return found


def _waited_for(
    model: Model, made: _Rows, held: list[bool], owners: list[tuple[str, str]]
) -> dict[int, list[Cause]]:
    """By row whom the waiting time was for; `held` says which locks have holds."""
    table, engine = model.states, model.trace.engine
    swept = numbers(row if has else -1 for row, has in zip(made.of_lock, held, strict=True))
    others = numbers(-1 if has else row for row, has in zip(made.of_lock, held, strict=True))
    charges = Ledger.of(model).holds.charge(
        Waits(
            table.start_ns,
            table.end_ns,
            keys(model, _is_wait, table.row, numbers(range(len(held)))),
            keys(model, _is_wait, table.row, swept),
            len(made.members),
        )
    )
    sums: dict[tuple[int, str, str, str], int] = defaultdict(int)
    rest = (("nobody", "free", ""), ("unknown", "unknown", ""), ("others", "others", ""))
    named = [(name, "owner", site) for name, site in owners]
    causes = [*named, *rest]
    for row, owner, ns in zip(charges.key, charges.who, charges.total, strict=True):
        sums[row, *causes[owner]] += ns
    told = keys(model, _is_wait, table.row, others)
    pairs = engine.pairs(told, table.owner)
    stats = engine.grouped_stats(table.start_ns, table.end_ns, pairs.number, len(pairs.head))
    for number, at in enumerate(pairs.head):
        owner = table.owner[at]
        sums[told[at], *(named[owner] if owner >= 0 else rest[1])] += stats.total[number]
    found: dict[int, list[Cause]] = defaultdict(list)
    for (row, name, kind, site), ns in sums.items():
        if ns:
            found[row].append(Cause(name, kind, site, ns))
    for parts_ in found.values():
        parts_.sort(key=lambda cause: (-cause.ns, cause.kind, cause.who, cause.site))
    return found


def _woken_by(model: Model, waiting: Column) -> dict[int, list[tuple[str, int]]]:
    """By row the threads whose releases ended its waits, the most frequent first."""
    table, engine = model.states, model.trace.engine
    pairs = engine.pairs(waiting, table.waker)
    stats = engine.grouped_stats(table.start_ns, table.end_ns, pairs.number, len(pairs.head))
    found: dict[int, list[tuple[str, int]]] = defaultdict(list)
    for number, at in enumerate(pairs.head):
        if table.waker[at] >= 0:
            name = model.thread_names[table.waker[at]]
            found[waiting[at]].append((name, stats.count[number]))
    for wakers in found.values():
        wakers.sort(key=lambda waker: (-waker[1], waker[0]))
    return found
