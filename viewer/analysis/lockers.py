"""Who held locks and waited for them, for whom, and who ended waits: parts of a lock's row."""

from array import array
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from operator import attrgetter
from typing import overload

from viewer.analysis.ledger.ledger import Ledger
from viewer.analysis.ledger.resource import Waits
from viewer.analysis.states import keys, numbers
from viewer.trace.columns import (
    HOLD,
    IDLE_WAIT,
    LOCK_WAIT,
    STATE_MASK,
    TASK_WAIT,
    Column,
    Pairs,
)
from viewer.trace.model import Model
from viewer.trace.reader import Trace

_FEW = 1_000  # owners that are named one by one
WAITS = (LOCK_WAIT, IDLE_WAIT, TASK_WAIT)


@dataclass(slots=True)  # a frozen one takes longer, and there may be one of each thread
class Holder:
    """Who held the lock, acquired where; `ns` is the total, `max_ns` the longest hold."""

    who: str
    site: str
    count: int
    ns: int
    max_ns: int


@dataclass(slots=True)  # a frozen one takes longer, and there may be one of each thread
class Waiter:
    """Who waited where; a task is named by its coroutine."""

    who: str
    site: str
    count: int
    ns: int
    max_ns: int


class Waiters(Sequence[Waiter]):
    """Who waited, the longest total first, of as long ones who waited first. They are columns
    until somebody looks: there may be one for each line of a program."""

    def __init__(
        self, trace: Trace, called: Callable[[int], str], rows: Column, *columns: Column
    ) -> None:
        """These rows of the columns `who`, `site`, `count`, `ns`, `max_ns`; `called` has the
        names by `who`."""
        take, ranked = trace.engine.take, trace.engine.ranked
        self._trace, self._called, self._every = trace, called, rows
        ordered = ranked(rows, columns[3], 1)
        self._columns = [take(column, ordered, -1) for column in columns]

    def __len__(self) -> int:
        return len(self._every)

    @overload
    def __getitem__(self, at: int) -> Waiter: ...
    @overload
    def __getitem__(self, at: slice) -> list[Waiter]: ...
    def __getitem__(self, at: int | slice) -> Waiter | list[Waiter]:
        if isinstance(at, int):
            return self[at : at + 1 or None][0]
        who, site, *stats = (column[at] for column in self._columns)
        names, sites = map(self._called, who), map(self._trace.text, site)
        return [*map(Waiter, names, sites, *stats)]

    def __iter__(self) -> Iterator[Waiter]:
        return iter(self[:])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and self[:] == [*other]

    __hash__ = None  # type: ignore[assignment]

    def names(self) -> dict[int, str]:
        """By `who` the names."""
        return {who: self._called(who) for who in {*self._columns[0]}}

    def folded(self, called: Callable[[str], str]) -> "Waiters":
        """The same; those who are called alike are one."""
        engine, (who, site, count, ns, max_ns) = self._trace.engine, self._columns
        names = {one: called(name) for one, name in self.names().items()}
        shared = {name: n for n, name in enumerate(dict.fromkeys(names.values()))}
        of = {one: shared[name] for one, name in names.items()}
        number = numbers(map(of.__getitem__, who))
        pairs = engine.pairs(number, site)
        nothing, rows = memoryview(bytes(8 * len(who))), len(pairs.head)
        stats = [
            engine.grouped_stats(nothing.cast("q"), column, pairs.number, rows)
            for column in (count, ns, max_ns)
        ]
        return Waiters(
            self._trace,
            [*shared].__getitem__,
            engine.upto(0, rows),
            *(engine.take(column, pairs.head, -1) for column in (number, site)),
            *(stats[0].total, stats[1].total, stats[2].max),
        )


@dataclass(slots=True)  # a frozen one takes longer, and there may be one of each thread
class Cause:
    """A part of the waiting time. Kinds: owner, free (released, not yet acquired), unknown,
    others (holders that are not distinguished).
    """

    who: str
    kind: str
    site: str
    ns: int


def kind_of(state: int) -> int:
    return state & STATE_MASK


def is_wait(state: int) -> bool:
    return kind_of(state) in WAITS


