"""Threads: what each did, and who held the GIL while it waited."""

from collections import defaultdict
from dataclasses import dataclass

from tracer import schema as s
from viewer.analysis.ledger.ledger import Ledger
from viewer.analysis.ledger.resource import Waits
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
_KINDS = STATE_MASK + 1 + HOLDING  # a state with and without the GIL
_MODES = (s.RUNNING, s.PREEMPTED, s.OFF_CPU, "io")  # in the order of HOLDING_MODES


@dataclass(frozen=True, slots=True)
class Holder:
    """A thread that held the GIL, and how long in each state."""

    tid: int
    name: str
    ns: int
    states: dict[str, int]


@dataclass(frozen=True, slots=True)
class Held:
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
    """The longest single wait of a thread for the GIL."""

    start_ns: int
    ns: int
    held: Held


@dataclass(frozen=True, slots=True)
class ThreadRow:
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


def thread_rows(model: Model) -> tuple[ThreadRow, ...]:
    """One row per thread that has states; the one that waited longest for others first."""
    engine, table, threads = model.trace.engine, model.states, len(model.threads)
    if not any(table.last_ns):
        return ()
    everyone = numbers(range(threads))
    own = keys(model, _is_own, table.who, everyone)
    kinds = marks(model, lambda state: state & (STATE_MASK | HOLDING))
    spent = engine.tally(table.start_ns, table.end_ns, own, kinds, threads, _KINDS).total
    waiting = keys(model, _waits_for_gil, table.who, everyone)
    waits = engine.grouped_stats(table.start_ns, table.end_ns, waiting, threads)
    held = _held(model, waiting)
    worst = _worst(model, waits)
    counters = _counters(model)
    rows = []
    for i, track in enumerate(model.threads):
        if not table.last_ns[i]:
            continue
        states, holding = dict.fromkeys(STATES, 0), dict.fromkeys(_MODES[1:], 0)
        of_kind = spent[i * _KINDS : (i + 1) * _KINDS].tolist()
        for kind, ns in enumerate(of_kind):
            if not ns or kind & STATE_MASK not in STATE_NAMES:
                continue
            name = STATE_NAMES[kind & STATE_MASK]
            states[name] += ns
            if kind & HOLDING and name in holding:
                holding[name] += ns
        wall_ns = table.last_ns[i] - table.first_ns[i]
        rows.append(
            ThreadRow(
                model.pid(model.thread_process[i]),
                track.tid,
                model.thread_names[i],
                wall_ns,
                states,
                wall_ns - sum(states.values()),
                of_kind[IDLE_WAIT],
                holding,
                spread_at(waits, i),
                held.get(i, _NOBODY),
                worst.get(i),
                counters.get((track.uuid, s.COUNTER_CPU)),
                counters.get((track.uuid, s.COUNTER_RUN_DELAY)),
                process=model.thread_process[i],
            )
        )
    rows.sort(key=lambda row: (-row.contended_ns, -row.wall_ns, row.pid, row.tid))
    return tuple(rows)


def _is_own(state: int) -> bool:
    # 0: a row outside the range, of any owner
    return state & STATE_MASK not in (0, TASK_WAIT, HOLD)


def _waits_for_gil(state: int) -> bool:
    return state & STATE_MASK == GIL_WAIT


def _held(model: Model, waiting: Column) -> dict[int, Held]:
    """By key of `waiting`, who held the GIL of the process meanwhile."""
    gil, table = Ledger.of(model).gil, model.states
    lane = keys(model, _waits_for_gil, table.who, model.thread_process)
    charges = gil.charge(
        Waits(table.start_ns, table.end_ns, lane, waiting, len(model.threads))
    )
    parts: dict[int, dict[int, int]] = defaultdict(dict)
    for key, holder, ns in zip(charges.key, charges.who, charges.total, strict=True):
        parts[key][holder] = ns
    found = {}
    for key, by_holder in parts.items():
        of_thread: dict[int, dict[str, int]] = defaultdict(dict)
        for holder, ns in by_holder.items():
            if holder < gil.whos:
                thread, mode = divmod(holder, HOLDING_MODES)
                of_thread[thread][_MODES[mode]] = ns
        holders = [
            Holder(
                model.threads[i].tid,
                model.thread_names[i],
                sum(modes.values()),
                {mode: modes[mode] for mode in _MODES if mode in modes},
            )
            for i, modes in of_thread.items()
        ]
        holders.sort(key=lambda holder: (-holder.ns, holder.tid))
        found[key] = Held(
            tuple(holders),
            by_holder.get(gil.nobody, 0),
            by_holder.get(gil.unknown, 0),
            by_holder.get(gil.others, 0),
        )
    return found


def _worst(model: Model, waits: Stats) -> dict[int, GilWait]:
    table = model.states
    longest = {i: row for i, row in enumerate(waits.longest) if row >= 0}
    key = memoryview(bytearray(b"\xff" * (4 * len(table.who)))).cast("i")
    for thread, row in longest.items():
        key[row] = thread
    held = _held(model, key)
    return {
        i: GilWait(
            table.start_ns[row],
            table.end_ns[row] - table.start_ns[row],
            held.get(i, _NOBODY),
        )
        for i, row in longest.items()
    }


def _counters(model: Model) -> dict[tuple[int, str], int]:
    """By (uuid of the thread's track, counter): how much it grew during the recording."""
    events, tracks = model.trace.events, model.trace.tracks
    wanted = {}
    for number in tracks.named(s.COUNTER_CPU, s.COUNTER_RUN_DELAY):
        track = tracks[events.uuids[number]]
        wanted[number] = (track.parent_uuid, track.name)
    first: dict[int, int] = {}
    last: dict[int, int] = {}
    if wanted:
        for event, value in zip(events.counter_event, events.counter_value, strict=True):
            number = events.track[event]
            if number in wanted:
                first.setdefault(number, value)
                last[number] = value
    return {wanted[number]: last[number] - first[number] for number in last}
