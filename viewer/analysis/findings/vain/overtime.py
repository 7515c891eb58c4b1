"""Tasks that wait on after their time was over, or after they were cancelled."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from tracer import schema as s
from tracer.units import MS, duration, plural
from viewer.analysis.findings.basis.doing import doing
from viewer.analysis.findings.basis.facts import LOST_NS, Facts, Finding
from viewer.analysis.findings.basis.told import of_tasks
from viewer.analysis.findings.basis.waits import LongWaits, name_of, place_in, users
from viewer.analysis.findings.basis.words import at, in_total
from viewer.analysis.findings.vain.abandoned import cancelled_before, for_tasks
from viewer.analysis.resources.cuts import By, Cut, Cuts
from viewer.analysis.resources.waits import longest_slices
from viewer.analysis.states import mentioned
from viewer.trace.columns import AWAIT
from viewer.trace.sites import Place, innermost, own_frames, place_of
from viewer.words import code

# Whoever gave a time notices half a second more. The end of a block is waited for by all.
_EXECUTOR = "executor"


class _Late(NamedTuple):
    """An await (slice) that goes on since a time was over, which `cut` short another one."""

    task: int
    i: int
    since_ns: int
    ns: int
    cut: int = -1


# By line of the caller, or what it awaits, and line of the await.
type _Found = dict[tuple[str, str], list[_Late]]


def _told(
    facts: Facts, found: _Found, text: Callable[[Facts, str, str, list[_Late]], str]
) -> Iterator[Finding]:
    """Those that lost enough at one line."""
    for (by, site), every in found.items():
        lost, worst = sum(one.ns for one in every), max(every, key=lambda one: one.ns)
        if lost >= LOST_NS:
            evidence = facts.evidence(("task", worst.task), worst.since_ns, worst.ns, site)
            yield Finding("wait in vain", lost, text(facts, by, site, every), evidence)


def _who(facts: Facts, every: list[_Late]) -> str:
    return users(facts.model, [("task", one.task) for one in every])


def _times(facts: Facts, every: list[_Late]) -> str:
    lost, worst = sum(one.ns for one in every), max(every, key=lambda one: one.ns)
    how_long = in_total(facts, lost, worst.ns, worst.since_ns)
    return f"{plural(len(every), 'wait')}, {how_long}"


def refused_cancel(facts: Facts) -> Iterator[Finding]:
    """Tasks that wait on within a cancel scope of trio or anyio that has been cancelled."""
    slices, found = facts.model.trace.slices, defaultdict[tuple[str, str], list[_Late]](list)
    rows = facts.ledger.rows_of_tasks
    for one in of_tasks(facts, s.REFUSED):
        begun = rows.begun(one.task, 0, one.at_ns + 1)
        i = rows.row[begun[-1]] if begun else -1
        if i >= 0 and facts.model.owners.kind[i] == AWAIT:
            ns = slices.end_ns[i] - one.at_ns
            found[facts.awaited(i)].append(_Late(one.task, i, one.at_ns, ns))
    yield from _told(facts, found, _refused)


def _refused(facts: Facts, awaited: str, site: str, every: list[_Late]) -> str:
    what, waits = awaited.removeprefix(s.AWAIT_PREFIX), LongWaits.of(facts)
    waits.told.update(one.i for one in every)
    enders = {wait.slice: wait.ender for wait in waits.all}
    behind = ((enders.get(one.i), one.since_ns, one.since_ns + one.ns) for one in every)
    did = doing(facts, [(who, since, until) for who, since, until in behind if who])
    step = (
        "A cancel does not end what a thread does: give that a time-out of its own, or "
        "abandon the thread (`abandon_on_cancel=True`)."
        if what == _EXECUTOR
        else "What it awaits is shielded: give that a time-out of its own."
    )
    return (
        f"Waited in vain: {_who(facts, every)} waited on, in `{what}`{place_in(site)}"
        f" after the time of a cancel scope around it had run out"
        f"{f', while the thread was {did}' if did else ''}: {_times(facts, every)}. {step}"
    )


# Half a second in all, in awaits of a tenth of a second: clean-ups take a moment, as a rule.
_LONG_NS = 100 * MS
_MOST = 2_000
_NEAR = 4  # slices from one await to the next
_WAIT_FOR, _ASYNCIO = " wait_for", "/asyncio/tasks.py:"


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
    yield from _told(facts, found, _cleaning)


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
    rows = facts.ledger.rows_of_tasks.of(task) if task >= 0 else ()
    at_i = bisect_left(rows, i)
    before = _await_in(facts, rows[max(at_i - _NEAR, 0) : at_i][::-1])
    after = _await_in(facts, rows[at_i + 1 : at_i + 1 + _NEAR])
    if before < 0 or _scope_of(facts, before) != scope or not waits.gave_up(task, before):
        return None
    inner, now = _inside(facts, before), _inside(facts, i)
    is_same_call = inner.function == now.function and inner.line != now.line
    if not is_same_call or (after >= 0 and scope[0] in _scope_of(facts, after)):
        return None
    return _Late(task, i, slices.start_ns[i], facts.slice_ns(i), before)


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


def _cleaning(facts: Facts, caller: str, where: str, every: list[_Late]) -> str:
    worst, lost = max(every, key=lambda one: one.ns), sum(one.ns for one in every)
    return (
        f"Waited in vain: {_who(facts, every)}{place_in(caller)} gave up after "
        f"{duration(facts.slice_ns(worst.cut))} (`wait_for`), but then waited "
        f"{duration(worst.ns)} more ({at(facts, worst.since_ns)}) for what it had cancelled, "
        f"which awaits `{facts.what(worst.i)}`{place_in(where)} in its clean-up: "
        f"{plural(len(every), 'wait')}, {duration(lost)} in total. Clean up without awaiting, "
        f"with a short time-out, or in a task of its own."
    )


# Whoever cancels a task waits for its clean-up for a moment. This is half a second or more,
# and most of the wait.
_MOST_OF = 2
_MOST_ENDS = 200
_TASK = s.AWAIT_TASK_PREFIX.removeprefix(s.AWAIT_PREFIX)
_LAST_NS = 50 * MS  # from the end of the task to that of the wait


def slow_clean_up(facts: Facts) -> Iterator[Finding]:
    """A task cancels others and awaits their end, and one awaits something before it ends."""
    slices, owner = facts.model.trace.slices, facts.model.owners.owner
    waits, told = LongWaits.of(facts), set[int]()
    for i in for_tasks(facts, longest_slices(facts, (AWAIT,), LOST_NS, _MOST_ENDS)):
        until = slices.end_ns[i]
        late = [
            (task, before, after)
            for task, before in cancelled_before(facts, waits, i)
            if abs(until - waits.ends_ns(("task", task))) <= _LAST_NS and task not in told
            for after in [_cleans_up(facts, task, before)]
            if after >= 0
        ]
        if not late:
            continue
        task, _, after = max(late, key=lambda one: facts.slice_ns(one[2]))
        lost = facts.slice_ns(after)
        if lost * _MOST_OF < until - slices.start_ns[i]:
            continue
        told.update(one for one, _, _ in late)
        what, where = facts.awaited(after)
        site = facts.awaited(i)[1]
        who, by = (code(name_of(facts.model, ("task", one))) for one in (task, owner[i]))
        name = what.removeprefix(s.AWAIT_PREFIX)
        awaited = name.removeprefix(_TASK) if name.startswith(_TASK) else ""
        inner = next(iter(facts.ledger.named_beside(task, awaited)), -1) if awaited else -1
        times = [(("task", inner), slices.start_ns[after], slices.end_ns[after])]
        did = doing(facts, times) if inner >= 0 else ""
        text = (
            f"Waited in vain: {by}{place_in(site)} cancelled {who} and then waited "
            f"{duration(until - slices.start_ns[i])} for its end "
            f"({at(facts, slices.start_ns[i])}): {who} awaits "
            f"`{name}`{place_in(where)} before it ends, for "
            f"{duration(lost)}{f', {did}' if did else ''}. Clean up without awaiting, with a "
            f"short time-out, or in a task of its own."
        )
        yield Finding("wait in vain", lost, text, facts.evidence_of_await(after))


def _cleans_up(facts: Facts, task: int, cancelled: int) -> int:
    """The longest await of a task after the one that was cancelled; -1 when it is short, or
    at the same line: then it goes on as before."""
    slices, kind = facts.model.trace.slices, facts.model.owners.kind
    later = [
        j
        for j in facts.ledger.rows_of_tasks.of(task)
        if kind[j] == AWAIT and slices.start_ns[j] >= slices.end_ns[cancelled]
    ]
    if not later:
        return -1
    longest = facts.longest_slice(later)
    is_long = facts.slice_ns(longest) >= LOST_NS
    is_same = facts.awaited(longest) == facts.awaited(cancelled)
    return longest if is_long and not is_same else -1


# A second in all, a quarter of a second each, and twice the time that there was.
_IN_ALL_NS = 1_000 * MS
_EACH_NS = 250 * MS
_SEVERAL = 2  # tasks; of one, another phase of its work may begin
_JUST_NS = 5 * MS
_NEAR_BY = 8  # slices from one await to the next
_DEEP = 2  # frames: the function that awaits, and its caller


def overstayed(facts: Facts) -> Iterator[Finding]:
    """Tasks whose time limit is over, and whose next and last await, in another function that
    the same one calls, lasts much longer than that."""
    waits = LongWaits.of(facts)
    slices, found = facts.model.trace.slices, defaultdict[tuple[str, str], list[_Late]](list)
    for cut in Cuts.of(waits).all:
        last = _last_after(facts, waits, cut) if cut.by is By.TIMER else -1
        if last >= 0 and (caller := _same_caller(facts, cut.i, last)):
            late = _Late(cut.task, last, slices.start_ns[last], facts.slice_ns(last), cut.i)
            found[caller, facts.awaited(last)[1]].append(late)
    many = {
        at: every
        for at, every in found.items()
        if len(every) >= _SEVERAL and sum(one.ns for one in every) >= _IN_ALL_NS
    }
    yield from _told(facts, many, _overstayed)


def _last_after(facts: Facts, waits: LongWaits, cut: Cut) -> int:
    """The await with which a task ends that follows a cut at once; -1 when there is none, or
    it is short beside the time there was."""
    slices, kind = facts.model.trace.slices, facts.model.owners.kind
    rows = facts.ledger.rows_of_tasks.of(cut.task)
    later = [i for i in rows[bisect_left(rows, cut.i) + 1 :][:_NEAR_BY] if kind[i] == AWAIT]
    if len(later) != 1 or slices.start_ns[later[0]] - cut.end_ns > _JUST_NS:
        return -1
    ns = facts.slice_ns(later[0])
    is_last = waits.ends_ns(("task", cut.task)) <= slices.end_ns[later[0]] + _JUST_NS
    return later[0] if is_last and ns >= max(_MOST_OF * cut.ns, _EACH_NS) else -1


def _same_caller(facts: Facts, cut: int, last: int) -> str:
    """The frame of the program that called the functions of two awaits; "" if none did both,
    or it was one function."""
    stacks = (facts.stack(i).split("\n") for i in (cut, last))
    before, after = map(own_frames, stacks)
    if len(before) < _DEEP or len(before) != len(after):
        return ""
    (inner, caller), (then, again) = (map(place_of, one[:_DEEP]) for one in (before, after))
    differs = inner.function != then.function and caller.line != again.line
    is_same = caller.function == again.function and before[_DEEP:] == after[_DEEP:]
    return after[1] if differs and is_same else ""


def _overstayed(facts: Facts, caller: str, where: str, every: list[_Late]) -> str:
    worst = max(every, key=lambda one: one.ns)
    LongWaits.of(facts).told.update(one.i for one in every)
    return (
        f"Waited in vain: the time of {_who(facts, every)}{place_in(caller)} ran out "
        f"after {duration(facts.slice_ns(worst.cut))}"
        f"{place_in(facts.awaited(worst.cut)[1])}. Then they waited in "
        f"`{facts.what(worst.i)}`{place_in(where)} until they ended, and no time limit cut "
        f"that short: {_times(facts, every)}. Give what is done "
        f"after a time-out (a clean-up, a second attempt) a time limit of its own."
    )
