"""Some of many equal tasks get no answer, at a line at which the others got theirs at once."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from tracer import schema as s
from tracer.units import MS, duration, plural
from viewer.analysis.causes.part import GIVEN_UP, Kind
from viewer.analysis.findings.basis.facts import Facts, Finding
from viewer.analysis.findings.basis.waits import LongWaits, place_in, users
from viewer.analysis.findings.basis.words import in_total
from viewer.analysis.ledger.circles import Who
from viewer.analysis.resources.waits import longest_slices
from viewer.trace.columns import AWAIT

# Two waited for a second or more to the end, or until they were cancelled; three others, and
# as many as these, had their answer in a tenth of that.
_LONG_NS = 1_000 * MS
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
    for i in longest_slices(facts, (AWAIT,), _LONG_NS, _MOST):
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
            yield from _finding(facts, waits, line, lost, answered)


def _is_in_vain(waits: LongWaits, task: int, i: int) -> bool:
    if waits.model.trace.slices.unfinished[i]:
        return True
    ended = waits.tree.ended_by(task, i)
    return ended.kind in GIVEN_UP


def _alone(facts: Facts, line: _Line, task: int) -> int:
    """The only await of a task at a line; -1 if there are more: it may be idle in one."""
    found = -1
    for i in facts.awaits_of_task(task):
        if facts.awaited(i) == (line.what, line.site):
            if found >= 0:
                return -1
            found = i
    return found


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


def _finding(
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
    evidence = facts.evidence(("task", worst.task), start, ns[worst.i], line.site)
    yield Finding("wait in vain", total, text, evidence)
