"""Answers that tasks never got: from outside, of a client that leaves, or where their equals
got theirs at once."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from tracer import schema as s
from tracer.units import MS, duration, plural
from viewer.analysis.causes.part import GIVEN_UP, Kind
from viewer.analysis.findings.basis.facts import LOST_NS, Facts, Finding
from viewer.analysis.findings.basis.waits import LongWaits, place_in, users
from viewer.analysis.findings.basis.words import in_total
from viewer.analysis.ledger.circles import Who
from viewer.analysis.ledger.resource import covers
from viewer.analysis.resources.pacing import stands_by
from viewer.analysis.resources.reading import awaits_of
from viewer.analysis.resources.waits import longest_slices
from viewer.trace.columns import AWAIT
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
        if lost < _LOST_NS or not all(_never_came(facts, i) for i in rows):
            continue
        slices, owner = facts.model.trace.slices, facts.model.owners.owner
        times = [(("task", owner[i]), slices.start_ns[i], slices.end_ns[i]) for i in rows]
        if stands_by(LongWaits.of(facts), times):
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
    return Finding("wait in vain", lost, text, facts.evidence_of_await(worst))


def _unserved_at(facts: Facts, start_ns: int, end_ns: int) -> str:
    """Where a server in the same trace waits for the body of a request for most of a time,
    until its client leaves; "" where none does."""
    slices = facts.model.trace.slices
    for i in awaits_of(facts, _BODY):
        met = min(slices.end_ns[i], end_ns) - max(slices.start_ns[i], start_ns)
        is_most = covers(met, end_ns - start_ns)
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
        if lost < LOST_NS or not all(_client_left(facts, i) for i in rows):
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


def _never_came(facts: Facts, i: int) -> bool:
    may_wait = facts.awaited(i)[0].startswith(f"{s.AWAIT_PREFIX}{_MAY_WAIT} (")
    if facts.model.trace.slices.unfinished[i]:
        return not may_wait
    how = LongWaits.of(facts).tree.ended_by(facts.model.owners.owner[i], i).kind
    return how is Kind.TIMEOUT if may_wait else how in GIVEN_UP


# Two waited for a second or more to the end, or until they were cancelled; three others, and
# as many as these, had their answer in a tenth of that.
_LOST_EACH_NS = 1_000 * MS
_LOST, _ANSWERED = 2, 3
_TIMES = 10
_MOST = 500  # awaits that are looked at, the longest ones
_ALIKE = 5_000  # tasks
# Made for one wait, a future always and an event at times; of answers from outside
# `no_answer` tells.
_FUTURE, _EVENT = "await future", "await Event"


class _Line(NamedTuple):
    """Where the tasks of one function await something."""

    group: int
    what: str
    site: str


class _Await(NamedTuple):
    task: int
    i: int


def lost_answers(facts: Facts) -> Iterator[Finding]:
    """Tasks that await an answer once, as their equals do, and do not get it."""
    waits, owned = LongWaits.of(facts), facts.model.owners
    by_line = defaultdict[_Line, list[_Await]](list)
    for i in longest_slices(facts, (AWAIT,), _LOST_EACH_NS, _MOST):
        task = owned.owner[i]
        if task < 0 or i in waits.told:
            continue
        what, site = facts.awaited(i)
        if site and what in (_FUTURE, _EVENT) and _is_in_vain(waits, task, i):
            by_line[_Line(owned.task_group[task], what, site)].append(_Await(task, i))
    groups = {line.group for line, found in by_line.items() if len(found) >= _LOST}
    alike = defaultdict[int, list[int]](list)
    for task, group in enumerate(owned.task_group if groups else ()):
        if group in groups and len(alike[group]) < _ALIKE:
            alike[group].append(task)
    for line, found in by_line.items():
        lost = [one for one in found if _alone(facts, line, one.task) == one.i]
        if len(lost) < _LOST:
            continue
        gone = {one.task for one in lost}
        others = [task for task in alike[line.group] if task not in gone]
        answered = [*_answered(facts, waits, line, others)]
        if len(answered) >= max(_ANSWERED, len(lost)) and _each_its_own(waits, line, lost):
            yield from _lost(facts, waits, line, lost, answered)


def _is_in_vain(waits: LongWaits, task: int, i: int) -> bool:
    is_open = bool(waits.model.trace.slices.unfinished[i])
    return is_open or waits.tree.ended_by(task, i).kind is Kind.CANCELLED


def _alone(facts: Facts, line: _Line, task: int) -> int:
    """The only await of a task at a line; -1 if there are more: it may be idle in one."""
    found = facts.awaits_at(task, line.what, line.site)
    return found[0] if len(found) == 1 else -1


def _each_its_own(waits: LongWaits, line: _Line, lost: list[_Await]) -> bool:
    """Whether each waits in another object; all may wait for one, as to be told to end."""
    rows = [waits.tree.lanes.task_waits.get(one.i, -1) for one in lost]
    locks = {waits.model.states.row[row] for row in rows if row >= 0}
    return line.what == _FUTURE or len(locks) == len(lost)


def _answered(
    facts: Facts, waits: LongWaits, line: _Line, tasks: list[int]
) -> Iterator[_Await]:
    """Those of these tasks that got an answer at the line."""
    for task in tasks:
        i = _alone(facts, line, task)
        if i >= 0 and not _is_in_vain(waits, task, i):
            yield _Await(task, i)


def _lost(
    facts: Facts, waits: LongWaits, line: _Line, lost: list[_Await], answered: list[_Await]
) -> Iterator[Finding]:
    slices = facts.model.trace.slices
    ns = {one.i: facts.slice_ns(one.i) for one in (*lost, *answered)}
    usual = sorted(ns[one.i] for one in answered)
    least = min(ns[one.i] for one in lost)
    if usual[-1] * _TIMES > least:
        return
    worst, total = max(lost, key=lambda one: ns[one.i]), sum(ns[one.i] for one in lost)
    whos: list[Who] = [("task", one.task) for one in lost]
    enders = Counter[Who]()
    for one in answered:
        ended = waits.tree.ended_by(one.task, one.i)
        if ended.kind is Kind.WAKER and ended.on is not None and ended.on[0] == "task":
            enders[ended.on[0], ended.on[1]] += 1
    by = f", woken by {users(facts.model, enders)}" if enders else ""
    waits.told.update(one.i for one in lost)
    start = slices.start_ns[worst.i]
    text = (
        f"Waited in vain: {users(facts.model, whos)}{place_in(line.site)} got no answer in "
        f"{len(lost):,} of {plural(len(lost) + len(answered), 'wait')} in "
        f"`{line.what.removeprefix(s.AWAIT_PREFIX)}`. They waited "
        f"{in_total(facts, total, ns[worst.i], start)}, until they were cancelled or the "
        f"trace ended. The others had theirs after "
        f"{duration(usual[len(usual) // 2])}, typically{by}. Look for a case in which no "
        f"answer is given (an error, a message that is dropped, a key that is used "
        f"twice), and give the wait a time-out."
    )
    yield Finding("wait in vain", total, text, facts.evidence_of_await(worst.i))
