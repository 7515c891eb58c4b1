"""The critical path of a wait: what had to happen first, backwards in time."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence

from tracer import schema as s
from viewer.analysis.causes.labels import On
from viewer.analysis.causes.part import Kind
from viewer.analysis.causes.tree import Tree
from viewer.analysis.states import call_of
from viewer.analysis.why.across import Across
from viewer.analysis.why.slots import who_had
from viewer.analysis.why.step import At, Did, Follow, Step, root
from viewer.analysis.why.waits import AT_WORK, INSIDE
from viewer.trace.columns import (
    AWAIT,
    FAILED,
    GIL_WAIT,
    IDLE_WAIT,
    IO,
    LOCK_WAIT,
    LOOP_CALLBACK,
    LOOP_TASK,
    RUNNING,
    SLEEP,
    STATE_MASK,
)

_MOST_STEPS = 12
_LONG_NS = 1_000_000  # a shorter wait for the GIL counts as running; a callback's is not shown
_WAITS = (LOCK_WAIT, IDLE_WAIT)
_STOPS = (*_WAITS, IO, SLEEP)
_STEPS = (LOOP_TASK, LOOP_CALLBACK, RUNNING)  # of a task, by its loop's track or its own


_CALLS = {IO: Did.IO, SLEEP: Did.TIMER}  # what ends a call
_ROOTS = {
    Kind.TIMER: Did.TIMER,
    Kind.TIMEOUT: Did.TIMEOUT,
    Kind.CANCELLED: Did.CANCELLED,
}


def _position(rows: Sequence[int], starts: memoryview, until: int) -> int:
    """The position of the last of a lane's rows to begin before `until`; -1 none."""
    return bisect_left(rows, until, key=starts.__getitem__) - 1


def _before(rows: Sequence[int], starts: memoryview, until: int) -> int:
    at = _position(rows, starts, until)
    return rows[at] if at >= 0 else -1


