"""Waits of a thread for what the loop that it runs would have to do meanwhile."""

from bisect import bisect_left
from functools import cached_property

from tracer import schema as s
from viewer.analysis.resources.waits import Wait, Waits
from viewer.trace.columns import RUNNING

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
        start_ns = trace.slices.start_ns[step]
        sources = [trace.slices.event[step]]
        lanes = self.waits.tree.lanes
        running = lanes.begins(task, start_ns, RUNNING) if task >= 0 else -1
        sources += [trace.slices.event[running]] if running >= 0 else []
        times = trace.events.time_ns
        low, high = (
            bisect_left(self._wakes, at, key=times.__getitem__)
            for at in (start_ns, wait.end_ns)
        )
        for source in (*sources, *self._wakes[low:high]):
            for flow, is_end in flows.at(source):
                target = -1 if is_end else flows.other_end(flow, is_end)
                loop = self.model.track_lane[trace.events.track[target]] if target >= 0 else -1
                is_callback = loop >= 0 and trace.events.category[target] == self._of_loops
                if (
                    is_callback
                    and loop == self.model.lane[step]
                    and times[target] >= wait.end_ns
                ):
                    return True
        return False

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
