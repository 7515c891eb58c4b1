"""The ledger of a model: its resources, each made on its first use and then kept."""

from collections.abc import Container, Iterable, Sequence
from functools import cached_property, reduce
from typing import NamedTuple

from viewer.analysis.ledger.index import Index
from viewer.analysis.ledger.resource import Losses, Resource, Waits, Windows
from viewer.analysis.ledger.rows import (
    COLLECTIONS,
    Rows,
    Runs,
    has_gil,
    is_hold,
    is_own,
    is_wait,
    joined,
    longs,
    nowhere,
)
from viewer.analysis.states import every, keys, marks, numbers
from viewer.trace.columns import (
    HOLDING,
    HOLDING_MODES,
    LOOP_CALLBACK,
    LOOP_TASK,
    READY,
    RUNNING,
    SELECT,
    STATE_MASK,
    Carved,
    Column,
    Met,
    Pairs,
)
from viewer.trace.model import Model


class _Extras(NamedTuple):
    """Occupants of lanes that are no rows, in any order."""

    start_ns: Column  # q
    end_ns: Column  # q
    lane: Column  # i
    who: Column  # i

    def and_also(self, others: "_Extras") -> "_Extras":
        return _Extras(*map(joined, self, others)) if len(others.lane) else self


class Interval(NamedTuple):
    """A time on a loop."""

    loop: int
    start_ns: int
    end_ns: int


_NO_EXTRAS = _Extras(longs(()), longs(()), nowhere(0), nowhere(0))


