"""What a thread gives to a loop: the task of a coroutine, and what its own loop owes it."""

from bisect import bisect_left, bisect_right
from functools import cached_property

from tracer import schema as s
from viewer.analysis.resources.waits import Wait, Waits
from viewer.trace.columns import RUNNING

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
