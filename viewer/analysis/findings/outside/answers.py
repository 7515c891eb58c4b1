"""Answers from outside that never came: a server says nothing, a query is given up."""

from collections import defaultdict
from collections.abc import Iterator

from tracer import schema as s
from tracer.units import plural
from viewer.analysis.causes.part import Kind
from viewer.analysis.findings.basis.databases import awaits_of
from viewer.analysis.findings.basis.facts import Facts, Finding
from viewer.analysis.findings.basis.waits import GIVEN_UP, LongWaits, place_in, users
from viewer.analysis.findings.basis.words import in_total
from viewer.analysis.ledger.circles import Who

_MS = 1_000_000
# A second in all was lost in waits for an answer, at least half a second each, and none came
# there in that time. Who waits for the next request, or for a message, waits for no answer.
_LONG_NS = 500 * _MS
_LOST_NS = 1_000 * _MS
# A command of redis may be one that waits for a job (BLPOP): then only a time-out tells.
_MAY_WAIT = "command"
_ANSWERS = ("response", "query", "command", "connect", "DNS")


def no_answer(facts: Facts) -> Iterator[Finding]:
    """Tasks await an answer until they are cancelled, time out, or the trace ends."""
    model, slices = facts.model, facts.model.trace.slices
    by_place: dict[tuple[str, str], list[int]] = defaultdict(list)
    for name in _ANSWERS:
        for i in awaits_of(facts, f"{s.AWAIT_PREFIX}{name} ("):
            if slices.end_ns[i] - slices.start_ns[i] >= _LONG_NS:
                what, site = facts.awaited(i)
                by_place[what.removeprefix(s.AWAIT_PREFIX), site].append(i)
    for (what, site), rows in by_place.items():
        lost = sum(slices.end_ns[i] - slices.start_ns[i] for i in rows)
        if lost < _LOST_NS or not all(_is_in_vain(facts, i) for i in rows):
            continue
        worst = max(rows, key=lambda i: slices.end_ns[i] - slices.start_ns[i])
        ns, task = slices.end_ns[worst] - slices.start_ns[worst], model.owners.owner[worst]
        tasks: list[Who] = [("task", model.owners.owner[i]) for i in rows]
        text = (
            f"Waited in vain: {users(model, tasks)}{place_in(site)} awaited `{what}`: "
            f"{plural(len(rows), 'wait')}, "
            f"{in_total(facts, lost, ns, slices.start_ns[worst])}, and no answer came: each "
            f"was given up or is not over. Give the call a time-out of its own that is "
            f"shorter, and look at the other end."
        )
        evidence = facts.evidence(("task", task), slices.start_ns[worst], ns, site)
        yield Finding("wait in vain", lost, text, evidence)


def _is_in_vain(facts: Facts, i: int) -> bool:
    may_wait = facts.awaited(i)[0].startswith(f"{s.AWAIT_PREFIX}{_MAY_WAIT} (")
    if facts.model.trace.slices.unfinished[i]:
        return not may_wait
    how = LongWaits.of(facts).tree.ended_by(facts.model.owners.owner[i], i).kind
    return how is Kind.TIMEOUT if may_wait else how in GIVEN_UP
