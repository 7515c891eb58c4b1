"""Tasks that nobody awaits any more: forgotten while pending, failed unseen, or given an item
that is lost with them."""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterator
from itertools import compress

from tracer import schema as s
from tracer.units import MS, duration, plural
from viewer.analysis.dump.alive import created_at
from viewer.analysis.findings.basis.facts import Facts, Finding
from viewer.analysis.findings.basis.told import of_tasks
from viewer.analysis.findings.basis.waits import LongWaits, name_of, place_in, users
from viewer.analysis.findings.basis.words import at
from viewer.analysis.findings.loops.tasks import creator_of
from viewer.analysis.resources.waits import GETS, Wait
from viewer.analysis.states import numbers
from viewer.trace.columns import (
    AWAIT,
    LOOP_CALLBACK,
    LOOP_TASK,
    OTHER,
    READY,
    RUNNING,
    SELECT,
)
from viewer.trace.sites import is_library
from viewer.words import code, place

# Nobody was going to wake a task that had waited a whole second for a bare future.
_ABANDONED_NS = 1_000 * MS
_LEFT_OVER, _AT_THE_END = "", "end"
_KEEP = "Keep a reference to the task, and await or cancel it."
_ORPHANED = {
    s.DESTROYED: "garbage-collected while pending: nobody kept a reference",
    s.LOOP_CLOSED: "still pending when the loop was closed",
    _AT_THE_END: "still pending when the loop had ended",
    _LEFT_OVER: "still pending when the program ended, long after its creator had",
}
_OVER = (s.LOOP_CLOSED, _AT_THE_END)  # what a loop leaves behind costs nobody time
_OF_LOOPS = (LOOP_TASK, LOOP_CALLBACK, SELECT)
_BARE_FUTURE = f"{s.AWAIT_PREFIX}future"


def orphaned_task(facts: Facts) -> Iterator[Finding]:
    """Tasks that were forgotten while pending: destroyed, or left over at the end."""
    model = facts.model
    by_group: dict[tuple[int, str], list[tuple[int, int, int]]] = defaultdict(list)
    for how in (s.DESTROYED, s.LOOP_CLOSED):
        for task, time_ns in _pending_at(facts, how):
            start = model.trace.slices.start_ns[model.owners.task_head[task]]
            is_over = how == s.DESTROYED and not _goes_on(facts, task, time_ns)
            which = _AT_THE_END if is_over else how
            by_group[model.owners.task_group[task], which].append((task, start, time_ns))
    for task, start, end in _left_over(facts):
        by_group[model.owners.task_group[task], _LEFT_OVER].append((task, start, end))
    for (group, how), found in by_group.items():
        name, site = model.coroutine(group)
        task, start, end = max(found, key=lambda row: row[2] - row[1])
        if how in _OVER and is_library(site) and not created_at(model, task):
            continue  # a library's own, at the end: nobody can do anything about it
        orphans = plural(len(found), f"orphaned {model.nouns_for([task]).task}")
        text = f"{code(name, site)}: {orphans}, {_ORPHANED[how]}"
        for i in facts.awaits_of_task(task)[-1:]:
            what, awaited = facts.awaited(i)
            where = f" ({place(awaited)})" if awaited else ""
            ns = duration(end - model.trace.slices.start_ns[i])
            text += f"; the longest was stuck in `{what}`{where} for {ns}"
        text += f"{creator_of(facts, task).replace(' by ', '; created by ', 1)}."
        lost = sum(until - since for _, since, until in found) if how not in _OVER else 0
        evidence = facts.evidence(("task", task), start, end - start, site)
        yield Finding("orphaned task", lost, text, evidence, _KEEP)


def _goes_on(facts: Facts, task: int, time_ns: int) -> bool:
    """Whether the loop of a task runs something after a time."""
    model, slices = facts.model, facts.model.trace.slices
    lane = model.lane[model.owners.task_head[task]]
    later = range(bisect_left(slices.start_ns, time_ns), len(slices.start_ns))
    return any(model.lane[i] == lane and model.owners.kind[i] in _OF_LOOPS for i in later)


