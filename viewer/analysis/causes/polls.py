"""What ended a poll of an event loop: a timer or another thread, as what ran next shows."""

from bisect import bisect_left, bisect_right

from tracer import schema as s
from viewer.analysis.causes.elsewhere import Elsewhere
from viewer.analysis.causes.labels import Label
from viewer.analysis.causes.lanes import Lanes
from viewer.analysis.causes.part import Kind
from viewer.trace.columns import LOOP_CALLBACK, LOOP_TASK, READY

_NEXT = 4  # rows of the loop's track after a poll: its own work, then what it runs first


class Polls:
    """A loop runs what ended its poll first."""

    def __init__(self, lanes: Lanes) -> None:
        self.lanes, self.model, self.ledger = lanes, lanes.model, lanes.ledger
        self.elsewhere = Elsewhere.of(lanes.model)

    def ended(self, row: int) -> tuple[Label, int] | None:
        """Who ended a poll (a row of States), and when; None: something from outside, or it
        is no poll of a loop."""
        table, owned = self.model.states, self.model.owners
        thread = table.who[row]
        if not self.elsewhere.is_poll_of_loop(thread, row):
            return None
        step = self._after(thread, table.end_ns[row])
        if step < 0:
            return None
        first = self._ready(step) if owned.kind[step] == LOOP_TASK else step
        args = self.model.trace.args(self.model.trace.slices.event[first])
        if args.get(s.ARG_WAKER) == "timer":
            return Label(Kind.TIMER), table.end_ns[row]
        events = self.model.trace.events
        for event in self.ledger.flows.causes(self.model.trace.slices.event[first]):
            other, at_ns = self._thread(events.track[event]), events.time_ns[event]
            is_meanwhile = table.start_ns[row] <= at_ns <= table.end_ns[row]
            if other not in (-1, thread) and is_meanwhile:
                return Label(
                    Kind.WAKER, self.lanes.name_of_thread(other), on=("thread", other)
                ), at_ns
        return None

    def _after(self, thread: int, end_ns: int) -> int:
        """The first callback or step after a moment; -1 unknown."""
        timeline = self.ledger.loops_without_gc.timeline
        lane, kinds = self.ledger.lane_of_thread[thread], self.model.owners.kind
        low, high = timeline.offset[lane], timeline.offset[lane + 1]
        at = bisect_left(timeline.start_ns, end_ns, low, high)
        rows = (timeline.row[place] for place in range(at, min(at + _NEXT, high)))
        found = (row for row in rows if 0 <= row < len(kinds))
        return next((row for row in found if kinds[row] in (LOOP_CALLBACK, LOOP_TASK)), -1)

    def _ready(self, step: int) -> int:
        """The `ready` of a task's step; the step itself where there is none."""
        slices, kinds = self.model.trace.slices, self.model.owners.kind
        rows = self.lanes.rows_of_task(self.model.owners.owner[step])
        at = bisect_right(rows, slices.start_ns[step], key=slices.start_ns.__getitem__) - 1
        while at >= 0 and slices.start_ns[rows[at]] == slices.start_ns[step]:
            at -= 1
        return rows[at] if at >= 0 and kinds[rows[at]] == READY else step

    def _thread(self, track: int) -> int:
        """The thread that an event's track is of, as its own or as that of a loop; -1."""
        loop = self.model.track_lane[track]
        return (
            self.ledger.thread_of_loop[loop]
            if loop >= 0
            else (self.ledger.thread_of_track[track])
        )
