"""The arrows of a trace: from the event that caused something to the event that was caused."""

import struct
from bisect import bisect_left
from collections.abc import Iterator

from viewer.trace.columns import Events


class Flows:
    """Looks for the other end of an arrow; makes no index of all of them."""

    def __init__(self, events: Events) -> None:
        self._events = events
        self._ids = b""

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
        found = self._find(flow, is_end, since)
        return self._find(flow, is_end, 0) if found < 0 < since else found

    def _find(self, flow: int, is_end: bool, since: int) -> int:
        events = self._events
        self._ids = self._ids or bytes(events.flow_id)
        wanted = struct.pack("<Q", flow)
        at = self._ids.find(wanted, since * 8)
        while at >= 0:
            if at % 8 == 0 and bool(events.flow_end[at // 8]) != is_end:
                return int(events.flow_event[at // 8])
            at = self._ids.find(wanted, at + 1)
        return -1

    def causes(self, event: int) -> Iterator[int]:
        """The events that arrows lead from to this one."""
        for flow, is_end in self.at(event):
            source = self.other_end(flow, is_end=True) if is_end else -1
            if source >= 0:
                yield source
