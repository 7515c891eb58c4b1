"""Waits of which the other side of a connection is the end: within one process, for a
message, also by way of a queue, and for room in what is sent."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from tracer import schema as s
from viewer.analysis.resources.reading import Reading
from viewer.analysis.resources.waits import GETS, Waits, longest_slices
from viewer.analysis.states import stack_of
from viewer.trace.columns import AWAIT, IO, STATE_MASK
from viewer.trace.processes import number_of
from viewer.trace.sites import is_library

_IDLE_NS = 1_000_000
_SELECT = f"{s.IO_PREFIX}select."
_LOOKED_AT = 1_000  # calls of a thread that are looked at
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
        if table.who[row] in found or looked_at[table.who[row]] >= _LOOKED_AT:
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


_INPUTS = tuple(f"{s.AWAIT_PREFIX}{what} (" for what in s.LIBRARY_CALLERS)
_READS = "StreamReader._wait_for_data"
_LOOKED = 200  # waits of one queue or task


def is_input(waits: Waits, i: int) -> bool:
    """Whether a task awaits a message: of a connection, or from a queue at which it alone
    waits and into which somebody puts what it gets from a connection."""
    what = waits.reading.what(i)
    return _is_message(waits, i) or (what in GETS and _is_relayed(waits, i))


def _is_message(waits: Waits, i: int) -> bool:
    what = waits.reading.awaited(i)[0]
    is_read = what == f"{s.AWAIT_PREFIX}socket"
    return what.startswith(_INPUTS) or (is_read and _READS in waits.reading.stack(i))


class _Queues(dict[int, bool]):
    """By lock of a queue, found once, whether what it brings one task are messages."""


def _is_relayed(waits: Waits, i: int) -> bool:
    lanes = waits.tree.lanes
    if (row := lanes.task_waits.get(i, -1)) < 0:
        return False
    known = waits.model.derive(_Queues, _Queues)
    lock = waits.model.states.row[row]
    if lock not in known:
        known[lock] = _brings_messages(waits, lock, waits.model.owners.owner[i])
    return known[lock]


def _brings_messages(waits: Waits, lock: int, task: int) -> bool:
    of_locks, table = waits.reading.ledger.waits_of_locks, waits.model.states
    rows = of_locks.of(lock)[:_LOOKED]
    is_alone = len({(table.state[one] & STATE_MASK, table.who[one]) for one in rows}) == 1
    return is_alone and any(_relays(waits, task, table.slice[one]) for one in rows)


def _relays(waits: Waits, task: int, i: int) -> bool:
    """Whether a task that awaits messages ended an await."""
    by, kind = waits.tree.ended_by(task, i).on, waits.model.owners.kind
    if by is None or by[0] != "task":
        return False
    of, which = waits.reading.ledger.rows_of_tasks, by[1]
    own = of.of(which)[:_LOOKED]
    return any(kind[one] == AWAIT and _is_message(waits, one) for one in own)


SEND = f"{s.AWAIT_PREFIX}send ("  # of a library
DRAIN = " FlowControlMixin._drain_helper"  # of asyncio's streams
_MOST = 5_000  # awaits that are looked at, the longest ones


def is_for_room(reading: Reading, i: int) -> bool:
    """Whether an await (slice) ends when the other side has read."""
    what = reading.awaited(i)[0]
    if what.startswith(SEND):
        return True
    is_stream = what == f"{s.AWAIT_PREFIX}socket"
    return is_stream and DRAIN in reading.stack(i)


@dataclass(slots=True)
class Sending:
    """A task that waits for room at one line; by connection (-1 unknown) its awaits."""

    task: int
    site: str
    awaits: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))


def sending(reading: Reading, least_ns: int) -> Iterator[Sending]:
    """Those that wait so long at a time."""
    trace, owner = reading.model.trace, reading.model.owners.owner
    found = dict[tuple[int, str], Sending]()
    for i in longest_slices(reading, (AWAIT,), least_ns, _MOST):
        if owner[i] >= 0 and is_for_room(reading, i):
            at = owner[i], reading.awaited(i)[1]
            connection = number_of(trace.args(trace.slices.event[i]), s.ARG_LOCK, -1)
            found.setdefault(at, Sending(*at)).awaits[connection].append(i)
    yield from found.values()