def _pending_at(facts: Facts, how: str) -> Iterator[tuple[int, int]]:
    """(task, time) of tasks that ended so while pending."""
    trace = facts.model.trace
    events, slices = trace.events, trace.slices
    ends = trace.instants(events.name, how)
    if not ends:
        return
    known = {events.track[event] for event in ends}
    tracks: dict[int, list[int]] = {track: [] for track in known}
    wanted = memoryview(bytes(track in known for track in range(len(events.uuids))))
    rows = trace.engine.longer(
        slices.start_ns, slices.end_ns, facts.kinds((READY, RUNNING, AWAIT)), 0
    )
    every = numbers(range(len(events.uuids)))
    track_of = trace.engine.gather(slices.event, events.track, every)
    for i in trace.engine.pick(rows, track_of, wanted):
        tracks[track_of[i]].append(i)
    for event in ends:
        of = tracks[events.track[event]]
        at = bisect_right(of, events.time_ns[event], key=slices.start_ns.__getitem__) - 1
        if at >= 0:
            yield facts.model.owners.owner[of[at]], events.time_ns[event]


def _left_over(facts: Facts) -> Iterator[tuple[int, int, int]]:
    """(task, since, until): waits for a bare future that outlived creator and program."""
    model, slices, owned = facts.model, facts.model.trace.slices, facts.model.owners
    engine, text = model.trace.engine, model.trace.text
    take = engine.take
    futures = {name for name in model.trace.await_names if text(name) == _BARE_FUTURE}
    if not futures:
        return
    open_ = engine.longer(slices.start_ns, slices.end_ns, slices.unfinished, 0)
    of_tasks = bytes(READY <= kind <= AWAIT for kind in range(256))
    states = compress(open_, bytes(take(owned.kind, open_, OTHER)).translate(of_tasks))
    rows = numbers(states)
    pending = dict(zip(take(owned.owner, rows, -1).tolist(), rows.tolist(), strict=True))
    pending.pop(-1, None)
    # When a program is killed, or a loop runs in a daemon thread, the tasks just stop.
    ended = [*map((-1).__ne__, model.trace.processes.end)]
    tasks = numbers(pending)
    columns = (take(of, tasks, -1).tolist() for of in (owned.task_process, owned.task_parent))
    parents = [*zip(*columns, strict=True)]
    creators = {one: facts.ledger.task_of(*one) for one in {*parents} if ended[one[0]]}
    over = {one for one, task in creators.items() if task >= 0 and task not in pending}
    left = compress(pending.items(), map(over.__contains__, parents)) if over else ()
    for task, i in left:
        if owned.code[i] in futures and owned.kind[i] == AWAIT:
            start, end = slices.start_ns[i], slices.end_ns[i]
            if start <= end - _ABANDONED_NS:
                yield task, start, end


def unasked_failure(facts: Facts) -> Iterator[Finding]:
    """One is enough: asyncio complains of it, too, where somebody reads that. It costs nobody
    time, so whatever does is told first."""
    model, slices = facts.model, facts.model.trace.slices
    found = defaultdict[tuple[int, str], list[int]](list)
    for one in of_tasks(facts, s.UNASKED):
        exception = str(model.trace.args(one.event).get(s.ARG_EXCEPTION, ""))
        found[model.owners.task_group[one.task], exception].append(one.task)
    for (group, exception), tasks in found.items():
        rows, first = facts.ledger.rows_of_tasks, min(tasks)
        name, site = model.coroutine(group)
        start = slices.start_ns[model.owners.task_head[first]]
        end = rows.last_ns(first)
        said = plural(len(tasks), model.nouns_for(tasks).task)
        text = (
            f"{code(name, site)}: {said}, created at {place(created_at(model, first))}, "
            f"failed with `{exception}`, the first {at(facts, end)}, and nobody has asked for "
            f"the result: {'it' if len(tasks) == 1 else 'they'} failed unnoticed."
        )
        evidence = facts.evidence(("task", first), start, end - start, site)
        step = "Await the task, or look at `task.exception()` in a callback of its end."
        yield Finding("orphaned task", 0, text, evidence, step)


