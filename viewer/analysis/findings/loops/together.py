"""Steps that come one after the other: none blocks its loop for long, all of them do."""

from collections import defaultdict
from collections.abc import Container, Iterator

from tracer.units import MS, duration
from viewer.analysis.findings.basis.facts import LOST_NS, Facts, Finding
from viewer.analysis.findings.loops.steps import Step, evidence_of, next_step, what_they_do
from viewer.analysis.tasks import TaskRow
from viewer.trace.columns import LOOP_TASK
from viewer.words import code

# Five steps of 10 ms or more, each of its own time. Tasks of other coroutines ran 50 ms late
# because of them, and lost half a second in all.
_STEPS = 5
_LATE_NS = 50 * MS

type Occupant = tuple[int, str, str]  # process, name, site


def blocked_together(
    facts: Facts, steps: list[Step], told: Container[Occupant]
) -> Iterator[Finding]:
    """Steps of one coroutine hold up others again and again, though each is quick."""
    by_coroutine = defaultdict[Occupant, list[Step]](list)
    for step in steps:
        if facts.model.owners.kind[step.slice] == LOOP_TASK:
            name, site, _ = facts.runs(step.slice)
            process = facts.model.loops[step.lane].process
            by_coroutine[process, name, site].append(step)
    for occupant, found in by_coroutine.items():
        if len(found) < _STEPS or occupant in told:
            continue
        own = sum(step.own_ns for step in found) / sum(step.duration_ns for step in found)
        late = [
            (int(_behind(row, occupant) * own), row)
            for row in facts.tasks.at_least("ready_ns", _LATE_NS)
            if _late_ns(row, occupant) * own >= _LATE_NS
        ]
        lost = sum(ns for ns, _ in late)
        if lost >= LOST_NS * facts.patience:
            yield _finding(
                facts, occupant, found, max(late, key=lambda pair: pair[0])[1], lost
            )


def _behind(row: TaskRow, occupant: Occupant) -> int:
    """How long tasks were ready while others of a coroutine ran."""
    if (row.coro, row.site) == occupant[1:]:
        return 0
    return sum(delay.ns for delay in row.delayed_by if (delay.who, delay.site) == occupant[1:])


def _late_ns(row: TaskRow, occupant: Occupant) -> int:
    """The part of a row's longest wait in which tasks of a coroutine ran."""
    if row.worst is None or (row.coro, row.site) == occupant[1:]:
        return 0
    delays = row.worst.delayed_by
    return sum(delay.ns for delay in delays if (delay.who, delay.site) == occupant[1:])


def _finding(
    facts: Facts, occupant: Occupant, found: list[Step], most: TaskRow, lost: int
) -> Finding:
    _, name, site = occupant
    total = sum(step.own_ns for step in found)
    nouns = facts.model.nouns_on(found[0].lane)
    text = (
        f"{code(name, site)} blocks the {nouns.loop} with steps that follow each "
        f"other: {len(found)} of them took {duration(total // len(found))} on average, "
        f"{duration(total)} in total{what_they_do(facts, found)}; because of them "
        f"{code(most.coro, most.site)} runs up to {duration(_late_ns(most, occupant))} late, "
        f"and other {nouns.task}s lost {duration(lost)} in all."
    )
    evidence = evidence_of(facts, found[0], site)
    return Finding("loop blocked", lost, text, evidence, next_step(facts, found))