class _Walk:
    def __init__(self, tree: Tree) -> None:
        self.tree, self.model = tree, tree.model
        self.across = Across(tree, self.doing)

    def steps(self, of_task: bool, row: int) -> Iterator[Step]:
        """From the wait backwards, without end or to a root."""
        follow = self.wait_of_task(row) if of_task else self.wait_of_thread(row)
        further = {
            "task": self.task,
            "thread": self.thread,
            "callback": self.callback,
            "process": self.across.process,
            "job": self.across.job,
            "idle": self.across.idle,
            "message": self.across.message,
        }
        while True:
            at = yield from follow
            if at is None:
                return
            kind, who, until = at
            follow = further[kind](who, until)

    # A task ----------------------------------------------------------------------------

    def task(self, task: int, until: int) -> Follow:
        """What the task did just before `until`."""
        slices, owned = self.model.trace.slices, self.model.owners
        name = self.tree.lanes.name_of_task(task)
        i = _before(self.tree.lanes.rows_of_task(task), slices.start_ns, until)
        if i < 0:
            yield root(Did.UNKNOWN, until)
            return None
        if owned.kind[i] != RUNNING:
            return (yield from self.wait_of_task(i, until))
        yield Step(Did.RAN, name, self.model.coroutine_of(task), "", slices.start_ns[i], until)
        before = _before(
            self.tree.lanes.rows_of_task(task), slices.start_ns, slices.start_ns[i]
        )
        if before < 0 or slices.end_ns[before] != slices.start_ns[i]:
            if before < 0:
                return (yield from self.creator(task, slices.start_ns[i]))
            yield root(Did.UNKNOWN, slices.start_ns[i])
            return None
        return (yield from self.wait_of_task(before))

    def wait_of_task(self, i: int, until: int | None = None) -> Follow:
        slices, owned = self.model.trace.slices, self.model.owners
        task, start = owned.owner[i], slices.start_ns[i]
        end = slices.end_ns[i] if until is None else until
        what = self.model.trace.text(self.model.trace.events.name[slices.event[i]])
        site = self.tree.lanes.site_of_await(i) if owned.kind[i] == AWAIT else ""
        yield Step(Did.WAITED, self.tree.lanes.name_of_task(task), what, site, start, end)
        if owned.kind[i] == AWAIT:
            waker, at = self.tree.labels.unended(task, i) or self.tree.ended_by(task, i), end
            ready = self.tree.lanes.after_await(task, i)
        else:
            waker, at, ready = self.tree.waker(task, i), start, i
            if waker == (Kind.UNKNOWN, "", "", False, None):
                return (yield from self.not_woken(task, i))
        receiver = self.tree.receiver(ready) if ready >= 0 else -1
        if receiver >= 0:
            return "task", owned.owner[receiver], slices.start_ns[receiver]
        by = self.source(ready) if ready >= 0 and until is None else None
        if by is not None and by[0] == "callback":
            return "callback", by[1], at
        if waker.on is not None:
            return *waker.on, at
        row = self.tree.lanes.task_waits.get(i, -1)
        missed = self.missed(i, row, start, at)
        if missed is not None:
            return (yield from self.meanwhile(*missed, at))
        before = _before(self.tree.lanes.rows_of_task(task), slices.start_ns, start)
        if ready == i and before >= 0 and slices.end_ns[before] == start:
            return (yield from self.wait_of_task(before))
        if waker.kind is Kind.IO:
            yield self.arrived(self.model.lane[i], at)
        else:
            yield root(_ROOTS.get(waker.kind, Did.UNKNOWN), at)
        return None

    def not_woken(self, task: int, ready: int) -> Follow:
        """A new task, or one that yielded."""
        slices = self.model.trace.slices
        start = slices.start_ns[ready]
        rows = self.tree.lanes.rows_of_task(task)
        before = _before(rows, slices.start_ns, start)
        if before < 0:
            return (yield from self.creator(task, start))
        if slices.end_ns[before] == start and self.model.owners.kind[before] == RUNNING:
            return "task", task, start
        yield root(Did.UNKNOWN, start)
        return None

    def creator(self, task: int, at: int) -> Follow:
        parent = self.tree.ledger.parent_of(task)
        if parent < 0:
            yield root(Did.UNKNOWN, at)
            return None
        name = self.tree.lanes.name_of_task(task)
        yield Step(Did.CREATED, self.tree.lanes.name_of_task(parent), name, "", at, at)
        return "task", parent, at

    # A callback of a loop --------------------------------------------------------------

    def callback(self, i: int, until: int) -> Follow:
        """A callback, and whoever scheduled it."""
        slices, owned, text = self.model.trace.slices, self.model.owners, self.model.trace.text
        name = text(owned.call_name[owned.owner[i]]) or "(unnamed)"
        site = text(owned.call_site[owned.owner[i]])
        start = slices.start_ns[i]
        yield Step(Did.CALLBACK, name, "", site, start, until)
        by = self.source(i)
        if by is None:
            loop = self.model.lane[i]
            thread = self.tree.ledger.thread_running(loop)
            message = self.tree.elsewhere.message_between(thread, start, until)
            if message >= 0:
                return "message", message, start
            args = self.model.trace.args(slices.event[i])
            is_timer = args.get(s.ARG_WAKER) == "timer"
            yield root(Did.TIMER, start) if is_timer else self.arrived(loop, start)
            return None
        kind, who, at = by
        at = min(at, start)
        if start - at >= _LONG_NS:
            yield Step(Did.WAITED, name, s.READY, "", at, start)
        return kind, who, at

    def arrived(self, loop: int, at: int) -> Step:
        """Something from outside: at any moment of the time in which the loop did not look."""
        since = self.tree.late.unseen.since(loop, at) if loop >= 0 else at
        return Step(Did.IO, "", "", "", since if at - since >= _LONG_NS else at, at)

    def source(self, i: int) -> At | None:
        """Where the arrow into a slice comes from, and until when that was."""
        events, slices = self.model.trace.events, self.model.trace.slices
        for event in self.tree.ledger.flows.causes(slices.event[i]):
            around = self.around(event)
            if around >= 0:
                begins = slices.event[around] == event
                at = slices.end_ns[around] if begins else events.time_ns[event]
                return self.step(around, at)
            thread = self.tree.ledger.thread_of_track[events.track[event]]
            return ("thread", thread, events.time_ns[event]) if thread >= 0 else None
        return None

    def around(self, event: int) -> int:
        """The step that an event begins or is in; -1 none."""
        events, ledger = self.model.trace.events, self.tree.ledger
        loop = self.model.track_lane[events.track[event]]
        if loop < 0:
            return -1
        begun = ledger.slice_at(event)
        return (
            begun
            if begun >= 0
            else self.step_at(ledger.lane_of_loop[loop], events.time_ns[event])
        )

    def step_at(self, lane: int, time_ns: int) -> int:
        """The step that the loops of a lane ran at a moment; -1 none."""
        kinds, i = (
            self.model.owners.kind,
            self.tree.ledger.loops_without_gc.row_at(lane, time_ns),
        )
        return i if 0 <= i < len(kinds) and kinds[i] in _STEPS else -1

    def step(self, i: int, at: int) -> At:
        kind, owner = self.model.owners.kind[i], self.model.owners.owner[i]
        return ("callback", i, at) if kind == LOOP_CALLBACK else ("task", owner, at)

    def doing(self, thread: int, at: int) -> At:
        """What a thread did at a moment: a step of one of its loops, else its own."""
        lane = self.tree.ledger.lane_of_thread.get(thread, -1)
        i = self.step_at(lane, at) if lane >= 0 else -1
        return self.step(i, at) if i >= 0 else ("thread", thread, at)

    # A thread --------------------------------------------------------------------------

    def thread(self, thread: int, until: int) -> Follow:
        """What the thread did just before `until`; all between waits and calls is one step."""
        table, name = self.model.states, self.tree.lanes.name_of_thread(thread)
        rows = self.tree.lanes.rows_of_thread(thread)
        at = _position(rows, table.start_ns, until)
        # A thread in a wait or call does nothing for others: what matters happened before.
        while at >= 0 and table.end_ns[rows[at]] > until and self.is_stop(rows[at]):
            until = table.start_ns[rows[at]]
            at -= 1
        since = until
        while at >= 0:
            if self.is_stop(rows[at]):
                break
            since = table.start_ns[rows[at]]
            at -= 1
        if since < until:
            yield Step(Did.RAN, name, "", "", since, until)
        if at < 0:
            return (yield from self.starter(thread, since))
        row = rows[at]
        if table.state[row] & STATE_MASK in (*_WAITS, GIL_WAIT):
            return (yield from self.wait_of_thread(row, min(since, table.end_ns[row])))
        yield self.call(row, min(table.end_ns[row], since))
        other = self.across.behind(row, table.end_ns[row])
        return other or ("thread", thread, table.start_ns[row])

    def call(self, row: int, until: int) -> Step:
        table = self.model.states
        what, site = call_of(self.model, table.row[row])
        name = self.tree.lanes.name_of_thread(table.who[row])
        return Step(Did.CALLED, name, what, site, table.start_ns[row], until)

    def is_stop(self, row: int) -> bool:
        table = self.model.states
        base, ns = table.state[row] & STATE_MASK, table.end_ns[row] - table.start_ns[row]
        return base in _STOPS or (base == GIL_WAIT and ns >= _LONG_NS)

    def wait_of_thread(self, row: int, until: int | None = None) -> Follow:
        table, text = self.model.states, self.model.trace.text
        thread, base = table.who[row], table.state[row] & STATE_MASK
        end = table.end_ns[row] if until is None else until
        if base in _CALLS:
            step = self.call(row, end)
            yield step
            if (other := self.across.behind(row, end)) is not None:
                return other
            is_timer = self.tree.polls.ended(row) is not None
            said = Did.TIMER if is_timer else _CALLS[base]
            said = Did.DONE if step.what.startswith(AT_WORK) else said
            yield root(Did.UNKNOWN if step.what.startswith(INSIDE) else said, end)
            return None
        what = self.tree.lanes.name_of(row)
        name, site = self.tree.lanes.name_of_thread(thread), text(table.site[row])
        yield Step(Did.WAITED, name, what, site, table.start_ns[row], end)
        had: Iterator[tuple[int, int]] = iter(())
        if base == GIL_WAIT:
            process = self.model.thread_process[thread]
            had = self.tree.ledger.gil.backwards(process, table.start_ns[row], end)
        elif base == LOCK_WAIT:
            had = self.tree.ledger.holds.backwards(table.row[row], table.start_ns[row], end)
        for holder, ends in had:
            who = self.holder(holder, base)
            if who is None:
                continue
            if who[0] == "task" or base == GIL_WAIT:
                return *who, ends
            if table.waker[row] in (-1, who[1]):
                return self.doing(who[1], ends)
        on = self.tree.labels.behind(row) if base in _WAITS else None
        if on is not None and on[0] in ("job", "idle", "message"):
            return *on, end
        if table.waker[row] >= 0:
            released = self.tree.ledger.released_ns(row)
            is_told = table.start_ns[row] <= released <= end
            return self.doing(table.waker[row], released if is_told else end)
        missed = self.missed(table.slice[row], row, table.start_ns[row], end)
        if missed is not None:
            return (yield from self.meanwhile(*missed, end))
        gave_up = table.state[row] & FAILED and end == table.end_ns[row]
        yield root(Did.TIMEOUT if gave_up else Did.UNKNOWN, end)
        return None

    def missed(self, i: int, row: int, from_ns: int, until_ns: int) -> On | None:
        """Who should have ended a wait (slice i) that nobody ended: who had the lock or slot,
        or the only one that ever ends such waits."""
        if (had := who_had(self.tree, i)) is not None or row < 0:
            return had.on if had is not None else None
        for hold, _ in self.tree.ledger.holds.backwards(
            self.model.states.row[row], from_ns, until_ns
        ):
            return self.holder(hold, LOCK_WAIT)
        on = self.tree.labels.behind(row)
        label = self.tree.ender(on[1]) if on is not None and on[0] == "vain" else None
        return label.on if label is not None else None

    def meanwhile(self, kind: str, who: int, until: int) -> Follow:
        """What somebody did at a moment at which it should have done something else."""
        if kind == "task":
            return (yield from self.task(who, until))
        rows = self.tree.lanes.rows_of_thread(who)
        row = _before(rows, self.model.states.start_ns, until)
        is_wait = row >= 0 and self.is_stop(row)
        return (
            yield from self.wait_of_thread(row, until) if is_wait else self.thread(who, until)
        )

    def holder(self, row: int, base: int) -> tuple[str, int] | None:
        """The holder: the thread of a state, the owner of a hold."""
        table = self.model.states
        if base == GIL_WAIT:
            return "thread", table.who[row]
        kept_by = self.tree.labels.holders.task(row)
        if kept_by >= 0:
            return "task", kept_by
        owner = table.owner[row]
        id_, process = table.owner_id[owner], table.owner_process[owner]
        if table.owner_is_task[owner]:
            task = self.tree.ledger.task_of(process, id_)
            return ("task", task) if task >= 0 else None
        thread = self.tree.ledger.thread(process, id_)
        return ("thread", thread) if thread >= 0 else None

    def starter(self, thread: int, at: int) -> Follow:
        found = self.tree.ledger.starters.get(thread)
        if found is None:
            return (yield from self.across.starter(thread, at))
        parent, time = found[0], self.model.trace.events.time_ns[found[1]]
        names = self.tree.lanes.name_of_thread
        yield Step(Did.CREATED, names(parent), names(thread), "", time, time)
        return self.doing(parent, time)


def _is_same(step: Step, known: Step) -> bool:
    """Whether a step is a wait or call that the path has had, or a part of it."""
    same = (step.did, step.who, step.what, step.start_ns)
    is_wait = step.did in (Did.WAITED, Did.CALLED)
    return is_wait and same == (known.did, known.who, known.what, known.start_ns)


def critical_path(tree: Tree, of_task: bool, row: int) -> tuple[Step, ...]:
    """The steps before the end of a wait, the latest (the wait itself) first.

    `row` is a slice for a task's wait, a row of States for a thread's. A path of more than a
    dozen steps ends with MORE, one that comes back to a wait with CYCLE.
    """
    found: list[Step] = []
    for step in _Walk(tree).steps(of_task, row):
        if any(_is_same(step, known) for known in found):
            found.append(
                Step(Did.CYCLE, step.who, step.what, step.site, step.end_ns, step.end_ns)
            )
            break
        if len(found) == _MOST_STEPS:
            found.append(Step(Did.MORE, "", "", "", step.end_ns, step.end_ns))
            break
        found.append(step)
    return tuple(found)
