"""Tasks that are made again and again and never end: a leak."""

from array import array
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import accumulate, compress, pairwise
from operator import eq, sub

from tracer import schema as s
from tracer.units import MS, duration
from viewer.analysis.dump.alive import created_at
from viewer.analysis.dump.tasks import first_state
from viewer.analysis.findings.basis.facts import Facts, Finding
from viewer.analysis.findings.loops.heartbeats import MANY as HEARTBEATS
from viewer.analysis.findings.loops.heartbeats import heartbeats_pile_up
from viewer.analysis.ledger.rows import nowhere
from viewer.analysis.states import numbers
from viewer.analysis.waited import For, waited_for
from viewer.trace.columns import (
    AWAIT,
    Column,
)
from viewer.trace.model import Model
from viewer.trace.told import Told
from viewer.trace.users import name_args
from viewer.words import code, place

# A leak grows in six eighths of its time: a busy program may make no tasks in the others.
# Fewer than 50 may be a pool that fills, and within 100 ms a burst (a fan-out) looks the same.
_WINDOWS, _GROWING = 8, 6
_LEAKED = 50
_SEVERAL = min(_LEAKED, HEARTBEATS)  # tasks of a coroutine
_GROWS_NS = 100 * MS
# A task that returns in the end was woken after all, if only by a shutdown.
# In a leak the old ones are still there: three in ten have not moved for half of that time.
# A backlog that is served in order, or load that rises, has young ones only.
_STUCK = 3, 10
# A timer wakes them, or whoever is at the other end: they are not left alone.
_NOT_ALONE = (For.CLOCK, For.CHILD, For.OUTSIDE, For.CALLERS)
# But they are a leak where `asyncio.wait` was for each, which then nobody awaits any more, and
# all are woken within a tenth of a second.
_WAITS_FOR_ANY = f"{s.AWAIT_PREFIX}wait"
_TOGETHER_NS = 100 * MS
_MOSTLY = 8  # of ten
_TIME_OUT = "Give what they await a time-out, or cancel them when nobody needs them any more."
_ONE_FOR_ALL = "Make one task for all rounds, or cancel the ones that were not the first."


def task_leak(facts: Facts) -> Iterator[Finding]:
    """The number of live tasks of a coroutine, or of those made at one place, only grows."""
    model, owned = facts.model, facts.model.owners
    if len(owned.task_id) < _SEVERAL:
        return
    ids, none = owned.task_id, memoryview(bytes(len(owned.task_id)))
    lanes = model.trace.engine.lanes(ids, ids, none, owned.task_group, len(owned.group_head))
    members = {
        group: lanes.row[first:behind]
        for group, (first, behind) in enumerate(pairwise(lanes.offset.tolist()))
        if behind - first >= _SEVERAL
    }
    if not members:
        return
    yield from heartbeats_pile_up(facts, members)
    slices = model.trace.slices
    large = {
        group: tasks
        for group, tasks in members.items()
        if len(tasks) >= _LEAKED and _born_within_ns(model, tasks) >= _GROWS_NS
    }
    if not large:
        return
    waiting = model.task_keys(AWAIT)
    last = model.trace.engine.spans(slices.end_ns, waiting, len(owned.task_id)).last
    stacks = _stacks(model)
    for group, tasks in large.items():
        for parts in _by_creation(model, tasks, stacks):
            leaks = [_leak(facts, group, part, last) for part in parts if len(part) >= _LEAKED]
            found = [leak for leak in leaks if leak is not None]
            yield from found
            if found:
                break


def _born_within_ns(model: Model, tasks: Column) -> int:
    """The time between the begins of the first and the last of these tasks."""
    engine, starts = model.trace.engine, model.trace.slices.start_ns  # in order of begin
    first, last = engine.bounds(engine.take(model.owners.task_head, tasks, -1))
    return int(starts[last] - starts[first])


