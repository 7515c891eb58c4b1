"""The last of equal threads, jobs or children that computes while all others have ended."""

from collections.abc import Iterable

from tracer.units import duration, plural
from viewer.analysis.findings.basis.doing import mostly
from viewer.analysis.findings.basis.facts import COMPUTING, NOT_ITS_FAULT, Facts, Finding
from viewer.analysis.findings.basis.waits import place_in
from viewer.analysis.findings.basis.words import at
from viewer.analysis.ledger.resource import covers, window
from viewer.analysis.profiles.cpu import stack_places
from viewer.analysis.profiles.profile import Place as Sampled
from viewer.analysis.states import stack_of
from viewer.trace.columns import IDLE_WAIT, IO, LOCK_WAIT, SLEEP
from viewer.trace.sites import Place, place_of
from viewer.words import code

# It computes for half a second by itself, and hardly waits: else it is slow, and has not more
# to do than the others.
_COMPUTES_NS = 500_000_000
_MULTIPROCESSING = "/multiprocessing/"
_BEGIN = "BaseProcess._bootstrap"


def computes(facts: Facts, thread: int, since_ns: int, until_ns: int) -> int:
    """How long the thread computes, if that is nearly all it does; else 0."""
    split = facts.split(thread, window(since_ns, until_ns))
    ns = split.of(COMPUTING)
    does = covers(ns + split.of(NOT_ITS_FAULT), until_ns - since_ns)
    return ns if ns >= _COMPUTES_NS and does else 0


def uneven(
    facts: Facts, one: str, thread: int, took_ns: int, others: int, usual_ns: int,
    waiter: int, call: str, site: str, since_ns: int, until_ns: int,
) -> Finding | None:  # fmt: skip
    """`one` is what the thread is or does, in words; the waiter stands in the call."""
    ns = computes(facts, thread, since_ns, until_ns)
    if not ns:
        return None
    did = mostly(facts, [(("thread", thread), since_ns, until_ns)])
    text = (
        f"Uneven workers: {one} took {duration(took_ns)}, {plural(others, 'other')} like it "
        f"{duration(usual_ns)}, typically. "
        f"{code(facts.model.thread_names[waiter])}{place_in(site)} waited "
        f"{duration(until_ns - since_ns)} in `{call}` ({at(facts, since_ns)}) for this one "
        f"alone, {did.text}. Share the work out in smaller pieces, or let all take the next "
        f"one from one queue."
    )
    evidence = facts.evidence(("thread", waiter), since_ns, until_ns - since_ns, site)
    return Finding("uneven workers", ns, text, evidence)


def targets(facts: Facts, threads: Iterable[int]) -> dict[int, str]:
    """By thread, of those that `multiprocessing` began, the function that it runs, by a stack
    of its waits or samples; without those of which neither tells."""
    model, table = facts.model, facts.model.states
    left, found = {*threads}, dict[int, str]()
    for row in facts.rows_of((IO, LOCK_WAIT, IDLE_WAIT, SLEEP), 0):
        if table.who[row] in left:
            target = _target(map(place_of, stack_of(model, row).split("\n")))
            if target:
                found[table.who[row]] = target
                left.discard(table.who[row])
        if not left:
            return found
    places = stack_places(model) if facts.samples else []
    for thread in left:
        for _, stack in facts.samples_of(model.threads[thread].tid):
            target = _target(places[stack])
            if target:
                found[thread] = target
                break
    return found


def _target(stack: Iterable[Place | Sampled]) -> str:
    """The function called by the process's own code; of a stack, the innermost one first."""
    inner = ""
    for place in stack:
        if place.function.endswith(_BEGIN):
            return inner
        if _MULTIPROCESSING not in place.path:
            inner = place.function.rpartition(".")[2]
    return ""
