"""Requests that tasks of a process make of others in the same process, by way of a server."""

from collections.abc import Iterable

from tracer.units import MS
from viewer.analysis.ledger.circles import Who
from viewer.analysis.ledger.ledger import Ledger
from viewer.analysis.resources.talks import Use
from viewer.analysis.resources.waits import Wait, Waits

_ANSWERED_NS = 50 * MS  # from when a handler gives up to the end of the wait for its answer


def origin(ledger: Ledger, task: int) -> int:
    """The first of those who made one another."""
    while (parent := ledger.parent_of(task)) >= 0:
        task = parent
    return task


def askers(waits: Waits, uses: Iterable[Use], vain: list[Wait]) -> set[Who]:
    """The tasks that asked those who wait in vain, one for each: the last to begin a wait for
    an answer before that one began, which somebody else has made, and answered as it gave up.
    """
    ledger, found = waits.reading.ledger, set[Who]()
    of_tasks = [use for use in uses if use.who[0] == "task"]
    for wait in vain if vain[0].who[0] == "task" else ():
        begun_ns, first = waits.begins_ns(wait.who), origin(ledger, wait.who[1])
        asked = [
            (use.start_ns, use.who)
            for use in of_tasks
            if use.start_ns <= begun_ns
            and 0 <= use.end_ns - wait.end_ns <= _ANSWERED_NS
            and origin(ledger, use.who[1]) != first
            and use.who not in found
        ]
        if asked:
            found.add(max(asked)[1])
    return found