class Ledger(Index):
    """Who occupied the loops, the GIL, the locks; what threads and tasks did."""

    @classmethod
    def of(cls, model: Model) -> "Ledger":
        """The model's one ledger."""
        return model.derive(cls, lambda: cls(model))

    # Loops --------------------------------------------------------------------------------

    def _on_loops(self, kinds: Iterable[int], key_of_loop: Iterable[int]) -> Column:
        """By slice its loop's key, if it is of such a kind, else -1."""
        wanted = frozenset(kinds)
        table = bytes(int(kind in wanted) for kind in range(256))
        mark = memoryview(bytes(self.model.owners.kind).translate(table))
        engine = self.model.trace.engine
        return engine.group_keys(mark, self.model.lane, numbers(key_of_loop), 1)

    @cached_property
    def loops(self) -> Resource:
        """What loops ran: groups of tasks, then callbacks, then `select`, then collections."""
        return self._loops(with_collections=True)

    @cached_property
    def loops_without_gc(self) -> Resource:
        """The same, with collections as part of what they interrupt."""
        return self._loops(with_collections=False)

    @property
    def first_collection(self) -> int:
        """The number of the first kind of collection among the occupants of loops."""
        return len(self.model.owners.group_head) + len(self.model.owners.call_head) + 1

    @cached_property
    def _on_loop(self) -> Column:
        loops = self.loops
        known = numbers([0] * loops.unknown + [-2])
        return self.model.trace.engine.take(known, loops.who, 0)

    def on_any_loop(self, lane: int, windows: Windows) -> Carved:
        """The windows by whether a loop of the lane ran; UNKNOWN when none did."""
        return self.loops.by_row(lane, windows, self._on_loop)

    def _loops(self, *, with_collections: bool) -> Resource:
        model, owned, engine = self.model, self.model.owners, self.model.trace.engine
        groups, calls = len(owned.group_head), len(owned.call_head)
        whos = self.first_collection + COLLECTIONS
        tasks = engine.group_keys(owned.kind, owned.owner, owned.task_group, LOOP_TASK)
        callbacks = engine.group_keys(
            owned.kind, owned.owner, numbers(range(groups, groups + calls)), LOOP_CALLBACK
        )
        who = engine.either(tasks, callbacks, groups + calls)
        kinds, slices = (LOOP_TASK, LOOP_CALLBACK, SELECT), model.trace.slices
        lane = self._on_loops(kinds, self.lane_of_loop)
        of_loop = [loop.process for loop in model.loops]
        extras = self._lost(slices.start_ns, slices.end_ns, lane, of_loop, whos + 1)
        if with_collections:
            lane_of, first = self.lane_of_thread, self.first_collection
            lanes = Runs.of(self.model).by_owner(
                self.model, lambda *owner: lane_of.get(self.thread(*owner), -1)
            )
            numbered = range(first, first + COLLECTIONS)
            extras = extras.and_also(self._collections(numbered, lanes, len(of_loop)))
        frame = self._on_loops(kinds, range(len(of_loop)))
        rows = Rows(slices.start_ns, slices.end_ns, lane, frame)
        return self._flat(rows, extras, len(of_loop), len(of_loop), who, whos)

    def _collections(self, number_of: range, lane: Column, lanes: int) -> _Extras:
        """The collections on these lanes (-1 none), with the numbers of their kinds."""
        runs, engine = self.model.collections, self.model.trace.engine
        take = engine.take
        rows = engine.pick(every(len(lane)), lane, memoryview(b"\1" * lanes))
        return _Extras(
            take(runs.start_ns, rows, 0),
            take(runs.end_ns, rows, 0),
            take(lane, rows, 0),
            take(numbers(number_of), take(Runs.of(self.model).kind, rows, 0), 0),
        )

    def waiting_for_loop(self, kind: int) -> Column:
        """By slice the lane of its loop, if it is of that kind, else -1."""
        return self._on_loops((kind,), self.lane_of_loop)

    def ready(self, key: Column, keys_: int) -> Waits:
        """Waits for loops; `key` gives by slice the key of the waiter, else -1."""
        slices = self.model.trace.slices
        lane = self._on_loops(range(256), self.lane_of_loop)
        return Waits(slices.start_ns, slices.end_ns, lane, key, keys_)

    def during(self, intervals: Sequence[Interval]) -> Met:
        """By interval of a loop, how long tasks were ready in it, and how many."""
        slices, lanes = self.model.trace.slices, self.lane_of_loop
        return self.model.trace.engine.meet(
            slices.start_ns,
            slices.end_ns,
            self.waiting_for_loop(READY),
            longs(one.start_ns for one in intervals),
            longs(one.end_ns for one in intervals),
            numbers(lanes[one.loop] for one in intervals),
            len(lanes),
        )

    # The GIL and locks --------------------------------------------------------------------

    @cached_property
    def gil(self) -> Resource:
        """Who held the GIL of a process: thread * HOLDING_MODES + mode."""
        lane = keys(self.model, has_gil, self.model.states.who, self.model.thread_process)
        processes = list(range(len(self.model.trace.processes)))
        whos = len(self.model.threads) * HOLDING_MODES
        return self._of_states(lane, processes, self.model.states.owner, whos)

    @cached_property
    def gil_by_thread(self) -> Resource:
        """The same, by thread."""
        gil, threads = self.gil, len(self.model.threads)
        lost = [threads + 1] * (len(gil.who) - len(self.model.states.who))
        return gil._replace(who=joined(self.model.states.who, lost), whos=threads)

    @cached_property
    def holds(self) -> Resource:
        """Who held a lock: an owner (a row of States' owners)."""
        table = self.model.states
        lane = keys(self.model, is_hold, table.row, numbers(range(len(table.lock_id))))
        return self._of_states(
            lane, table.lock_process.tolist(), table.owner, len(table.owner_id)
        )

    def _of_states(
        self, lane: Column, process_of_lane: list[int], who: Column, whos: int
    ) -> Resource:
        """Lanes of rows of States, each known from its first row to its last."""
        table, lanes = self.model.states, len(process_of_lane)
        extras = self._lost(table.start_ns, table.end_ns, lane, process_of_lane, whos + 1)
        rows = Rows(table.start_ns, table.end_ns, lane, lane)
        return self._flat(rows, extras, lanes, lanes, who, whos)

    # What threads and tasks did -----------------------------------------------------------

    @cached_property
    def states(self) -> Resource:
        """By thread its rows of States; where there is none, what it did is unknown."""
        table, threads = self.model.states, len(self.model.threads)
        lane = keys(self.model, is_own, table.who, numbers(range(threads)))
        rows = Rows(table.start_ns, table.end_ns, lane, nowhere(len(lane)))
        return self._flat(rows, _NO_EXTRAS, threads, 0, nowhere(0), 0)

    @cached_property
    def tasks(self) -> Resource:
        """By task its slices; before, between and after them, what it did is unknown."""
        slices, lane = self.model.trace.slices, self.task_of_slice
        rows = Rows(slices.start_ns, slices.end_ns, lane, nowhere(len(lane)))
        return self._flat(rows, _NO_EXTRAS, len(self.model.owners.task_id), 0, nowhere(0), 0)

    @cached_property
    def collecting(self) -> Resource:
        """By thread its collections, by kind."""
        threads = len(self.model.threads)
        of = Runs.of(self.model).by_owner(self.model, self.thread)
        found = self._collections(range(COLLECTIONS), of, threads)
        rows = Rows(longs(()), longs(()), nowhere(0), nowhere(0))
        return self._flat(rows, found, threads, 0, nowhere(0), COLLECTIONS)

    @cached_property
    def _doing(self) -> Pairs:
        """Rows of States numbered by their details: which call, whom a wait is for."""
        engine, events = self.model.trace.engine, self.model.trace.events
        table, slices = self.model.states, self.model.trace.slices
        kinds = marks(self.model, lambda state: state & (STATE_MASK | HOLDING))
        other = marks(self.model, lambda state: int(is_own(state) and not is_wait(state)))
        plain = engine.pairs(
            engine.group_keys(other, numbers(kinds), numbers(range(256)), 1), table.row
        )
        key = keys(self.model, is_wait, table.row, numbers(range(len(table.lock_id))))
        names = engine.gather(table.slice, slices.event, events.name)
        waits = engine.pairs(key, names)
        for column in (table.site, table.owner, table.waker):
            waits = engine.pairs(waits.number, column)
        shifted = numbers(range(len(plain.head), len(plain.head) + len(waits.head)))
        wait = marks(self.model, lambda state: int(is_wait(state)))
        number = engine.either(
            plain.number, engine.group_keys(wait, waits.number, shifted, 1), -1
        )
        return Pairs(number, joined(plain.head, waits.head))

    def did(self, thread: int, windows: Windows) -> Carved:
        """What a thread did; `row_that_did` gives a row of States for each key."""
        return self.states.by_row(thread, windows, self._doing.number)

    def row_that_did(self, key: int) -> int:
        """A row of States of such a state; -1 when it is unknown."""
        return self._doing.head[key] if key >= 0 else -1

    def rows_that_did(self, keys: Container[int]) -> Column:
        """The rows of States of these keys."""
        wanted = memoryview(bytes(key in keys for key in range(len(self._doing.head))))
        rows = every(len(self.model.states.state))
        return self.model.trace.engine.pick(rows, self._doing.number, wanted)

    @cached_property
    def _task_keys(self) -> Column:
        owned, engine = self.model.owners, self.model.trace.engine
        tasks, n = len(owned.task_id), len(owned.kind)
        ran = engine.group_keys(owned.kind, owned.owner, numbers([self.ran] * tasks), RUNNING)
        ready = engine.group_keys(
            owned.kind, owned.owner, numbers([self.was_ready] * tasks), READY
        )
        return engine.either(engine.either(ran, ready, -1), numbers(range(n)), -1)

    @property
    def ran(self) -> int:
        """The key of a task's steps; the key of an await is its slice."""
        return len(self.model.owners.kind)

    @property
    def was_ready(self) -> int:
        return len(self.model.owners.kind) + 1

    def of_task(self, task: int, windows: Windows) -> Carved:
        """What a task did: `ran`, `was_ready`, or the slice of an await."""
        return self.tasks.by_row(task, windows, self._task_keys)

    # How they are made --------------------------------------------------------------------

    @cached_property
    def _losses(self) -> Losses:
        return Losses.of(self.model)

    def _lost(
        self, start: Column, end: Column, lane: Column, process_of_lane: list[int], who: int
    ) -> _Extras:
        """The times whose events were dropped, on each lane that was in use then."""
        if not self._losses:
            return _NO_EXTRAS
        spans = self.model.trace.engine.spans(end, lane, len(process_of_lane))
        first_ns = self.model.trace.engine.take(start, spans.first, -1)
        found = [*self._losses.within_each(process_of_lane, first_ns, spans.end_ns)]
        return _Extras(
            longs(since for _, (since, _) in found),
            longs(until for _, (_, until) in found),
            numbers(k for k, _ in found),
            numbers([who] * len(found)),
        )

    def _flat(
        self,
        rows: Rows,
        extras: _Extras,
        lanes: int,
        frames: int,
        who: Column,
        whos: int,
    ) -> Resource:
        engine = self.model.trace.engine
        if len(extras.lane):
            by, count = (extras.end_ns, extras.start_ns), len(extras.lane)
            order = reduce(lambda rows, time: engine.ranked(rows, time, 0), by, every(count))
            extras = _Extras(*(engine.take(column, order, 0) for column in extras))
            who = joined(who, extras.who)
        timeline = engine.flatten(
            *rows, extras.start_ns, extras.end_ns, extras.lane, lanes, frames
        )
        return Resource(engine, timeline, who, whos)
