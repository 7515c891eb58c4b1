"""Tasks by coroutine function: how long they were ready, ran and waited, behind whom."""

from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from enum import Enum
from functools import cache
from typing import NamedTuple

from tracer import schema as s
from viewer.analysis.ledger.ledger import Ledger
from viewer.analysis.rows import Rows
from viewer.analysis.spread import Spread, spread_at
from viewer.analysis.states import numbers
from viewer.analysis.steps import Steps
from viewer.trace.columns import (
    AWAIT,
    READY,
    RUNNING,
    WAKER_GROUP,
    WAKER_LOST,
    WAKER_SHIFT,
    WAKER_TEXT,
    WAKER_THREAD,
    Charges,
    Column,
    Lanes,
    Stats,
)
from viewer.trace.model import Model

_MOST_NAMES = 5


class By(Enum):
    CORO = "coro"
    TASK = "task"


class Delay(NamedTuple):
    """Time in which the loop ran `who`; task, callback, select, loop, gc, unknown, others."""

    who: str
    kind: str
    site: str
    ns: int


class Wait(NamedTuple):
    """The longest time that one task was ready before it ran."""

    task: int  # -1 unknown
    name: str
    start_ns: int
    ns: int
    delayed_by: tuple[Delay, ...]  # most first


class Await(NamedTuple):
    what: str
    count: int  # type: ignore[assignment]
    total_ns: int
    max_ns: int


class Waker(NamedTuple):
    """What made tasks ready: a coroutine, `timer`, `io`, `thread 4242`, `nobody` (a yield)."""

    who: str
    count: int  # type: ignore[assignment]


class TaskRow(NamedTuple):
    """A coroutine function, or one task of it (then `task` is its id, else -1)."""

    coro: str
    site: str
    task: int
    count: int  # type: ignore[assignment]
    names: tuple[str, ...]
    ready: Spread
    running: Spread
    awaiting: Spread
    awaits: tuple[Await, ...]
    wakers: tuple[Waker, ...]
    delayed_by: tuple[Delay, ...]  # most first; the sum is ready.total_ns
    worst: Wait | None

    @property
    def steps(self) -> int:
        return self.running.count


def task_rows(model: Model, by: By) -> Rows[TaskRow]:
    """One row per coroutine function (its name and site) or task; the longest wait first."""
    owned, slices, engine = model.owners, model.trace.slices, model.trace.engine
    tasks = len(owned.task_id)
    row_of = owned.task_group
    rows = len(owned.group_head)
    if by is By.TASK:
        row_of, rows = numbers(range(tasks)), tasks
    own_end_ns = Steps.of(model).own_end_ns
    ready, running, awaiting = (
        engine.grouped_stats(
            slices.start_ns,
            own_end_ns,
            engine.group_keys(owned.kind, owned.owner, row_of, kind),
            rows,
        )
        for kind in (READY, RUNNING, AWAIT)
    )

    @cache
    def tasks_of() -> Lanes:
        ids = owned.task_id
        return engine.lanes(ids, ids, memoryview(bytes(tasks)), row_of, rows)

    def make(wanted: Sequence[int]) -> Iterator[TaskRow]:
        some, members, lanes = array("i", [-1]) * tasks, dict[int, list[int]](), tasks_of()
        for row in wanted:
            of_row = lanes.row[lanes.offset[row] : lanes.offset[row + 1]]
            members[row] = of_row[:_MOST_NAMES].tolist()
            for task in of_row:
                some[task] = row
        readies, awaited = (
            engine.group_keys(owned.kind, owned.owner, memoryview(some), kind)
            for kind in (READY, AWAIT)
        )
        delays = _by_row(model, delays_of(model, readies, rows))
        worst = _worst_waits(model, ready, wanted)
        awaits = _awaits(model, awaited)
        wakers = _wakers(model, readies)
        for row in wanted:
            first = members[row][0]
            yield TaskRow(
                *model.coroutine(owned.task_group[first]),
                owned.task_id[first] if by is By.TASK else -1,
                lanes.offset[row + 1] - lanes.offset[row],
                tuple(map(model.task_name, members[row])),
                spread_at(ready, row),
                spread_at(running, row),
                spread_at(awaiting, row),
                tuple(awaits.get(row, ())),
                tuple(wakers.get(row, ())),
                tuple(delays.get(row, ())),
                worst.get(row),
            )

    named = model.coroutines()
    if by is By.TASK:
        named = [*map(named.__getitem__, owned.task_group)]
    place = [
        (-longest, -total, name)
        for longest, total, name in zip(ready.max, ready.total, named, strict=True)
    ]
    measures = {
        "ready_ns": ready.total,
        "ready_p99_ns": ready.p99,
        "running_ns": running.total,
        "turns": [*map(max, ready.count, awaiting.count)],
    }
    return Rows(sorted(range(rows), key=place.__getitem__), make, measures)


def delays_of(model: Model, key: Column, keys: int) -> Charges:
    """By key of its slices, how long each occupant of their loops delayed them."""
    ledger = Ledger.of(model)
    return ledger.loops.charge(ledger.ready(key, keys))


