"""Groups of tasks that do not end, since one of them waits for what nobody does any more."""

from collections.abc import Iterator

from tracer import schema as s
from tracer.units import duration
from viewer.analysis.findings.basis.facts import Facts, Finding
from viewer.analysis.findings.basis.waits import LongWaits, name_of, place_in, users
from viewer.analysis.findings.basis.words import at
from viewer.analysis.ledger.circles import Who
from viewer.analysis.resources.waits import Wait
from viewer.words import code

_MS = 1_000_000
# All others of the group have ended a second ago, and the last one is cancelled as it waits.
_ALONE_NS = 1_000 * _MS
_THEN_NS = 50 * _MS
_WOKEN = ("Event", "Condition", "future")


def forgotten_task(facts: Facts) -> Iterator[Finding]:
    """A task waits for the last one of those it began, which is cancelled in its wait."""
    waits = LongWaits.of(facts)
    alone = [
        wait
        for wait in waits.all
        if wait.who[0] == "task" and wait.name in _WOKEN and wait.failed and not wait.is_open
        if wait.ns >= _ALONE_NS and wait.slice not in waits.told
        if _is_its_end(facts, waits, wait)
    ]
    for wait in alone:
        maker = facts.ledger.parent_of(wait.who[1])
        group = facts.ledger.children_of(maker) if maker >= 0 else ()
        others: list[Who] = [("task", one) for one in group if one != wait.who[1]]
        ended_ns = max(map(waits.ends_ns, others), default=0)
        since_ns = max(wait.start_ns, ended_ns)
        parent = _waits_for(waits, maker, since_ns, wait.end_ns)
        if not others or parent is None or wait.end_ns - since_ns < _ALONE_NS:
            continue
        waits.told.add(wait.slice)
        text = (
            f"Waited in vain: {code(name_of(facts.model, parent.who))}{place_in(parent.site)} "
            f"waited for {code(name_of(facts.model, wait.who))}, which waited "
            f"{duration(wait.ns)} in `{wait.name}`{place_in(wait.site)} until it was "
            f"cancelled ({at(facts, wait.start_ns)}): nobody ended that. The others in that "
            f"`{parent.name}`, {users(facts.model, others)}, had ended "
            f"{duration(wait.end_ns - since_ns)} before. Cancel it when they have ended, or "
            f"end its wait."
        )
        yield Finding("wait in vain", wait.end_ns - since_ns, text, waits.evidence(wait))


def _is_its_end(facts: Facts, waits: LongWaits, wait: Wait) -> bool:
    """Whether a task ends as cancelled in this wait."""
    ends_soon = waits.ends_ns(wait.who) - wait.end_ns <= _THEN_NS
    return ends_soon and facts.ledger.how_it_ended(wait.who[1]) == s.CANCELLED


def _waits_for(waits: LongWaits, task: int, since_ns: int, until_ns: int) -> Wait | None:
    """The wait of a task for those it began, in all of that time."""
    return next(
        (
            wait
            for wait in waits.for_tasks
            if wait.who == ("task", task)
            and wait.start_ns <= since_ns
            and wait.end_ns >= until_ns - _THEN_NS
        ),
        None,
    )