def is_hold(state: int) -> bool:
    return kind_of(state) == HOLD


def of_locks(model: Model, some: Column, rows: int) -> Model:
    """The model with the waits and holds of some locks alone; `some` is by lock one of so many
    rows, or -1."""
    table, engine = model.states, model.trace.engine
    any_use = keys(model, lambda state: is_wait(state) or is_hold(state), table.row, some)
    every, wanted = engine.upto(0, len(any_use)), memoryview(b"\1" * rows)
    return replace(model, states=table.only(engine.take, engine.pick(every, any_use, wanted)))


class Owners(dict[int, tuple[str, str]]):
    """Who held locks, by number: name and site; a task is named by its coroutine. There may be
    one for each lock: each is named when somebody asks."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self._model = model

    def __missing__(self, owner: int) -> tuple[str, str]:
        found = self[owner] = self._of(owner)
        return found

    @cached_property
    def have_other_names(self) -> bool:
        """Whether any has another name than the trace gives it."""
        table, unnamed = self._model.states, {-1, self._model.trace.symbol("")}
        return not unnamed.isdisjoint(table.owner_name) or 1 in bytes(table.owner_is_task)

    def named(self, owners: Column) -> tuple[Iterable[str], Iterable[str]]:
        """The names and the sites of many."""
        if self.have_other_names:
            found = [self[owner] for owner in owners]
            return (who for who, _ in found), (site for _, site in found)
        table, take, text = (
            self._model.states,
            self._model.trace.engine.take,
            self._model.trace.text,
        )
        columns = (table.owner_name, table.owner_site)
        names, sites = (map(text, take(column, owners, -1)) for column in columns)
        return names, sites

    def site(self, owner: int) -> str:
        return self._model.trace.text(self._model.states.owner_site[owner])

    def _of(self, owner: int) -> tuple[str, str]:
        table, text = self._model.states, self._model.trace.text
        who, is_task = text(table.owner_name[owner]), table.owner_is_task[owner]
        if who and not is_task:  # as mostly
            return who, text(table.owner_site[owner])
        key = table.owner_process[owner], table.owner_id[owner]
        if is_task and key in self._tasks:
            group = self._model.owners.task_group[self._tasks[key]]
            who = self._model.coroutines()[group][0]
        elif not who:
            who = f"task {key[1]}" if is_task else self._names.get(key, f"thread {key[1]}")
        return who, text(table.owner_site[owner])

    @cached_property
    def _tasks(self) -> dict[tuple[int, int], int]:
        owned = self._model.owners
        own = zip(owned.task_process, owned.task_id, strict=True)
        return {key: task for task, key in enumerate(own)}

    @cached_property
    def _names(self) -> dict[tuple[int, int], str]:
        """By process and tid the threads that have a name."""
        model, threads = self._model, self._model.threads
        own = zip(model.thread_process, threads.tids, threads.names, strict=True)
        return {(process, tid): name for process, tid, name in own if name}


def holders_by_row(model: Model, holding: Column, owners: Owners) -> dict[int, list[Holder]]:
    """By row the holders of its locks."""
    table, pairs = model.states, _held_by(model, holding, owners)
    stats = model.trace.engine.grouped_stats(
        table.start_ns, table.end_ns, pairs.number, len(pairs.head)
    )
    found: dict[int, list[Holder]] = defaultdict(list)
    take = model.trace.engine.take
    names, sites = owners.named(take(table.owner, pairs.head, -1))
    every = map(Holder, names, sites, stats.count, stats.total, stats.max)
    for row, holder in zip(take(holding, pairs.head, -1), every, strict=True):
        found[row].append(holder)
    for holders in found.values():
        _sort(holders)
    return found


def _sort(parts: list[Holder]) -> None:
    """The longest total first; of as long ones by name, then site. A sort by each compares
    texts or integers alone, which is quicker than tuples of them."""
    parts.sort(key=attrgetter("site"))
    parts.sort(key=attrgetter("who"))
    parts.sort(key=attrgetter("ns"), reverse=True)


def _held_by(model: Model, holding: Column, owners: Owners) -> Pairs:
    """The holds by their row and the name and site of their owner."""
    table, engine = model.states, model.trace.engine
    heads = engine.pairs(holding, table.owner).head
    are_many = len(heads) > _FEW  # then a string for each text is worth the columns of all
    if are_many and model.trace.events.is_plain and not owners.have_other_names:
        alike = engine.pairs(table.owner_name, table.owner_site).number
    else:
        number, named = dict[tuple[str, str], int](), array("i", [-1]) * len(table.owner_id)
        for owner in dict.fromkeys(map(table.owner.__getitem__, heads)):
            if owner >= 0:
                named[owner] = number.setdefault(owners[owner], len(number))
        alike = memoryview(named)
    return engine.pairs(holding, keys(model, is_hold, table.owner, alike))


def waiters_by_row(model: Model, waiting: Column, rows: int) -> Callable[[int], Waiters]:
    """By row, of so many, who waited for its locks: threads by name, tasks by coroutine."""
    table, engine, threads = model.states, model.trace.engine, len(model.threads)
    of_thread = keys(
        model,
        lambda state: kind_of(state) in (LOCK_WAIT, IDLE_WAIT),
        table.who,
        engine.upto(0, threads),
    )
    groups = len(model.owners.group_head)  # their numbers follow those of threads
    behind = engine.take(engine.upto(threads, threads + groups), model.owners.task_group, -1)
    of_task = keys(model, lambda state: kind_of(state) == TASK_WAIT, table.who, behind)
    whos = engine.either(of_thread, of_task, -1)
    of_row = engine.pairs(engine.pairs(whos, waiting).number, table.site)
    heads = of_row.head
    stats = engine.grouped_stats(table.start_ns, table.end_ns, of_row.number, len(heads))
    row, *columns = (engine.take(column, heads, -1) for column in (waiting, whos, table.site))
    none = memoryview(bytes(len(heads)))
    lanes = engine.lanes(stats.count, stats.count, none, row, rows)
    coroutines = cache(model.coroutines)

    def called(who: int) -> str:
        return model.thread_names[who] if who < threads else coroutines()[who - threads][0]

    return lambda row: Waiters(
        model.trace, called, lanes.of(row), *columns, stats.count, stats.total, stats.max
    )


def causes_by_row(
    model: Model, ledger: Ledger, swept: Column, others: Column, rows: int, owners: Owners
) -> dict[int, list[Cause]]:
    """By row whom the waiting time was for; the ledger is that of all locks.

    `swept` has by lock the row, if it has holds, `others` if not; else -1.
    """
    table, engine = model.states, model.trace.engine
    charges = ledger.holds.charge(
        Waits(
            table.start_ns,
            table.end_ns,
            keys(model, is_wait, table.row, numbers(range(len(swept)))),
            keys(model, is_wait, table.row, swept),
            rows,
        )
    )
    sums: dict[tuple[int, str, str, str], int] = defaultdict(int)
    rest = (("nobody", "free", ""), ("unknown", "unknown", ""), ("others", "others", ""))
    known = len(table.owner_id)

    def cause(owner: int) -> tuple[str, str, str]:
        if owner >= known:
            return rest[owner - known]
        return owners[owner][0], "owner", owners[owner][1]

    for row, owner, ns in zip(charges.key, charges.who, charges.total, strict=True):
        sums[row, *cause(owner)] += ns
    told = keys(model, is_wait, table.row, others)
    pairs = engine.pairs(told, table.owner)
    stats = engine.grouped_stats(table.start_ns, table.end_ns, pairs.number, len(pairs.head))
    for number, at in enumerate(pairs.head):
        owner = table.owner[at]
        sums[told[at], *(cause(owner) if owner >= 0 else rest[1])] += stats.total[number]
    found: dict[int, list[Cause]] = defaultdict(list)
    for (row, name, kind, site), ns in sums.items():
        if ns:
            found[row].append(Cause(name, kind, site, ns))
    for parts_ in found.values():
        parts_.sort(key=lambda cause: (-cause.ns, cause.kind, cause.who, cause.site))
    return found


def wakers_by_row(model: Model, waiting: Column) -> dict[int, list[tuple[str, int]]]:
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
