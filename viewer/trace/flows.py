"""The arrows of a trace: from the event that caused something to the event that was caused."""

import struct
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import compress
from operator import not_

from viewer.trace.columns import Events

# An index of all arrows costs as much as looking at all of them this many times.
_TIMES = 32


class Flows:
    """Looks for the other end of an arrow; makes an index of all when much was looked at."""

    def __init__(self, events: Events) -> None:
        self._events = events
        self._left = _TIMES * len(events.flow_id)  # arrows to look at before there is an index

    def at(self, event: int) -> Iterator[tuple[int, bool]]:
        """(flow, whether it ends here) of the arrows at an event."""
        events = self._events
        row = bisect_left(events.flow_event, event)
        while row < len(events.flow_event) and events.flow_event[row] == event:
            yield events.flow_id[row], bool(events.flow_end[row])
            row += 1

    def other_end(self, flow: int, is_end: bool, near: int = 0) -> int:
        """The event at the other end of a flow; -1 when it is not in the trace. `near` is an
        event at which the flow begins: it mostly ends soon after."""
        since = bisect_left(self._events.flow_event, near) if near else 0
        if self._left < 0:
            row = self._firsts[not is_end].get(flow, -1)
            if 0 <= row < since:  # an earlier arrow had the same id
                row = self._find(flow, is_end, since, row)
        else:
            row = self._find(flow, is_end, since, -1)
            row = self._find(flow, is_end, 0, -1) if row < 0 < since else row
        return int(self._events.flow_event[row]) if row >= 0 else -1

    @cached_property
    def _ids(self) -> bytes:
        return bytes(self._events.flow_id)

    @cached_property
    def _firsts(self) -> tuple[dict[int, int], dict[int, int]]:
        """By flow the first row at which it begins, and at which it ends."""
        begins, ends = dict[int, int](), dict[int, int]()
        columns = self._events.flow_id.tolist(), bytes(self._events.flow_end)
        for row, (flow, is_end) in enumerate(zip(*columns, strict=True)):
            (ends if is_end else begins).setdefault(flow, row)
        return begins, ends

    def _find(self, flow: int, is_end: bool, since: int, otherwise: int) -> int:
        """The first row from `since` on that is the other end."""
        wanted = struct.pack("<Q", flow)
        at = self._ids.find(wanted, since * 8)
        while at >= 0 and (at % 8 or bool(self._events.flow_end[at // 8]) == is_end):
            at = self._ids.find(wanted, at + 1)
        row = at // 8 if at >= 0 else len(self._events.flow_id)
        self._left -= row - since
        return row if at >= 0 else otherwise

    def all_causes(self, events: Sequence[int]) -> Iterator[tuple[int, int]]:
        """Each of these events with those that arrows lead from to it."""
        if len(events) < _TIMES:
            yield from ((event, cause) for event in events for cause in self.causes(event))
            return
        at, flows = self._events.flow_event.tolist(), self._events.flow_id.tolist()
        is_end, arrows = bytes(self._events.flow_end), [*zip(flows, at, strict=True)]
        begins, wanted = dict(reversed([*compress(arrows, map(not_, is_end))])), {*events}
        for flow, event in compress(arrows, is_end):
            if event in wanted and flow in begins:
                yield event, begins[flow]

    def causes(self, event: int) -> Iterator[int]:
        """The events that arrows lead from to this one."""
        for flow, is_end in self.at(event):
            source = self.other_end(flow, is_end=True) if is_end else -1
            if source >= 0:
                yield source
