"""Connections within one process: which calls are for those, and which threads serve."""

from collections import Counter

from tracer import schema as s
from viewer.analysis.resources.reading import Reading
from viewer.analysis.states import stack_of
from viewer.trace.columns import IO
from viewer.trace.sites import is_library

_IDLE_NS = 1_000_000
_SELECT = f"{s.IO_PREFIX}select."
_MOST = 1_000  # calls of a thread that are looked at
# A thread that serves is in one of these functions when nobody asks, and while it answers.
SERVING = ("BaseServer.serve_forever", "BaseServer.handle_request", "SyncWorker.run")


def is_own(reading: Reading, row: int) -> bool:
    """Whether a call is for a connection whose other end is in its own process."""
    end = reading.model.trace.slices.end_event[reading.model.states.slice[row]]
    return end >= 0 and s.ARG_OWN_PEER in reading.model.trace.args(end)


def servers(reading: Reading) -> set[int]:
    """The threads that accept connections, or run a loop."""
    table, trace = reading.model.states, reading.model.trace
    found, looked_at = set(reading.ledger.lane_of_thread), Counter[int]()
    for row in reading.rows_of((IO,), _IDLE_NS):
        if table.who[row] in found or looked_at[table.who[row]] >= _MOST:
            continue
        looked_at[table.who[row]] += 1
        name = trace.text(table.call_name[table.row[row]])
        stack = stack_of(reading.model, row)
        # Where a `select` of the program comes before it, `accept` takes moments.
        selects = _SELECT in name and not is_library(reading.call(table.row[row])[1])
        is_serving = any(function in stack for function in SERVING)
        if name.endswith("accept") or selects or is_serving:
            found.add(table.who[row])
    return found
