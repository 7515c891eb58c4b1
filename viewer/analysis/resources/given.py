"""What somebody had given another one to do before a wait: a coroutine to a loop, or work to a
thread. It tells a wait for others from a pause."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from functools import cached_property

from tracer import schema as s
from tracer.units import MS
from viewer.analysis.ledger.resource import covers
from viewer.analysis.locks import ENDS
from viewer.analysis.resources.waits import Wait, Waits
from viewer.trace.columns import IDLE_WAIT, IO, LOCK_WAIT, RUNNING, SLEEP, STATE_MASK
from viewer.trace.sites import is_library, own_frames, place_of

_TASKS = 50_000  # more are not searched


class Births:
    """The tasks of a model in order of their begin."""

    def __init__(self, waits: Waits) -> None:
        self.reading, self.model = waits.reading, waits.model
        owned, starts = self.model.owners, self.model.trace.slices.start_ns
        heads = owned.task_head if len(owned.task_head) <= _TASKS else ()
        self._born = sorted((starts[head], task) for task, head in enumerate(heads))

    def of(self, source: int, until_ns: int, giver: int) -> int:
        """The one task that began in the callback which a thread handed to a loop of another
        one, in this step or with this `wake`, and which ran before a time; -1 unknown."""
        model, ledger = self.model, self.reading.ledger
        events, slices = model.trace.events, model.trace.slices
        for flow, is_end in ledger.flows.at(source):
            target = ledger.flows.other_end(flow, is_end) if not is_end else -1
            loop = model.track_lane[events.track[target]] if target >= 0 else -1
            thread = ledger.thread_of_loop[loop] if loop >= 0 else giver
            if thread == giver:
                continue
            step = (
                self.reading.on_loop_at(thread, events.time_ns[target]) if thread >= 0 else -1
            )
            if step >= 0 and slices.start_ns[step] < until_ns:
                return self._between(thread, slices.start_ns[step], slices.end_ns[step])
        return -1

    def _between(self, thread: int, start_ns: int, end_ns: int) -> int:
        low = bisect_left(self._born, (start_ns, -1))
        high = bisect_right(self._born, (end_ns, -1))
        process = self.model.thread_process[thread]
        found = [
            task for _, task in self._born[low:high]
            if self.model.owners.task_process[task] == process
        ]  # fmt: skip
        return found[0] if len(found) == 1 else -1


# In which it may wait in a step, and in vain for half a second: a shorter one may pace it.
_FOR_OTHERS = ("Condition.wait", "Event.wait", "Queue.put", "Queue.join")
_IN_VAIN_NS = 500_000_000


class OwnLoop:
    """Finds what steps of loops give to their own loop."""

    def __init__(self, waits: Waits) -> None:
        self.waits, self.model = waits, waits.model
        self.ledger = waits.reading.ledger

    def is_blocked_by(self, wait: Wait, task: int) -> bool:
        """Whether a thread waits in vain in a step of its loop, which has to run, only when
        that is over, what it was given; `task` is the one whose step it is (-1 none)."""
        kind, which = wait.who
        is_long = wait.name in _FOR_OTHERS and wait.failed and wait.ns >= _IN_VAIN_NS
        if kind != "thread" or not is_long or which not in self.ledger.lane_of_thread:
            return False
        step = self.waits.reading.on_loop_at(which, wait.start_ns)
        return step >= 0 and self.owes(step, task, wait)

    def owes(self, step: int, task: int, wait: Wait) -> bool:
        """Whether a step gave its loop a callback that ran only when the wait was over."""
        trace, flows = self.model.trace, self.ledger.flows
        for source in self.sources(step, task, wait.end_ns):
            for flow, is_end in flows.at(source):
                target = -1 if is_end else flows.other_end(flow, is_end)
                loop = self.model.track_lane[trace.events.track[target]] if target >= 0 else -1
                is_callback = loop >= 0 and trace.events.category[target] == self._of_loops
                if (
                    is_callback
                    and loop == self.model.lane[step]
                    and trace.events.time_ns[target] >= wait.end_ns
                ):
                    return True
        return False

    def sources(self, step: int, task: int, until_ns: int) -> list[int]:
        """The events at which arrows begin to what a step, of a task (-1 none), gives loops
        before a time."""
        trace, times = self.model.trace, self.model.trace.events.time_ns
        start_ns = trace.slices.start_ns[step]
        begins = self.waits.tree.lanes.begins
        running = begins(task, start_ns, RUNNING) if task >= 0 else -1
        low, high = (
            bisect_left(self._wakes, at, key=times.__getitem__) for at in (start_ns, until_ns)
        )
        own = [trace.slices.event[one] for one in (step, running) if one >= 0]
        return [*own, *self._wakes[low:high]]

    @cached_property
    def _of_loops(self) -> int:
        return self.model.trace.symbol(s.CAT_LOOP)

    @cached_property
    def _wakes(self) -> list[int]:
        """The `wake` instants within long steps, in order of time."""
        trace = self.model.trace
        found = trace.instants(trace.events.name, s.WAKE)
        return [
            event for event in found if self.model.track_lane[trace.events.track[event]] >= 0
        ]


EVENTS = ("Event.wait",)
_STARTS = "Thread.start"  # a new thread ends it as soon as it runs: nothing was given
_JUST_NS = 50 * MS  # from what it gave to the wait for it
_BACK = 20  # states of a thread in which a wake-up is looked for
_MODULE = "<module>"


def is_pause(waits: Waits, wait: Wait) -> bool:
    """Whether nobody was to set the event, as far as the trace shows: the waiter had woken
    nobody who then had nothing to do, and had started no thread for it that ended or is stuck.
    """
    if wait.who[0] != "thread" or wait.name not in EVENTS:
        return False
    return taker(waits, wait) is None and not any(
        _is_over(waits, thread, wait) for thread in started_for(waits, wait)
    )


def taker(waits: Waits, wait: Wait) -> Wait | None:
    """The wait for more of a thread that the waiter had woken just before: it lasts for most
    of the wait, so what it was given is done or forgotten."""
    for other in waits.overlapping(wait):
        if other.who == wait.who or other.who[0] != "thread" or other.name in ENDS:
            continue
        is_most = other.covers(wait)
        if is_most and was_woken(waits, other.who[1], other.start_ns, wait):
            return other
    return None


def ended_one(waits: Waits, wait: Wait) -> bool:
    """Whether a task that another one made had just ended a wait of a third one, which then
    ended at once: it had told that one to stop, and waits for what comes of it."""
    if waits.reading.ledger.parent_of(wait.who[1]) < 0:
        return False
    return any(
        other.ender == wait.who
        and other.who[0] == "task"
        and abs(other.end_ns - wait.start_ns) <= _JUST_NS
        and waits.ends_ns(other.who) - other.end_ns <= _JUST_NS
        for other in waits.all
    )


def was_woken(waits: Waits, thread: int, until_ns: int, wait: Wait) -> bool:
    """Whether a thread's last waits before a time were ended by who then waited."""
    table, rows = waits.model.states, waits.reading.ledger.rows_of_threads
    before = rows.begun(thread, 0, until_ns) or rows.places(thread)
    for n in reversed(before[-_BACK:]):
        row = rows.row[n]
        if table.state[row] & STATE_MASK not in (IDLE_WAIT, LOCK_WAIT):
            continue
        is_his = table.waker[row] == wait.who[1] and waits.reading.wait(row)[0] != _STARTS
        if is_his and abs(table.end_ns[row] - wait.start_ns) <= _JUST_NS:
            return True
    return False


