"""Threads that wait for what only they themselves could bring about: the end of the loop that
they are in, or of the item that they work on."""

from collections.abc import Iterator

from tracer.units import duration
from viewer.analysis.findings.basis.facts import Facts, Finding
from viewer.analysis.findings.basis.waits import LongWaits, name_of, place_in
from viewer.analysis.findings.basis.words import at
from viewer.analysis.resources.waits import GETS, Wait
from viewer.trace.columns import IDLE_WAIT, STATE_MASK
from viewer.trace.sites import own_frames, place_of
from viewer.words import code

_MS = 1_000_000
# Only a time-out or the end of the program ends such a wait. It must have lost half a second.
_LONG_NS = 500 * _MS
# By function that waits: the one that must return first, and what that means.
_LOOPS = {"BaseServer.shutdown": "BaseServer.serve_forever"}
_JOIN = "Queue.join"
_MOST = 5_000  # states of a thread that are looked at


def own_end(facts: Facts) -> Iterator[Finding]:
    """A wait for the end of what the waiter is in the middle of."""
    waits = LongWaits.of(facts)
    for wait in waits.all:
        if not wait.failed or wait.ns < _LONG_NS or wait.slice in waits.told:
            continue
        said = _loop(wait) or _item(facts, wait)
        if not said:
            continue
        waits.told.add(wait.slice)
        who = code(name_of(facts.model, wait.who))
        text = (
            f"Deadlock {at(facts, wait.start_ns)}, for {duration(wait.ns)}: {who}"
            f"{place_in(wait.site)} {said}"
        )
        about = frozenset((wait.site,))
        yield Finding("deadlock", wait.ns, text, waits.evidence(wait), about=about)


def _loop(wait: Wait) -> str:
    """`waits in … for the end of …, in which it is itself`."""
    functions = [place_of(frame).function for frame in wait.stack]
    for inner, outer in _LOOPS.items():
        if inner in functions and outer in functions[functions.index(inner) :]:
            return (
                f"waits in `{inner}` for the end of `{outer}`, which is its own caller and so "
                f"cannot end. Call `{inner.rpartition('.')[2]}` from another thread."
            )
    return ""


def _item(facts: Facts, wait: Wait) -> str:
    """A worker joins a queue in the middle of an item."""
    kind, thread = wait.who
    if wait.name != _JOIN or kind != "thread":
        return ""
    took = _gets_in(facts, thread, wait)
    if not took:
        return ""
    return (
        f"waits in `{_JOIN}` in the middle of an item that it took in `Queue.get`"
        f"{place_in(took)}: if it is the same queue, that item is never done, and the join "
        f"never ends. Call `task_done` first, or join from a thread that takes nothing."
    )


def _gets_in(facts: Facts, thread: int, wait: Wait) -> str:
    """The line of a function that the waiter is in, at which it got an item from a queue."""
    table, rows = facts.model.states, facts.ledger.rows_of_threads
    callers = own_frames(wait.stack)
    inside = {place_of(frame)[::2] for frame in callers}
    low = rows.offset[thread]
    for n in range(
        rows.offset[thread + 1] - 1, max(low, rows.offset[thread + 1] - _MOST) - 1, -1
    ):
        row = rows.row[n]
        if rows.start_ns[n] >= wait.start_ns or table.state[row] & STATE_MASK != IDLE_WAIT:
            continue
        name, site = facts.wait(row)
        if name in GETS and place_of(site)[::2] in inside:
            return site
    return ""
