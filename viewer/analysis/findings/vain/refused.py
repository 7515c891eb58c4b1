"""Cancel scopes whose time is over, while what their tasks await goes on."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from tracer import schema as s
from tracer.units import plural
from viewer.analysis.findings.basis.doing import doing
from viewer.analysis.findings.basis.facts import Facts, Finding
from viewer.analysis.findings.basis.told import of_tasks
from viewer.analysis.findings.basis.waits import LongWaits, place_in, users
from viewer.analysis.findings.basis.words import in_total
from viewer.analysis.ledger.circles import Who
from viewer.trace.columns import AWAIT

# Whoever gave a time notices half a second more. The end of a block is waited for by all.
_LOST_NS = 500_000_000
_EXECUTOR = "executor"


class _Refused(NamedTuple):
    """An await (slice) that goes on after its scope was cancelled, at `since_ns`."""

    task: int
    i: int
    since_ns: int
    ns: int


def refused_cancel(facts: Facts) -> Iterator[Finding]:
    """Tasks that wait on within a cancel scope of trio or anyio that has been cancelled."""
    slices, found = (
        facts.model.trace.slices,
        defaultdict[tuple[str, str], list[_Refused]](list),
    )
    rows = facts.ledger.rows_of_tasks
    for one in of_tasks(facts, s.REFUSED):
        low, high = rows.offset[one.task], rows.offset[one.task + 1]
        row = bisect_right(rows.start_ns, one.at_ns, low, high) - 1
        i = rows.row[row] if row >= low else -1
        if i >= 0 and facts.model.owners.kind[i] == AWAIT:
            ns = slices.end_ns[i] - one.at_ns
            found[facts.awaited(i)].append(_Refused(one.task, i, one.at_ns, ns))
    for (what, site), every in found.items():
        lost = sum(one.ns for one in every)
        if lost >= _LOST_NS:
            yield _finding(facts, what.removeprefix(s.AWAIT_PREFIX), site, every, lost)


def _finding(facts: Facts, what: str, site: str, every: list[_Refused], lost: int) -> Finding:
    worst = max(every, key=lambda one: one.ns)
    whos: list[Who] = [("task", one.task) for one in every]
    waits = LongWaits.of(facts)
    waits.told.update(one.i for one in every)
    enders = {wait.slice: wait.ender for wait in waits.all}
    behind = ((enders.get(one.i), one.since_ns, one.since_ns + one.ns) for one in every)
    did = doing(facts, [(who, since, until) for who, since, until in behind if who])
    text = (
        f"Waited in vain: {users(facts.model, whos)} waited on, in `{what}`{place_in(site)}"
        f" after the time of a cancel scope around it was over"
        f"{f', while the thread was {did}' if did else ''}: "
        f"{plural(len(every), 'wait')}, {in_total(facts, lost, worst.ns, worst.since_ns)}. "
    )
    text += (
        "A cancel does not end what a thread does: give that a time-out of its own, or leave "
        "the thread to itself (`abandon_on_cancel=True`)."
        if what == _EXECUTOR
        else "What it awaits is shielded: give that a time-out of its own."
    )
    evidence = facts.evidence(("task", worst.task), worst.since_ns, worst.ns, site)
    return Finding("wait in vain", lost, text, evidence)