def started_for(waits: Waits, wait: Wait) -> Iterator[int]:
    """The threads that the waiter had started, before it waited, in a function that it still
    was in, or in a method of an object of the same class."""
    own = [_owner(frame) for frame in own_frames((*wait.stack, wait.site))]
    inside, here = {*own} - {_MODULE, ""}, own[0] if own else ""
    for thread, (parent, event) in waits.reading.ledger.starters.items():
        if parent != wait.who[1] or waits.model.states.first_ns[thread] > wait.end_ns:
            continue
        stack = str(waits.model.trace.args(event).get(s.ARG_STACK, ""))
        owners = [_owner(frame) for frame in stack.split("\n") if not is_library(frame)]
        if inside.intersection(owners) or owners[:1] == [here]:
            yield thread


def _owner(frame: str) -> str:
    """The class of a frame's method, or its function."""
    function = place_of(frame).function
    return function.rpartition(".")[0] or function


def _is_over(waits: Waits, thread: int, wait: Wait) -> bool:
    """Whether a thread ended in the first half of a wait, or stands in one call for most of it
    that is no wait for clients."""
    table, rows = waits.model.states, waits.reading.ledger.rows_of_threads
    if table.last_ns[thread] <= wait.start_ns + wait.ns // 2:
        return True
    for n in rows.places(thread):
        row = rows.row[n]
        met = min(rows.end_ns[n], wait.end_ns) - max(rows.start_ns[n], wait.start_ns)
        if covers(met, wait.ns):
            state = table.state[row] & STATE_MASK
            name = waits.reading.call(table.row[row])[0] if state == IO else ""
            return state in (SLEEP, LOCK_WAIT) or (bool(name) and not _is_for_clients(name))
    return False


def _is_for_clients(name: str) -> bool:
    return name.endswith(("accept", "select", "poll"))