def _stacks(model: Model) -> Column:
    """By slice, where its stack is among the arguments; -1 without one."""
    return name_args(model.trace, model.trace.symbol(s.ARG_STACK))


def _by_creation(model: Model, tasks: Column, stacks: Column) -> Iterator[Iterable[Column]]:
    """The tasks of a coroutine by the line that created them, by its callers, and together:
    those that are answered must not hide those that are not."""
    by_stack: dict[int, list[int]] = defaultdict(list)
    has_stacks = model.trace.symbol(s.ARG_STACK) >= 0
    for task in tasks if has_stacks else ():
        first = first_state(model, task)
        at = stacks[first] if first >= 0 else -1
        by_stack[model.trace.events.arg_value[at] if at >= 0 else -1].append(task)
    by_line: dict[str, list[int]] = defaultdict(list)
    for same in by_stack.values():
        by_line[created_at(model, same[0])] += same
    if len(by_line) > 1:
        yield map(numbers, by_line.values())
    if len(by_stack) > len(by_line):
        yield map(numbers, by_stack.values())
    yield (tasks,)


def _is_alone(what: str) -> bool:
    return not what.startswith("executor") and waited_for(what) not in _NOT_ALONE


def _leak(facts: Facts, group: int, tasks: Column, last: memoryview) -> Finding | None:
    model, slices, take = facts.model, facts.model.trace.slices, facts.model.trace.engine.take
    births = take(slices.start_ns, take(model.owners.task_head, tasks, -1), 0)
    since, until = model.trace.engine.bounds(births)
    if until - since < _GROWS_NS:
        return None
    # A task counts as alive until its last await ends; what it does then is short.
    rows = take(last, tasks, -1)
    over_ns = take(slices.end_ns, rows, -1)
    known = model.trace.engine.known(over_ns, over_ns)
    rows = take(rows, known, -1)
    begins, ends = (take(column, rows, -1) for column in (slices.start_ns, slices.end_ns))
    marks = [since + (until - since) * n // _WINDOWS for n in range(_WINDOWS + 1)]
    born, ended = (_upto(model, marks, times) for times in (take(births, known, -1), ends))
    alive = [*map(sub, born, ended)]
    grows = sum(earlier < later for earlier, later in pairwise(alive))
    if (
        alive[-1] < _LEAKED
        or grows < _GROWING
        or not alive[0] < alive[_WINDOWS // 2] < alive[-1]
    ):
        return None
    middle = (since + until) // 2
    stuck = [
        row
        for row, begin, end in zip(rows.tolist(), begins.tolist(), ends.tolist(), strict=True)
        if end > until and begin < middle
    ]
    if len(stuck) * _STUCK[1] < alive[-1] * _STUCK[0]:
        return None
    codes, sites = _awaited(facts, stuck)
    is_alone = {
        what: _is_alone(model.trace.text(what).removeprefix(s.AWAIT_PREFIX))
        for what in {*codes}
    }
    awaits = zip(
        take(model.owners.owner, numbers(stuck), -1), stuck, codes, sites, strict=True
    )
    left = [one for one in awaits if is_alone[one[2]]]
    done = facts.ledger.ended_so([task for task, *_ in left], s.DONE)
    is_left = bool(done) and _are_left(facts, [one[:2] for one in left if one[0] in done])
    if done and not is_left:
        left = [one for one in left if one[0] not in done]
    if len(left) * _STUCK[1] < alive[-1] * _STUCK[0]:
        return None
    alone, lasting, whats, wheres = (list(column) for column in zip(*left, strict=True))
    awaited = Counter[tuple[str, str]]()
    for (what_, where_), count in Counter(zip(whats, wheres, strict=True)).items():
        awaited[model.trace.text(what_), model.trace.text(where_)] += count
    begun, over = (
        take(column, numbers(lasting), -1).tolist()
        for column in (slices.start_ns, slices.end_ns)
    )
    name, site = model.coroutine(group)
    (what, where), _ = awaited.most_common(1)[0]
    lost = sum(over) - sum(begun)
    creator = creator_of(facts, *alone)
    start = min(begun)
    first = begun.index(start)
    oldest, whole = alone[first], over[first] - start
    age = duration(whole)
    waits = f"`{what}`{f' ({place(where)})' if where else ''}"
    if is_left:
        waits = (
            f"stay in {waits} until all are woken together at the end. Their creator "
            f"awaits each beside something else, goes on without it, and makes another one"
        )
    else:
        waits = f"never return from {waits}: nothing wakes them, and they have no timeout"
    text = (
        f"{model.nouns_for(tasks).task.capitalize()}s of {code(name, site)} pile up: "
        f"{alive[_WINDOWS // 2]:,} were alive half-way, {alive[-1]:,} at the end, "
        f"of {len(tasks):,} created{creator}. The old ones, the oldest for {age}, {waits}."
    )
    return Finding(
        "task leak",
        lost,
        text,
        facts.evidence(("task", oldest), start, whole, where or site),
        _ONE_FOR_ALL if is_left else _TIME_OUT,
    )


def _are_left(facts: Facts, woken: list[tuple[int, int]]) -> bool:
    """Whether tasks that were woken in the end are a leak all the same: all at once, and
    whoever made each had awaited it, with others, and went on without it."""
    ends, begins = facts.model.trace.slices.end_ns, facts.model.trace.slices.start_ns
    over = [ends[i] for _, i in woken]
    if len(woken) < _LEAKED or max(over) - min(over) > _TOGETHER_NS:
        return False
    left, awaits_of = 0, cache(facts.awaits_of_task)  # one may have made them all
    for task, i in woken:
        parent = facts.ledger.parent_of(task)
        awaits = awaits_of(parent) if parent >= 0 else []
        at = bisect_left(awaits, begins[i] - MS, key=begins.__getitem__)
        first = awaits[at] if at < len(awaits) else -1
        is_for_it = first >= 0 and facts.awaited(first)[0] == _WAITS_FOR_ANY
        left += is_for_it and ends[first] < ends[i] - _TOGETHER_NS
    return left >= _LEAKED and left * _STUCK[1] >= len(woken) * _MOSTLY


def _upto(model: Model, marks: list[int], times: Column) -> list[int]:
    """How many of these times are not later than each mark."""
    count = len(times)
    nothing = memoryview(bytes(8 * count)).cast("q")
    bounds = memoryview(array("q", [mark + 1 for mark in marks]))
    same = memoryview(bytes(4 * count)).cast("i")
    counts = model.trace.engine.histogram(nothing, times, same, bounds, 1)
    return [*accumulate(counts)][:-1]


def _awaited(facts: Facts, rows: list[int]) -> tuple[list[int], list[int]]:
    """What slices await, and where, as `Facts.awaited`: both as strings of the trace."""
    owned, trace = facts.model.owners, facts.model.trace
    take, slices = trace.engine.take, numbers(rows)
    events = take(trace.slices.event, slices, -1)
    sites = [*Told(trace, events, nowhere(len(rows))).strings(s.ARG_SITE)]
    heads = take(owned.task_head, take(owned.owner, slices, -1), -1)
    for first in compress(range(len(rows)), map(eq, heads, rows)):
        sites[first] = -1  # the site of a first slice is the task's own
    return take(owned.code, slices, -1).tolist(), sites


def creator_of(facts: Facts, *tasks: int) -> str:
    """` by `main` (app.py:9)`, with the line that created most of them, else that of the
    creator's function; "" where that is unknown."""
    parent = facts.ledger.parent_of(tasks[0])
    if parent < 0:
        return ""
    name, site = facts.model.coroutine(facts.model.owners.task_group[parent])
    lines = Counter(filter(None, (created_at(facts.model, task) for task in tasks)))
    return f" by {code(name, lines.most_common(1)[0][0] if lines else site)}"
