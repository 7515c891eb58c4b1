"""The words for each kind of resource: what its waits cost, and what those did who had it."""

from collections.abc import Iterator
from typing import NamedTuple

from tracer.units import duration, plural
from viewer.analysis.findings.basis.doing import mostly
from viewer.analysis.findings.basis.facts import LOST_NS, Facts, Finding
from viewer.analysis.findings.basis.waits import LongWaits, place_in, sites, users
from viewer.analysis.findings.basis.words import in_total
from viewer.analysis.findings.locks.ownlocks import own_lock_of
from viewer.analysis.findings.locks.polled import known_lock
from viewer.analysis.findings.pools.stalled import stalled_questions
from viewer.analysis.resources.made import made_in_turn
from viewer.analysis.resources.polled import polled
from viewer.analysis.resources.resource import Known, Resource
from viewer.words import code

# As with other pools, half a second must be lost.
_GUESSED = {
    Known.ENDS: "The trace does not show who holds it: this follows from when each goes on. "
}


class Said(NamedTuple):
    """Who waits for what and how often, up to the time that they lost; how long each one has
    it, up to that time; and what to do."""

    lost: str
    each: str
    step: str


def exhausted(facts: Facts, found: Resource, said: Said) -> Finding:
    """The claims lost time since the resource was given to others."""
    worst, did = found.worst, mostly(facts, found.had)
    text = (
        f"Pool exhausted: {said.lost} {in_total(facts, found.ns, worst.ns, worst.start_ns)}. "
        f"{said.each} {duration(found.mean_ns)} on average"
        f"{f', {did.text}' if did.text else ''}. {_GUESSED.get(found.known, '')}"
        f"{said.step}"
    )
    evidence = facts.evidence(worst.who, worst.start_ns, worst.ns, worst.site)
    return Finding("pool exhausted", found.ns, text, evidence, behind=did.behind)


def polled_slots(facts: Facts) -> Iterator[Finding]:
    """A pool, or a flag, of one's own that is polled."""
    for found in polled(LongWaits.of(facts), LOST_NS, _is_lock):
        if (stalled := stalled_questions(facts, found)) is not None:
            yield stalled
            continue
        asking = users(facts.model, (claim.who for claim in found.claims))
        pauses = plural(sum(claim.looks for claim in found.claims), "pause")
        said = Said(
            f"{asking} poll{place_in(found.worst.site)} until one of those "
            f"before them has ended: {plural(len(found.claims), 'wait')} of {pauses} lost",
            f"It lets {found.size} through at a time, and each makes room for the next after",
            "Hold it for less time, or raise their number; a semaphore or a queue would wake "
            "the next one at once.",
        )
        yield exhausted(facts, found, said)


def _is_lock(stack: tuple[str, ...]) -> bool:
    """Whether what is asked for is a lock, of the program's own or of a library."""
    return bool(own_lock_of(stack)) or known_lock("\n".join(stack)) is not None


def relayed(facts: Facts) -> Iterator[Finding]:
    """A limit of a pool or library, which makes a task for each that waits."""
    for found in made_in_turn(LongWaits.of(facts), LOST_NS):
        waiting = users(facts.model, (claim.who for claim in found.claims))
        group = facts.model.owners.task_group[found.holds[0].who[1]]
        slow = len({claim.site for claim in found.claims}) > 1
        said = Said(
            f"{waiting} waited in {sites(found.claims)} until "
            f"{code(*facts.model.coroutine(group))} could begin for them: "
            f"{plural(len(found.claims), 'wait')} lost",
            f"It runs {found.size} at a time, and the next one begins as one of them ends; "
            f"each takes",
            "Raise that limit (`max_clients`, `limit`)"
            f"{', or give the slow ones one of their own' if slow else ''}.",
        )
        yield exhausted(facts, found, said)
