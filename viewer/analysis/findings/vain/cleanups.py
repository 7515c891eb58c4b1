"""Time-outs that come late, since what they cancelled awaits something in its clean-up."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from tracer import schema as s
from tracer.units import duration, plural
from viewer.analysis.causes.part import GIVEN_UP
from viewer.analysis.findings.basis.facts import Facts, Finding
from viewer.analysis.findings.basis.waits import LongWaits, place_in, users
from viewer.analysis.findings.basis.words import at
from viewer.analysis.ledger.circles import Who
from viewer.analysis.resources.waits import longest_slices
from viewer.analysis.states import mentioned
from viewer.trace.columns import AWAIT
from viewer.trace.sites import Place, innermost, place_of

_MS = 1_000_000
# Half a second in all, in awaits of a tenth of a second: clean-ups take a moment, as a rule.
_LONG_NS = 100 * _MS
_LOST_NS = 500 * _MS
_MOST = 2_000
_NEAR = 4  # slices from one await to the next
_WAIT_FOR, _ASYNCIO = " wait_for", "/asyncio/tasks.py:"


class _Late(NamedTuple):
    """An await (slice) within a `wait_for` whose time is over since `since_ns`."""

    task: int
    i: int
    given_ns: int
    since_ns: int


def late_time_out(facts: Facts) -> Iterator[Finding]:
    """Tasks that await something within `asyncio.wait_for` after that has cancelled it."""
    if not mentioned(facts.model, _WAIT_FOR):
        return
    found: dict[tuple[str, str], list[_Late]] = defaultdict(list)
    for i in longest_slices(facts, (AWAIT,), _LONG_NS, _MOST):
        scope = _scope_of(facts, i)
        late = _late(facts, i, scope) if scope else None
        if late is not None:
            caller = innermost(scope[1:])
            found[caller, facts.awaited(i)[1]].append(late)
    for (caller, where), every in found.items():
        lost = sum(facts.slice_ns(one.i) for one in every)
        if lost >= _LOST_NS:
            yield _finding(facts, caller, where, every, lost)


@lru_cache(maxsize=4096)
def _scope(stack: str) -> tuple[str, ...]:
    """The frames from the innermost `wait_for` outwards; () without one."""
    frames = stack.split("\n")
    for n, frame in enumerate(frames):
        if frame.endswith(_WAIT_FOR) and _ASYNCIO in frame:
            return tuple(frames[n:])
    return ()


def _late(facts: Facts, i: int, scope: tuple[str, ...]) -> _Late | None:
    """Whether the await before this one was cut short in the same `wait_for`, and this one is
    the last in it."""
    slices, waits = facts.model.trace.slices, LongWaits.of(facts)
    task = facts.model.owners.owner[i]
    rows = waits.tree.lanes.rows_of_task(task) if task >= 0 else ()
    at_i = bisect_left(rows, i)
    before = _await_in(facts, rows[max(at_i - _NEAR, 0) : at_i][::-1])
    after = _await_in(facts, rows[at_i + 1 : at_i + 1 + _NEAR])
    if before < 0 or _scope_of(facts, before) != scope or not _is_cut(waits, task, before):
        return None
    inner, now = _inside(facts, before), _inside(facts, i)
    is_same_call = inner.function == now.function and inner.line != now.line
    if not is_same_call or (after >= 0 and scope[0] in _scope_of(facts, after)):
        return None
    given_ns = facts.slice_ns(before)
    return _Late(task, i, given_ns, slices.start_ns[i])


def _await_in(facts: Facts, rows: Sequence[int]) -> int:
    """The first await among a task's slices; -1 none."""
    return next((j for j in rows if facts.model.owners.kind[j] == AWAIT), -1)


def _scope_of(facts: Facts, i: int) -> tuple[str, ...]:
    return _scope(facts.stack(i))


def _inside(facts: Facts, i: int) -> Place:
    """What the innermost `wait_for` awaits: its line tells a clean-up from another call."""
    stack = facts.stack(i)
    frames = stack.split("\n")
    return place_of(frames[max(len(frames) - len(_scope(stack)) - 1, 0)])


def _is_cut(waits: LongWaits, task: int, i: int) -> bool:
    ended = waits.tree.ended_by(task, i)
    return ended.kind in GIVEN_UP or waits.timed_out(ended, task, i)


def _finding(facts: Facts, caller: str, where: str, every: list[_Late], lost: int) -> Finding:
    worst = max(every, key=lambda one: facts.slice_ns(one.i))
    ns = facts.slice_ns(worst.i)
    what, _ = facts.awaited(worst.i)
    whos: list[Who] = [("task", one.task) for one in every]
    text = (
        f"Waited in vain: {users(facts.model, whos)}{place_in(caller)} gave up after "
        f"{duration(worst.given_ns)} (`wait_for`), but then waited {duration(ns)} more "
        f"({at(facts, worst.since_ns)}) for what it had cancelled, which awaits "
        f"`{what.removeprefix(s.AWAIT_PREFIX)}`{place_in(where)} in its clean-up: "
        f"{plural(len(every), 'wait')}, {duration(lost)} in total. Clean up without awaiting, "
        f"with a short time-out, or in a task of its own."
    )
    evidence = facts.evidence(("task", worst.task), worst.since_ns, ns, where)
    return Finding("wait in vain", lost, text, evidence)
