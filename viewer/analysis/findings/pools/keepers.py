"""Who uses the connections of a library's pool all the while others wait for one in vain."""

from collections import Counter

from tracer import schema as s
from tracer.units import plural
from viewer.analysis.findings.basis.doing import doing
from viewer.analysis.findings.basis.facts import Facts, Finding
from viewer.analysis.findings.basis.takers import is_talk, size, used
from viewer.analysis.findings.basis.waits import LongWaits, sites, users
from viewer.analysis.findings.basis.words import in_total
from viewer.analysis.ledger.circles import Who
from viewer.analysis.resources.reading import awaits_of
from viewer.analysis.resources.slots import Group
from viewer.analysis.resources.waits import Wait
from viewer.analysis.waited import package_of

# Whoever talks to the server for half of the longest wait has a connection all the while.
_HALF = 2


def kept_in_use(
    facts: Facts, waits: LongWaits, group: Group, vain: list[Wait]
) -> Finding | None:
    """The slots are not lost: those who have them use them for longer than others can wait."""
    worst = max(vain, key=lambda wait: wait.ns)
    slots, found = size(facts, worst), _in_use(facts, worst)
    found -= {wait.who for wait in vain}
    if not found or len(found) < slots:
        return None
    slot, lost = group.pool.slot, sum(wait.ns for wait in vain)
    did = doing(facts, [(who, worst.start_ns, worst.end_ns) for who in sorted(found)])
    verb = "has" if len(found) == 1 else "have"
    all_of = f"all {plural(slots, slot)}" if slots > 1 else f"the only {slot}"
    text = (
        f"Pool exhausted: {users(facts.model, found)} {verb} "
        f"{all_of if slots else f'the {slot}s'} of "
        f"{group.pool.of}{f', {did}' if did else ''}. Meanwhile "
        f"{users(facts.model, (wait.who for wait in vain))} waited for one in {sites(vain)} "
        f"and gave up: {plural(len(vain), 'wait')}, "
        f"{in_total(facts, lost, worst.ns, worst.start_ns)}. Keep it for less time, or raise "
        f"the number of {slot}s."
    )
    return Finding("pool exhausted", lost, text, waits.evidence(worst))


def _in_use(facts: Facts, wait: Wait) -> set[Who]:
    """Those who talked to the pool's server for at least half of a wait."""
    package, talked = package_of(wait.name), Counter[Who]()
    if not package:
        return set()
    slices, owner = facts.model.trace.slices, facts.model.owners.owner
    process = LongWaits.of(facts).process(wait.who)
    for i in awaits_of(facts, s.AWAIT_PREFIX):
        if slices.start_ns[i] >= wait.end_ns:
            break
        met = min(slices.end_ns[i], wait.end_ns) - max(slices.start_ns[i], wait.start_ns)
        what = facts.awaited(i)[0].removeprefix(s.AWAIT_PREFIX)
        if met > 0 and is_talk(what, package):
            talked["task", owner[i]] += met
    for who, _, start_ns, end_ns in used(facts, package, wait.end_ns):
        talked[who] += max(min(end_ns, wait.end_ns) - max(start_ns, wait.start_ns), 0)
    process_of = LongWaits.of(facts).process
    return {
        who
        for who, ns in talked.items()
        if ns * _HALF >= wait.ns and process_of(who) == process
    }
