"""When a loop does not look for what comes from outside: it polls between iterations only."""

from bisect import bisect_left

from viewer.analysis.causes.lanes import Lanes
from viewer.trace.columns import LOOP_TASK, READY, SELECT

_MOST_STEPS = 200
_WAITED_NS = 50_000  # what a poll found that took less may have been there before
_LONG_NS = 20_000_000  # more than a loop's own work between two steps: it may have waited


class Unseen:
    """Windows in which something came from outside, at a moment that the trace cannot show."""

    def __init__(self, lanes: Lanes) -> None:
        self.lanes, self.model, self.ledger = lanes, lanes.model, lanes.ledger

    def since(self, loop: int, at_ns: int) -> int:
        """From when on what a loop saw at a moment may have been there: `at_ns` if it looked
        just before.

        It came after the last poll but one. An iteration runs what was ready when it began:
        so there is a poll between a step and whatever became ready during it. A second one
        before it is early enough, wherever in the first iteration the moment is.
        """
        slices, kinds = self.model.trace.slices, self.model.owners.kind
        lane = self.ledger.lane_of_loop[loop]
        since = edge = at_ns
        newest = polls = 0
        for looked, (row, until) in enumerate(
            self.ledger.loops_without_gc.backwards(lane, 0, at_ns)
        ):
            start, is_poll = slices.start_ns[row], kinds[row] == SELECT
            may_have_waited = edge - until >= _LONG_NS or (
                is_poll and until - start >= _WAITED_NS
            )
            edge = start
            polls += is_poll or newest > edge
            if may_have_waited or polls == 2 or looked == _MOST_STEPS:
                break
            if is_poll:
                newest = 0
                continue
            newest = max(self._ready_ns(row), 0 if newest > edge else newest)
            if slices.end_ns[row] <= at_ns:  # else it is what sees it
                since = edge
        return since

    def _ready_ns(self, step: int) -> int:
        """When what a step runs became ready; 0: not known."""
        owned, slices = self.model.owners, self.model.trace.slices
        start = slices.start_ns[step]
        if owned.kind[step] != LOOP_TASK:
            causes = self.ledger.flows.causes(slices.event[step])
            return next((self.model.trace.events.time_ns[event] for event in causes), 0)
        rows = self.lanes.rows_of_task(owned.owner[step])
        at = bisect_left(rows, start, key=slices.start_ns.__getitem__) - 1
        is_known = at >= 0 and owned.kind[rows[at]] == READY
        return slices.start_ns[rows[at]] if is_known else 0