# Three were lost. Who had made them awaited something that ended without them, made another
# one, and did nothing when they got what they waited for.
_LOST = 3
_NOTICED_NS = 5 * MS
_THEN_NS = 50 * MS
_TAKES = (*GETS, "Lock", "Semaphore", "BoundedSemaphore")
_ONCE = ("wait", "future", "task ")  # with a time-out, or for the first of several


def lost_items(facts: Facts) -> Iterator[Finding]:
    """`wait` returns before a `get` that it was given, which then takes an item unseen."""
    waits, owned = LongWaits.of(facts), facts.model.owners
    found: dict[tuple[int, int], list[Wait]] = defaultdict(list)
    for wait in waits.all:
        is_lone = wait.who[0] == "task" and not wait.site and wait.name in _TAKES
        if is_lone and not wait.failed and wait.ender not in (None, wait.who):
            task = wait.who[1]
            parent = facts.ledger.parent_of(task)
            if parent >= 0 and facts.ledger.how_it_ended(task) == s.DONE:
                found[parent, owned.task_group[task]].append(wait)
    if not any(len(gets) >= _LOST for gets in found.values()):
        return
    born: dict[tuple[int, int], list[int]] = defaultdict(list)
    starts = facts.model.trace.slices.start_ns
    for maker in {parent for parent, _ in found}:
        for task in facts.ledger.children_of(maker):
            born[maker, owned.task_group[task]].append(starts[owned.task_head[task]])
    for (parent, group), gets in found.items():
        awaits = facts.awaits({parent}).get(parent, [])
        times = sorted(born[parent, group])
        lost = [get for get in gets if _is_forgotten(facts, get, times, awaits)]
        if len(lost) >= _LOST:
            yield _finding(facts, lost, parent)


def _is_forgotten(facts: Facts, get: Wait, times: list[int], awaits: list[int]) -> bool:
    slices = facts.model.trace.slices
    begun_ns = LongWaits.of(facts).begins_ns(get.who)
    newer = bisect_left(times, begun_ns + 1)
    if newer == len(times) or times[newer] >= get.end_ns:
        return False
    first = bisect_left(awaits, begun_ns, key=slices.start_ns.__getitem__)
    if first == len(awaits) or slices.end_ns[awaits[first]] >= get.start_ns + get.ns:
        return False  # it awaited this one, until it had an item
    what = facts.what(awaits[first])
    now = bisect_left(awaits, get.end_ns, key=slices.start_ns.__getitem__) - 1
    ends = slices.end_ns[awaits[now]] if now >= 0 else 0
    return what.startswith(_ONCE) and not 0 <= ends - get.end_ns <= _NOTICED_NS


def _finding(facts: Facts, lost: list[Wait], parent: int) -> Finding:
    model, waits = facts.model, LongWaits.of(facts)
    first, task = lost[0], lost[0].who[1]
    name, site = model.coroutine(model.owners.task_group[task])
    made = code(name_of(model, ("task", parent)), created_at(model, task))
    begun = {get.ender: get.end_ns for get in lost}
    vain = [
        wait
        for wait in waits.all
        if wait.failed
        and wait.who in begun
        and abs(wait.start_ns - begun[wait.who]) <= _THEN_NS
    ]
    orphans = plural(len(lost), f"orphaned {model.nouns.task}")
    text = (
        f"{code(name, site)}: at least {orphans}, made by {made}, that took what they "
        f"waited for ({first.name}) when nobody awaited them any more, so that it was lost: "
        f"each time the await that they were made for had ended without them, and another "
        f"one was made ({at(facts, first.end_ns)})"
    )
    cost = sum(wait.ns for wait in vain)
    if vain:
        worst = max(vain, key=lambda wait: wait.ns)
        waits.told.update(wait.slice for wait in vain)
        text += (
            f". {users(model, (wait.who for wait in vain))}, who had given it, then waited "
            f"{duration(cost)} in vain{place_in(worst.site)}"
        )
    text += ". Await the same task again in the next round, or cancel it before the next one."
    evidence = facts.evidence(first.who, first.start_ns, first.ns, site)
    return Finding("orphaned task", cost, text, evidence)
