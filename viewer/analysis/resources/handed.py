"""Whether a thread had given somebody something to do before it waited for an event: what
tells a wait for others from a pause."""

from collections.abc import Iterator

from tracer import schema as s
from tracer.units import MS
from viewer.analysis.ledger.resource import covers
from viewer.analysis.locks import ENDS
from viewer.analysis.resources.waits import Wait, Waits
from viewer.trace.columns import IDLE_WAIT, IO, LOCK_WAIT, SLEEP, STATE_MASK
from viewer.trace.sites import is_library, own_frames, place_of

EVENTS = ("Event.wait",)
_STARTS = "Thread.start"  # a new thread ends it as soon as it runs: nothing was given
_JUST_NS = 50 * MS  # from what it gave to the wait for it
_BACK = 20  # states of a thread in which a wake-up is looked for
_MODULE = "<module>"


def is_pause(waits: Waits, wait: Wait) -> bool:
    """Whether nobody was to set the event, as far as the trace shows: the waiter had woken
    nobody who then had nothing to do, and had started no thread for it that ended or is stuck.
    """
    if wait.who[0] != "thread" or wait.name not in EVENTS:
        return False
    return taker(waits, wait) is None and not any(
        _is_over(waits, thread, wait) for thread in started_for(waits, wait)
    )


def taker(waits: Waits, wait: Wait) -> Wait | None:
    """The wait for more of a thread that the waiter had woken just before: it lasts for most
    of the wait, so what it was given is done or forgotten."""
    for other in waits.overlapping(wait):
        if other.who == wait.who or other.who[0] != "thread" or other.name in ENDS:
            continue
        is_most = other.covers(wait)
        if is_most and was_woken(waits, other.who[1], other.start_ns, wait):
            return other
    return None


def ended_one(waits: Waits, wait: Wait) -> bool:
    """Whether a task that another one made had just ended a wait of a third one, which then
    ended at once: it had told that one to stop, and waits for what comes of it."""
    if waits.reading.ledger.parent_of(wait.who[1]) < 0:
        return False
    return any(
        other.ender == wait.who
        and other.who[0] == "task"
        and abs(other.end_ns - wait.start_ns) <= _JUST_NS
        and waits.ends_ns(other.who) - other.end_ns <= _JUST_NS
        for other in waits.all
    )


def was_woken(waits: Waits, thread: int, until_ns: int, wait: Wait) -> bool:
    """Whether a thread's last waits before a time were ended by who then waited."""
    table, rows = waits.model.states, waits.reading.ledger.rows_of_threads
    low, last = rows.offset[thread], rows.offset[thread + 1]
    for n in range(last - 1, low - 1, -1):
        if rows.start_ns[n] < until_ns:
            last = n + 1
            break
    for n in range(last - 1, max(low, last - _BACK) - 1, -1):
        row = rows.row[n]
        if table.state[row] & STATE_MASK not in (IDLE_WAIT, LOCK_WAIT):
            continue
        is_his = table.waker[row] == wait.who[1] and waits.reading.wait(row)[0] != _STARTS
        if is_his and abs(table.end_ns[row] - wait.start_ns) <= _JUST_NS:
            return True
    return False


def started_for(waits: Waits, wait: Wait) -> Iterator[int]:
    """The threads that the waiter had started, before it waited, in a function that it still
    was in, or in a method of an object of the same class."""
    own = [_owner(frame) for frame in own_frames((*wait.stack, wait.site))]
    inside, here = {*own} - {_MODULE, ""}, own[0] if own else ""
    for thread, (parent, event) in waits.reading.ledger.starters.items():
        if parent != wait.who[1] or waits.model.states.first_ns[thread] > wait.end_ns:
            continue
        stack = str(waits.model.trace.args(event).get(s.ARG_STACK, ""))
        owners = [_owner(frame) for frame in stack.split("\n") if not is_library(frame)]
        if inside.intersection(owners) or owners[:1] == [here]:
            yield thread


def _owner(frame: str) -> str:
    """The class of a frame's method, or its function."""
    function = place_of(frame).function
    return function.rpartition(".")[0] or function


def _is_over(waits: Waits, thread: int, wait: Wait) -> bool:
    """Whether a thread ended in the first half of a wait, or stands in one call for most of it
    that is no wait for clients."""
    table, rows = waits.model.states, waits.reading.ledger.rows_of_threads
    if table.last_ns[thread] <= wait.start_ns + wait.ns // 2:
        return True
    for n in rows.places(thread):
        row = rows.row[n]
        met = min(rows.end_ns[n], wait.end_ns) - max(rows.start_ns[n], wait.start_ns)
        if covers(met, wait.ns):
            state = table.state[row] & STATE_MASK
            name = waits.reading.call(table.row[row])[0] if state == IO else ""
            return state in (SLEEP, LOCK_WAIT) or (bool(name) and not _is_for_clients(name))
    return False


def _is_for_clients(name: str) -> bool:
    return name.endswith(("accept", "select", "poll"))
