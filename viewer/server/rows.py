"""From a slice to its row of the states table and back."""

from bisect import bisect_left

from tracer import schema as s
from viewer.trace import columns
from viewer.trace.model import Model
from viewer.trace.reader import Arg


def slice_at(model: Model, event: int) -> int:
    """The slice that begins with an event; -1 when none does."""
    slices, at_ns = model.trace.slices, model.trace.events.time_ns[event]
    at = bisect_left(slices.start_ns, at_ns)
    while at < len(slices.start_ns) and slices.start_ns[at] == at_ns:
        if slices.event[at] == event:
            return at
        at += 1
    return -1


def slice_of_state(model: Model, row: int) -> int:
    """States are the slices that are one, in the same order: the n-th of a moment is found
    by whose it is."""
    slices, table = model.trace.slices, model.states
    at_ns = table.start_ns[row]
    at = bisect_left(slices.start_ns, at_ns)
    while at < len(slices.start_ns) and slices.start_ns[at] == at_ns:
        if state_of_slice(model, at) == row:
            return at
        at += 1
    return max(at - 1, 0)


def state_of_slice(model: Model, of: int) -> int:
    """The states row of a slice; -1 when it is no state."""
    slices, table, events = model.trace.slices, model.states, model.trace.events
    at_ns = slices.start_ns[of]
    track = model.trace.tracks.get(events.uuids[events.track[slices.event[of]]])
    low, cut = bisect_left(table.start_ns, at_ns), -1
    while low < len(table.start_ns) and table.start_ns[low] == at_ns:
        base = table.state[low] & columns.STATE_MASK
        if base == columns.TASK_WAIT:
            is_it = model.owners.kind[of] == columns.AWAIT and (
                model.owners.owner[of] == table.who[low]
            )
        elif base == columns.HOLD:
            category = model.trace.text(events.category[slices.event[of]])
            is_it = category == s.CAT_HOLD and _lock_id(model, of) in (
                None,
                table.lock_id[table.row[low]],
            )
        else:
            is_it = track is model.threads[table.who[low]] and (
                model.owners.kind[of] != columns.GC
            )
        if is_it and table.end_ns[low] == slices.end_ns[of]:
            return low
        if is_it and table.end_ns[low] < slices.end_ns[of]:
            cut = low  # its own end was lost
        low += 1
    return cut


def _lock_id(model: Model, of: int) -> Arg | None:
    return model.trace.args(model.trace.slices.event[of]).get(s.ARG_LOCK)
