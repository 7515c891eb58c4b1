"""A pool that connects in the background, and can not: who waits for it is not told."""

import re

from tracer import schema as s
from tracer.units import plural
from viewer.analysis.findings.basis.databases import calls_of
from viewer.analysis.findings.basis.facts import Facts, Finding
from viewer.analysis.findings.basis.waits import LongWaits, sites, users
from viewer.analysis.findings.basis.words import in_total
from viewer.analysis.resources.reading import awaits_of
from viewer.analysis.resources.slots import Group
from viewer.analysis.resources.takers import askers
from viewer.analysis.resources.waits import Wait
from viewer.analysis.states import mentioned, stack_of
from viewer.analysis.waited import package_of
from viewer.trace.columns import IO

_MS = 1_000_000
# It may have begun before anybody waited; between attempts it pauses for a second and more.
_BEFORE_NS = 1_000 * _MS
_BY_POOL = re.compile(r"-packages/psycopg_pool/\S+ \S*Pool\._connect$", re.MULTILINE)
_PART = "Pool._connect"


def unreachable(
    facts: Facts, waits: LongWaits, group: Group, vain: list[Wait]
) -> Finding | None:
    """The pool tried to connect meanwhile: nobody has the connections, there are none."""
    if not mentioned(facts.model, _PART):
        return None
    until = max(wait.end_ns for wait in vain)
    asked, _ = askers(waits, package_of(vain[0].name), until)
    # Who asks the server has a connection: what was tried until then has succeeded.
    since = max(min(wait.start_ns for wait in vain) - _BEFORE_NS, *asked.values(), 0)
    attempts = sum(since <= start <= until for start in _attempts(facts))
    if not attempts:
        return None
    worst, lost = max(vain, key=lambda wait: wait.ns), sum(wait.ns for wait in vain)
    text = (
        f"Waited in vain: {users(facts.model, (wait.who for wait in vain))} in {sites(vain)} "
        f"gave up waiting for a {group.pool.slot} of {group.pool.of}: "
        f"{plural(len(vain), 'wait')}, {in_total(facts, lost, worst.ns, worst.start_ns)}. "
        f"Nobody got one: the pool itself tried to connect, {plural(attempts, 'time')} that "
        f"the trace shows, and has no connection to give. Look whether the server is up and "
        f"at that address; the pool's log has the error."
    )
    return Finding("wait in vain", lost, text, waits.evidence(worst))


def _attempts(facts: Facts) -> list[int]:
    """When the pool's threads and tasks tried to connect: calls that belong together, once."""
    table, slices, found = facts.model.states, facts.model.trace.slices, list[int]()
    last = dict[int, int]()
    for row in calls_of(facts, (IO,)):
        if _BY_POOL.search(stack_of(facts.model, row)):
            thread, start = table.who[row], table.start_ns[row]
            if start - last.get(thread, start - _BEFORE_NS) >= _BEFORE_NS // 10:
                found.append(start)
            last[thread] = table.end_ns[row]
    for i in awaits_of(facts, f"{s.AWAIT_PREFIX}connect (psycopg"):
        if _BY_POOL.search(facts.stack(i)):
            found.append(slices.start_ns[i])
    return found
