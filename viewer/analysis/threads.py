"""Threads: what each did, and who held the GIL while it waited."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property, partial
from itertools import compress
from operator import add
from typing import NamedTuple, Self

from tracer import schema as s
from viewer.analysis.counters import counted
from viewer.analysis.ledger.ledger import Ledger
from viewer.analysis.ledger.resource import Waits
from viewer.analysis.ledger.rows import longs
from viewer.analysis.rows import Rows, in_order
from viewer.analysis.spread import Spread, spread_at
from viewer.analysis.states import keys, marks, numbers
from viewer.trace.columns import (
    GIL_WAIT,
    HOLD,
    HOLDING,
    HOLDING_MODES,
    IDLE_WAIT,
    IO,
    LOCK_WAIT,
    NATIVE,
    OFF_CPU,
    PREEMPTED,
    SLEEP,
    STATE_MASK,
    TASK_WAIT,
    THREAD_RUNNING,
    Column,
    Lanes,
    Stats,
)
from viewer.trace.model import Model

STATES = (
    s.RUNNING,
    s.GIL_WAIT,
    "lock",
    "io",
    s.SLEEP,
    s.NATIVE,
    s.PREEMPTED,
    s.OFF_CPU,
)
STATE_NAMES = {
    THREAD_RUNNING: s.RUNNING,
    GIL_WAIT: s.GIL_WAIT,
    LOCK_WAIT: "lock",
    IDLE_WAIT: "lock",
    IO: "io",
    SLEEP: s.SLEEP,
    NATIVE: s.NATIVE,
    PREEMPTED: s.PREEMPTED,
    OFF_CPU: s.OFF_CPU,
}
_MODES = (s.RUNNING, s.PREEMPTED, s.OFF_CPU, "io")  # in the order of HOLDING_MODES
# What is summed by thread: the state, whether nobody held what it waited for, and how it held
# the GIL without running Python.
IDLE = "idle"
_KINDS = (
    (s.RUNNING, ""),
    (s.GIL_WAIT, ""),
    ("lock", ""),
    ("lock", IDLE),
    ("io", ""),
    ("io", "io"),
    (s.SLEEP, ""),
    (s.NATIVE, ""),
    (s.PREEMPTED, ""),
    (s.PREEMPTED, s.PREEMPTED),
    (s.OFF_CPU, ""),
    (s.OFF_CPU, s.OFF_CPU),
)


class Holder(NamedTuple):
    """A thread that held the GIL, and how long in each state."""

    tid: int
    name: str
    ns: int
    states: dict[str, int]


class Held(NamedTuple):
    """Who held the GIL during waits; the parts add up to the waits.

    `free_ns`: nobody held it and the thread had not been scheduled yet. `unknown_ns`: before
    any holder was seen, or while events were dropped. `others_ns`: threads that are not
    distinguished.
    """

    holders: tuple[Holder, ...]  # most first
    free_ns: int
    unknown_ns: int
    others_ns: int = 0


_NOBODY = Held((), 0, 0)


@dataclass(frozen=True, slots=True)
class GilWait:
    """The longest wait of a thread for the GIL; who held it is worked out when asked."""

    start_ns: int
    ns: int
    find_held: Callable[[], Held] = field(compare=False, repr=False)

    @property
    def held(self) -> Held:
        return self.find_held()


class ThreadRow(NamedTuple):
    """`wall_ns` is from the thread's first state to its last; gaps between states are unknown.

    `idle_ns` is the part of the state lock in which nobody held what the thread waited for:
    conditions, queues, futures. `holding` is the time it held the GIL without running Python,
    by state. CPU time and run delay are None where the kernel did not report them.
    """

    pid: int
    tid: int
    name: str
    wall_ns: int
    states: dict[str, int]
    unknown_ns: int
    idle_ns: int
    holding: dict[str, int]
    gil_waits: Spread
    held: Held
    worst: GilWait | None
    cpu_ns: int | None
    run_delay_ns: int | None
    threads: int = 1  # more in a row of threads that differ only in a number
    process: int = -1

    @property
    def gil_wait_ns(self) -> int:
        return self.states[s.GIL_WAIT]

    @property
    def contended_ns(self) -> int:
        """The time it waited for what another thread held, or for a CPU."""
        lock_ns = self.states["lock"] - self.idle_ns
        return self.gil_wait_ns + lock_ns + self.states[s.PREEMPTED]


class Measures(dict[str, Sequence[int]]):
    """By name a number of each thread, or process; those of states are made when somebody
    asks."""

    def __init__(self, spent: Column, more: dict[str, Sequence[int]]) -> None:
        super().__init__(more)
        self.spent = spent

    @classmethod
    def of_processes(cls, model: Model) -> Self:
        """What the threads of each process spent together."""
        of_thread, count = model.thread_process, len(model.trace.processes)
        return model.derive(cls, lambda: cls(spent_by(model, of_thread, count), {}))

    def __missing__(self, name: str) -> Sequence[int]:
        found: list[int] | None = None
        for kind in _kinds_of(name):
            column = self.spent[kind :: len(_KINDS)].tolist()
            found = column if found is None else [*map(add, found, column)]
        if found is None:
            raise KeyError(name)
        self[name] = found
        return found


def thread_rows(model: Model) -> Rows[ThreadRow]:
    """One row per thread that has states; the one that waited longest for others first.

    Its number is the thread's. Measures: each of STATES, `idle`, `wall_ns`, `contended_ns`,
    and of the waits for the GIL `gil_waits` (how many), `gil_ns` and `gil_max` (the longest).
    """
    engine, table, threads = model.trace.engine, model.states, len(model.threads)
    if not any(table.last_ns):
        return Rows()
    everyone = numbers(range(threads))
    spent = spent_by(model, everyone, threads)
    waiting = keys(model, _waits_for_gil, table.who, everyone)
    waits = engine.grouped_stats(table.start_ns, table.end_ns, waiting, threads)
    walls = engine.between(table.first_ns, table.last_ns)
    wall = walls.tolist()
    measures = Measures(
        spent,
        {
            "wall_ns": wall,
            "gil_waits": waits.count,
            "gil_ns": waits.total,
            "gil_max": waits.max,
        },
    )
    for_others = keys(model, _is_contended, table.who, everyone)
    every_state = memoryview(bytes(len(for_others)))
    contended = engine.tally(
        table.start_ns, table.end_ns, for_others, every_state, threads, 1
    ).total
    measures["contended_ns"] = contended.tolist()
    holders = Holders.of(model)
    of_longest = Holders.during(model, _longest(model, waits))

    counters = cache(lambda: counted(model))

    def worst(thread: int) -> GilWait | None:
        row = waits.longest[thread]
        if row < 0:
            return None
        start = table.start_ns[row]
        return GilWait(start, table.end_ns[row] - start, partial(of_longest.held, thread))

    def make(wanted: Iterable[int]) -> Iterator[ThreadRow]:
        for i in wanted:
            track = model.threads[i]
            states, holding = spent_at(spent, i)
            yield ThreadRow(
                model.pid(model.thread_process[i]),
                track.tid,
                model.thread_names[i],
                wall[i],
                states,
                wall[i] - sum(states.values()),
                measures[IDLE][i],
                holding,
                spread_at(waits, i),
                holders.held(i) if waits.count[i] else _NOBODY,
                worst(i),
                counters().get((track.uuid, s.COUNTER_CPU)),
                counters().get((track.uuid, s.COUNTER_RUN_DELAY)),
                process=model.thread_process[i],
            )

    pids = longs(model.trace.processes.pid)
    order = in_order(
        compress(range(threads), table.last_ns.tolist()),
        (contended, True),
        (walls, True),
        (engine.take(pids, model.thread_process, 0), False),
        (model.threads.tid_of, False),
    )
    return Rows(order, make, measures)


def spent_by(model: Model, key_of: Column, keys_: int) -> Column:
    """The time that threads spent, by `key_of` each of them and then as in `_KINDS`."""
    table, kinds = model.states, marks(model, _kind)
    key = keys(model, _is_own, table.who, key_of)
    tally = model.trace.engine.tally
    return tally(table.start_ns, table.end_ns, key, kinds, keys_, len(_KINDS)).total


def _kinds_of(measure: str) -> list[int]:
    """The kinds that a measure sums."""
    return [kind for kind, said in enumerate(_KINDS) if measure in said]


def spent_on(spent: Column, key: int, measure: str) -> int:
    """What the threads of a key have of a measure together."""
    return sum(spent[key * len(_KINDS) + kind] for kind in _kinds_of(measure))


def spent_at(spent: Column, key: int) -> tuple[dict[str, int], dict[str, int]]:
    """What the threads of a key did by state, and how they held the GIL meanwhile."""
    states, holding = dict.fromkeys(STATES, 0), dict.fromkeys(_MODES[1:], 0)
    of_kind = spent[key * len(_KINDS) : (key + 1) * len(_KINDS)].tolist()
    for (name, how), ns in zip(_KINDS, of_kind, strict=True):
        states[name] += ns
        if how in holding:
            holding[how] += ns
    return states, holding


def _kind(state: int) -> int:
    """The number of a state among `_KINDS`."""
    name = STATE_NAMES.get(state & STATE_MASK, s.RUNNING)
    how = IDLE if state & STATE_MASK == IDLE_WAIT else name if state & HOLDING else ""
    return _KINDS.index((name, how if (name, how) in _KINDS else ""))


def _is_own(state: int) -> bool:
    # 0: a row outside the range, of any owner
    return state & STATE_MASK not in (0, TASK_WAIT, HOLD)


def _is_contended(state: int) -> bool:
    """Whether it waits for what another thread has, or for a CPU."""
    return state & STATE_MASK in (GIL_WAIT, LOCK_WAIT, PREEMPTED)


def _waiters_for_gil(model: Model) -> Column:
    """By row of States whose wait for the GIL it is; -1 nobody's."""
    everyone = numbers(range(len(model.threads)))
    return keys(model, _waits_for_gil, model.states.who, everyone)


