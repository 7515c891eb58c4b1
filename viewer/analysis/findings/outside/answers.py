"""Answers from outside that never came: a server says nothing, a query is given up."""

from collections import defaultdict
from collections.abc import Iterator

from tracer import schema as s
from tracer.units import MS, plural
from viewer.analysis.causes.part import GIVEN_UP, Kind
from viewer.analysis.findings.basis.facts import Facts, Finding
from viewer.analysis.findings.basis.waits import LongWaits, place_in, users
from viewer.analysis.findings.basis.words import in_total
from viewer.analysis.ledger.circles import Who
from viewer.analysis.resources.reading import awaits_of
from viewer.trace.sites import is_library, place_of

# A second in all was lost in waits for an answer, at least half a second each, and none came
# there in that time. Who waits for the next request, or for a message, waits for no answer.
_LONG_NS = 500 * MS
_LOST_NS = 1_000 * MS
# A command of redis may be one that waits for a job (BLPOP): then only a time-out tells.
_MAY_WAIT = "command"
# Half a second of waits for a request's body, a fifth of a second each, that all ended as the
# client left. A framework's function for bodies waits there: others wait to hear that the
# client leaves, as each answer in parts does.
_BODY = f"{s.AWAIT_PREFIX}body (uvicorn)"
_PART_NS = 200 * MS
_LEFT_NS = 500 * MS
_LEAVES = (".connection_lost", ".eof_received")
_READ_BODIES = (".stream", ".body", ".read_body")  # of Starlette, of Django
_ANSWERS = ("response", "query", "command", "connect", "DNS")
_GIVEN_UP = (
    "no answer came: each was given up or is not over. Give the call a time-out of its own "
    "that is shorter, and look at the other end."
)
_LEFT = (
    "each ended as the client closed its connection. A body comes once: where a middleware "
    "has read it, it must hand it on. Else the client sent only a part: give the wait a "
    "time-out."
)


def no_answer(facts: Facts) -> Iterator[Finding]:
    """Tasks await an answer until they are cancelled, time out, or the trace ends."""
    by_place: dict[tuple[str, str], list[int]] = defaultdict(list)
    for name in _ANSWERS:
        for i in awaits_of(facts, f"{s.AWAIT_PREFIX}{name} ("):
            if facts.slice_ns(i) >= _LONG_NS:
                what, site = facts.awaited(i)
                by_place[what.removeprefix(s.AWAIT_PREFIX), site].append(i)
    for (what, site), rows in by_place.items():
        lost = facts.slices_ns(rows)
        if lost < _LOST_NS or not all(_is_in_vain(facts, i) for i in rows):
            continue
        finding = _finding(facts, f"`{what}`", site, rows, _GIVEN_UP)
        start_ns = finding.evidence.start_ns
        behind = _unserved_at(facts, start_ns, start_ns + finding.evidence.duration_ns)
        yield finding._replace(behind=behind)


def _finding(facts: Facts, what: str, site: str, rows: list[int], how: str) -> Finding:
    """Tasks awaited it at a line (slices), and `how` says how that ended."""
    model, slices = facts.model, facts.model.trace.slices
    lost = facts.slices_ns(rows)
    worst = facts.longest_slice(rows)
    start, ns = slices.start_ns[worst], facts.slice_ns(worst)
    tasks: list[Who] = [("task", model.owners.owner[i]) for i in rows]
    text = (
        f"Waited in vain: {users(model, tasks)}{place_in(site)} awaited {what}: "
        f"{plural(len(rows), 'wait')}, {in_total(facts, lost, ns, start)}, and {how}"
    )
    evidence = facts.evidence(("task", model.owners.owner[worst]), start, ns, site)
    return Finding("wait in vain", lost, text, evidence)


def _unserved_at(facts: Facts, start_ns: int, end_ns: int) -> str:
    """Where a server in the same trace waits for the body of a request for most of a time,
    until its client leaves; "" where none does."""
    slices = facts.model.trace.slices
    for i in awaits_of(facts, _BODY):
        met = min(slices.end_ns[i], end_ns) - max(slices.start_ns[i], start_ns)
        is_most = met * 10 >= (end_ns - start_ns) * 8
        if is_most and _reads_body(facts, i) and _client_left(facts, i):
            return facts.awaited(i)[1]
    return ""


def body_never_came(facts: Facts) -> Iterator[Finding]:
    """Tasks of a server wait for a request's body until its client has gone."""
    by_place: dict[tuple[str, str], list[int]] = defaultdict(list)
    for i in awaits_of(facts, _BODY):
        if facts.slice_ns(i) >= _PART_NS and _reads_body(facts, i):
            what, site = facts.awaited(i)
            by_place[what.removeprefix(s.AWAIT_PREFIX), site].append(i)
    for (what, site), rows in by_place.items():
        lost = facts.slices_ns(rows)
        if lost < _LEFT_NS or not all(_client_left(facts, i) for i in rows):
            continue
        yield _finding(facts, f"`{what}` of a request", site, rows, _LEFT)


def _reads_body(facts: Facts, i: int) -> bool:
    frames = facts.stack(i).split("\n")
    return any(
        is_library(frame) and place_of(frame).function.endswith(_READ_BODIES)
        for frame in frames
        if frame
    )


def _client_left(facts: Facts, i: int) -> bool:
    """Whether the end of a connection ended an await."""
    trace, task = facts.model.trace, facts.model.owners.owner[i]
    after = LongWaits.of(facts).tree.lanes.after_await(task, i)
    event = trace.slices.event[after] if after >= 0 else -1
    frames = trace.text_of_event(event, s.ARG_STACK).split("\n")
    return any(place_of(frame).function.endswith(_LEAVES) for frame in frames if frame)


def _is_in_vain(facts: Facts, i: int) -> bool:
    may_wait = facts.awaited(i)[0].startswith(f"{s.AWAIT_PREFIX}{_MAY_WAIT} (")
    if facts.model.trace.slices.unfinished[i]:
        return not may_wait
    how = LongWaits.of(facts).tree.ended_by(facts.model.owners.owner[i], i).kind
    return how is Kind.TIMEOUT if may_wait else how in GIVEN_UP
