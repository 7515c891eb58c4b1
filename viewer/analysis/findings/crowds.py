"""Event loops with more ready tasks than they can serve, though none of the steps is long."""

from collections.abc import Iterator, Sequence

from tracer.units import duration, plural
from viewer.analysis.findings.facts import NOT_ITS_FAULT, Evidence, Facts, Finding
from viewer.analysis.findings.hot import hot
from viewer.analysis.findings.words import at, sampled
from viewer.analysis.ledger.resource import window
from viewer.analysis.tasks import Delay, TaskRow
from viewer.trace.sites import is_library
from viewer.words import code

_MS = 1_000_000
# A crowd is at least ten task-seconds of waiting to run. One that only delays itself is a
# batch, unless one wait in ten takes half a second: whoever sent such a task notices.
_CROWD_NS = 10_000 * _MS
_NOTICED_NS = 500 * _MS
# Others are delayed by it when that cost them half a second in all, 100 ms at a time. What
# the kernel took from the loop's thread meanwhile does not count.
_OTHERS_NS = 500 * _MS
_LATE_NS = 100 * _MS
_SHORT_STEP_NS = 20 * _MS  # longer steps are reported for their length


def loop_overloaded(facts: Facts) -> Iterator[Finding]:
    """Tasks of one coroutine wait for each other's steps, and make others late."""
    for row in facts.tasks.at_least("ready_ns", _CROWD_NS):
        if row.running.p99_ns * _own(facts, row) >= _SHORT_STEP_NS:
            continue
        if _by_itself(row.delayed_by, row) * 2 < row.ready.total_ns:
            continue
        own = _own(facts, row)
        if row.ready.total_ns * own < _CROWD_NS:
            continue
        late = [
            other
            for other in facts.tasks.at_least("ready_ns", _OTHERS_NS)
            if other is not row and _is_late(facts, other, row)
        ]
        if late or row.ready.p90_ns * own >= _NOTICED_NS:
            yield _finding(facts, row, late)


def _own(facts: Facts, row: TaskRow) -> float:
    """Which part of the longest wait of a row's tasks the loop's thread was not stopped."""
    worst, loop = row.worst, _loop_of(facts, row)
    thread = facts.ledger.thread_of_loop[loop] if loop >= 0 else -1
    if worst is None or thread < 0:
        return 1.0
    split = facts.split(thread, window(worst.start_ns, worst.start_ns + worst.ns))
    return 1 - split.of(NOT_ITS_FAULT) / max(sum(split.states.values()), 1)


def _loop_of(facts: Facts, row: TaskRow) -> int:
    """The loop of a row's first task; -1 unknown."""
    owned, coroutine = facts.model.owners, facts.model.coroutine
    wanted = row.coro, row.site
    group = next(g for g in range(len(owned.group_head)) if coroutine(g) == wanted)
    return facts.model.lane[owned.task_head[owned.group_head[group]]]


def _by_itself(delays: Sequence[Delay], crowd: TaskRow) -> int:
    """What the crowd's steps took of a delay, with the loop's own work for it."""
    return sum(
        delay.ns
        for delay in delays
        if delay.kind in ("loop", "gc")
        or (delay.who, delay.site) == (crowd.coro, crowd.site)
        or (delay.kind == "callback" and is_library(delay.site))
    )


def _is_late(facts: Facts, row: TaskRow, crowd: TaskRow) -> bool:
    return (
        row.ready.max_ns * _own(facts, row) >= _LATE_NS
        and _by_itself(row.delayed_by, crowd) * 2 >= row.ready.total_ns
    )


def _finding(facts: Facts, row: TaskRow, late: list[TaskRow]) -> Finding:
    model, ready = facts.model, row.ready
    worst = row.worst
    assert worst is not None
    loop = _loop_of(facts, row)
    tid = model.loops[loop].tid if loop >= 0 else 0
    until = worst.start_ns + worst.ns
    where = sampled(*hot(facts.hot_places, facts.stacks(tid, [(worst.start_ns, until)])))
    nouns = model.nouns_on(loop)
    text = (
        f"{nouns.loop.capitalize()} overloaded: {plural(row.count, nouns.task)} of "
        f"{code(row.coro, row.site)} have work for "
        f"{duration(row.running.total_ns)} in {row.steps:,} steps and wait for each other "
        f"to run: one wait in ten takes {duration(ready.p90_ns)} or more, the longest "
        f"{duration(ready.max_ns)} ({at(facts, worst.start_ns)})"
    )
    text += f"; the loop computes in {where}" if where else ""
    if late:
        most = max(late, key=lambda other: other.ready.max_ns)
        text += (
            f"; {code(most.coro, most.site)} runs up to {duration(most.ready.max_ns)} late "
            f"because of them"
        )
    text += ". Start fewer at a time (a semaphore, a bounded queue), or do less in each step."
    evidence = Evidence(
        worst.start_ns, worst.ns, worst.name, worst.task, site=row.site,
        pid=model.pid(model.loops[loop].process) if loop >= 0 else 0,
    )  # fmt: skip
    return Finding("loop overloaded", ready.total_ns, text, evidence)