def _waits_for_gil(state: int) -> bool:
    return state & STATE_MASK == GIL_WAIT


class Holders:
    """By key of waiters, who held the GIL of the process during their waits; worked out for
    all when one is asked for."""

    def __init__(
        self, model: Model, find: Callable[[], tuple[Column, Column, Column]], keys: int
    ) -> None:
        """`find` returns, by row, a key, an occupant of the GIL, and how long it had it."""
        self.model, self.gil = model, Ledger.of(model).gil
        self.find, self.keys = cache(find), keys

    @classmethod
    def of(cls, model: Model) -> "Holders":
        """By thread, during all its waits."""
        return model.derive(cls, lambda: cls.during(model, _waiters_for_gil(model)))

    @classmethod
    def during(cls, model: Model, waiting: Column) -> "Holders":
        """By thread; `waiting` says by row of States whose wait counts, -1 nobody's."""
        table, threads = model.states, len(model.threads)

        def find() -> tuple[Column, Column, Column]:
            lane = keys(model, _waits_for_gil, table.who, model.thread_process)
            waits = Waits(table.start_ns, table.end_ns, lane, waiting, threads)
            found = Ledger.of(model).gil.charge(waits)
            return found.key, found.who, found.total

        return cls(model, find, threads)

    def grouped(self, group_of: Column, groups: int) -> "Holders":
        """The same, by group of keys."""

        def find() -> tuple[Column, Column, Column]:
            engine, (key, who, total) = self.model.trace.engine, self.find()
            group = engine.group_keys(memoryview(b"\1" * len(key)), key, group_of, 1)
            pairs, none = engine.pairs(group, who), memoryview(bytes(len(key)))
            start = memoryview(bytes(8 * len(key))).cast("q")
            sums = engine.tally(start, total, pairs.number, none, len(pairs.head), 1).total
            heads = pairs.head
            return numbers(group[i] for i in heads), numbers(who[i] for i in heads), sums

        return Holders(self.model, find, groups)

    @cached_property
    def _lanes(self) -> Lanes:
        """Where the rows of each key are."""
        key, _, total = self.find()
        mark = memoryview(bytes(len(key)))
        return self.model.trace.engine.lanes(total, total, mark, key, self.keys)

    def held(self, waiter: int) -> Held:
        lanes, (_, who, total) = self._lanes, self.find()
        model, gil = self.model, self.gil
        others = {gil.nobody: 0, gil.unknown: 0, gil.others: 0}
        of_thread: dict[int, dict[str, int]] = {}
        known = gil.whos
        for at in lanes.row[lanes.offset[waiter] : lanes.offset[waiter + 1]]:
            holder, ns = who[at], total[at]
            if holder < known:
                of_thread.setdefault(holder // HOLDING_MODES, {})[
                    _MODES[holder % HOLDING_MODES]
                ] = ns
            else:
                others[holder] = ns
        tids, names = model.threads.tids, model.thread_names
        holders = [
            Holder(tids[i], names[i], next(iter(modes.values())), modes)
            if len(modes) == 1
            else Holder(
                tids[i],
                names[i],
                sum(modes.values()),
                {mode: modes[mode] for mode in _MODES if mode in modes},
            )
            for i, modes in of_thread.items()
        ]
        holders.sort(key=lambda holder: (-holder.ns, holder.tid))
        return Held(
            tuple(holders), others[gil.nobody], others[gil.unknown], others[gil.others]
        )


def _longest(model: Model, waits: Stats) -> Column:
    """By row of States the thread whose longest wait for the GIL it is, else -1."""
    key = memoryview(bytearray(b"\xff" * (4 * len(model.states.who)))).cast("i")
    for thread, row in enumerate(waits.longest):
        if row >= 0:
            key[row] = thread
    return key
