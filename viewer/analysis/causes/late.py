"""What ended an await before its loop saw it: the rest of the time is the loop's."""

from viewer.analysis.causes.labels import Label
from viewer.analysis.causes.lanes import Lanes
from viewer.analysis.causes.part import Kind
from viewer.analysis.causes.unseen import Unseen
from viewer.trace.columns import LOOP_CALLBACK

_MOST_CALLBACKS = 4  # from the one that a thread scheduled to the task's wake-up


class Late:
    """From when on a loop could have seen what ended an await."""

    def __init__(self, lanes: Lanes) -> None:
        self.lanes, self.model, self.ledger = lanes, lanes.model, lanes.ledger
        self.unseen = Unseen(lanes)

    def of(self, label: Label, loop: int, at_ns: int) -> tuple[int, Label] | None:
        """That moment, and what the rest until `at_ns` is; None where it is not known."""
        if loop < 0:
            return None
        on = "loop", loop
        if label.kind is Kind.IO:
            return self.unseen.since(loop, at_ns), Label(Kind.UNSEEN, on=on)
        if label.kind is not Kind.WAKER or label.on is None or label.on[0] != "thread":
            return None
        since_ns = self.scheduled_ns(loop, label.on[1], at_ns)
        return (since_ns, Label(Kind.UNHEARD, on=on)) if since_ns < at_ns else None

    def scheduled_ns(self, loop: int, thread: int, at_ns: int) -> int:
        """When a thread scheduled the callback in which a task became ready, or the one that
        led to it: `at_ns` where that is not known."""
        slices, kinds, events = (
            self.model.trace.slices,
            self.model.owners.kind,
            self.model.trace.events,
        )
        lane = self.ledger.lane_of_loop[loop]
        step = self.ledger.loops_without_gc.row_at(lane, at_ns)
        for _ in range(_MOST_CALLBACKS):
            if not 0 <= step < len(kinds) or kinds[step] != LOOP_CALLBACK:
                return at_ns
            causes = list(self.ledger.flows.causes(slices.event[step]))
            for event in causes:
                if self.ledger.thread_of_track[events.track[event]] == thread:
                    return min(events.time_ns[event], at_ns)
            step = next((self.ledger.slice_at(event) for event in causes), -1)
        return at_ns