def ready_behind(model: Model, occupants: Iterable[int]) -> Sequence[int]:
    """By coroutine how long its tasks were ready while loops ran one of these occupants. None
    of them is among the others, as it may be in a row's `delayed_by`: that is never more."""
    owned, engine, ledger = model.owners, model.trace.engine, Ledger.of(model)
    groups, loops = len(owned.group_head), ledger.loops
    sums, is_one = [0] * groups, array("i", bytes(4 * (loops.others + 1)))
    for who in occupants:
        is_one[who] = 1
    if not any(is_one):
        return sums
    two = loops._replace(who=engine.take(memoryview(is_one), loops.who, 0), whos=2)
    key = engine.group_keys(owned.kind, owned.owner, owned.task_group, READY)
    found = two.charge(ledger.ready(key, groups))
    for group, who, ns in zip(found.key, found.who, found.total, strict=True):
        if who == 1:
            sums[group] += ns
    return sums


def callbacks(model: Model) -> list[int]:
    """The numbers of the occupants that are callbacks."""
    owned = model.owners
    first = len(owned.group_head)
    return [first + call for call, is_task in enumerate(owned.call_is_task) if not is_task]


def occupants_called(model: Model, name: str, site: str) -> list[int]:
    """The numbers of the occupants with a name and site: a coroutine, steps, callbacks."""
    what, first = (name, site), len(model.owners.group_head)
    calls = range(first, first + len(model.owners.call_head))
    return [
        *(group for group, named in enumerate(model.coroutines()) if named == what),
        *(call for call in calls if occupant(model, call)[::2] == what),
    ]


def occupant(model: Model, who: int) -> tuple[str, str, str]:
    """Name, kind and site of an occupant's number; see viewer.analysis.ledger.Ledger.loops."""
    owned, loops = model.owners, Ledger.of(model).loops
    groups, calls = len(owned.group_head), len(owned.call_head)
    if who < groups:
        name, site = model.coroutine(who)
        return name, "task", site
    if who < groups + calls:
        call = who - groups
        kind = "task" if owned.call_is_task[call] else "callback"
        name = model.trace.text(owned.call_name[call]) or "(unnamed)"
        return name, kind, model.trace.text(owned.call_site[call])
    if who == groups + calls:
        return "select", "select", ""
    rest = {
        loops.nobody: ("event loop", "loop"),
        loops.unknown: ("unknown", "unknown"),
        loops.others: ("others", "others"),
    }
    return *rest.get(who, ("GC", "gc")), ""


def _by_row(model: Model, delays: Charges) -> dict[int, list[Delay]]:
    sums: dict[tuple[int, tuple[str, str, str]], int] = defaultdict(int)
    known: dict[int, tuple[str, str, str]] = {}
    for key, who, ns in zip(delays.key, delays.who, delays.total, strict=True):
        if who not in known:
            known[who] = occupant(model, who)
        sums[key, known[who]] += ns
    rows: dict[int, list[Delay]] = defaultdict(list)
    for (key, told), ns in sums.items():
        rows[key].append(Delay(*told, ns))
    for row in rows.values():
        row.sort(key=lambda delay: (-delay.ns, delay.who, delay.kind, delay.site))
    return rows


def _worst_waits(model: Model, ready: Stats, wanted: Sequence[int]) -> dict[int, Wait]:
    owned, slices = model.owners, model.trace.slices
    longest = {row: ready.longest[row] for row in wanted if ready.longest[row] >= 0}
    key = array("i", b"\xff" * (4 * len(owned.kind)))
    for row, i in longest.items():
        key[i] = row
    delays = _by_row(model, delays_of(model, memoryview(key), len(ready.longest)))
    return {
        row: Wait(
            owned.task_id[owned.owner[i]],
            model.task_name(owned.owner[i]),
            slices.start_ns[i],
            slices.end_ns[i] - slices.start_ns[i],
            tuple(delays.get(row, ())),
        )
        for row, i in longest.items()
    }


def _awaits(model: Model, key: Column) -> dict[int, list[Await]]:
    """By row what its tasks awaited, the longest total first."""
    slices = model.trace.slices
    code = model.owners.code
    sums = model.trace.engine.keyed_sums(slices.start_ns, slices.end_ns, key, code)
    rows: dict[int, list[Await]] = defaultdict(list)
    columns = (sums.key, sums.code, sums.count, sums.total, sums.max)
    for row, name, count, total, most in zip(*columns, strict=True):
        what = model.trace.text(name).removeprefix(s.AWAIT_PREFIX)
        rows[row].append(Await(what, count, total, most))
    for awaits in rows.values():
        awaits.sort(key=lambda a: (-a.total_ns, a.what))
    return rows


def _wakers(model: Model, key: Column) -> dict[int, list[Waker]]:
    """By row what made its tasks ready, the most frequent first."""
    slices = model.trace.slices
    code = model.owners.code
    sums = model.trace.engine.keyed_sums(slices.start_ns, slices.end_ns, key, code)
    rows: dict[int, list[Waker]] = defaultdict(list)
    for row, waker, count in zip(sums.key, sums.code, sums.count, strict=True):
        rows[row].append(Waker(_waker_name(model, waker), count))
    for wakers in rows.values():
        wakers.sort(key=lambda w: (-w.count, w.who))
    return rows


def _waker_name(model: Model, code: int) -> str:
    kind, value = divmod(code, 1 << WAKER_SHIFT)
    if kind == WAKER_TEXT:
        return model.trace.text(value)
    if kind == WAKER_GROUP:
        return model.coroutine(value)[0]
    if kind == WAKER_THREAD:
        names = (t.thread_name for t in model.threads if t.tid == value and t.thread_name)
        return f"thread {next(names, value)}"
    return "unknown task" if kind == WAKER_LOST else "nobody"
