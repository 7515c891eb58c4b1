"""Tokens for threads that are with threads which wait for coroutines that need one."""

from tracer.units import duration
from viewer.analysis.findings.basis import takers
from viewer.analysis.findings.basis.blockers import GIVEN, LOOP, Blockers
from viewer.analysis.findings.basis.facts import Facts, Finding
from viewer.analysis.findings.basis.waits import LongWaits, name_of, place_in, sites, users
from viewer.analysis.findings.basis.words import at
from viewer.analysis.resources.slots import Group
from viewer.analysis.resources.waits import Wait

_TOKEN = "token"
_RESULT = "Future.result"
_MOSTLY = 8, 10


def tokens_of_threads(
    facts: Facts, waits: LongWaits, group: Group, vain: list[Wait]
) -> Finding | None:
    """As many threads as there are tokens wait, meanwhile, for coroutines on the loop of those
    who wait for a token: one of these must be such a coroutine, or they would go on."""
    worst = max(vain, key=lambda wait: wait.ns)
    have = takers.said(facts, [worst])
    if group.pool.slot != _TOKEN or not have:
        return None
    least, blockers = worst.ns * _MOSTLY[0] // _MOSTLY[1], Blockers(facts)
    stuck = [
        other
        for other in waits.overlapping(worst)
        if other.name == _RESULT
        and min(other.end_ns, worst.end_ns) - max(other.start_ns, worst.start_ns) >= least
        and (blocked := blockers.of(other)) is not None
        and blocked.how in (GIVEN, LOOP)
    ]
    if len({other.who for other in stuck}) < len(have):
        return None
    waits.told.update(wait.slice for wait in (*vain, *stuck))
    model = facts.model
    names = {name_of(model, who) for who in have}
    asked = [wait for wait in vain if name_of(model, wait.who) not in names] or vain
    asking = users(model, (wait.who for wait in asked))
    ends = "until the end of the trace" if worst.is_open else f"for {duration(worst.ns)}"
    text = (
        f"Deadlock {at(facts, worst.start_ns)}, {ends}: "
        f"{users(model, (wait.who for wait in vain))} wait for a token of {group.pool.of}"
        f"{'' if len(asked) == len(vain) else f', {asking}'} in {sites(asked)}. "
        f"{users(model, have)} have them all, and their threads wait"
        f"{place_in(stuck[0].site)} for coroutines of the same loop. What a thread calls on "
        f"the loop (`from_thread.run`) must not need another thread of that limiter: give it "
        f"one of its own, or call the function itself in the thread."
    )
    lost = sum(wait.ns for wait in (*vain, *stuck))
    return Finding("deadlock", lost, text, waits.evidence(worst))
