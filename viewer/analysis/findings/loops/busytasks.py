"""Event loops that one coroutine keeps busy with many short steps, so that others are late."""

from collections.abc import Iterator

from tracer.units import duration, plural, share
from viewer.analysis.findings.basis.facts import Facts, Finding
from viewer.analysis.findings.basis.hot import hot
from viewer.analysis.findings.basis.words import at, sampled
from viewer.analysis.tasks import TaskRow
from viewer.trace.sites import is_library
from viewer.words import code

_MS = 1_000_000
# A second of short steps, which is three fifths of the loop's time from the first to the last.
# Others wait for it half a second in all, 2 ms on average, and mostly for it.
_BUSY_NS = 1_000 * _MS
_PART = 6, 10
_STEPS = 100
_SHORT_NS = 20 * _MS  # longer steps are reported for their length
_LATE_NS = 500 * _MS
_EACH_NS = 2 * _MS


def busy_with_one(facts: Facts) -> Iterator[Finding]:
    """One task computes in very many short steps."""
    rows = [
        row
        for row in facts.tasks.at_least("running_ns", _BUSY_NS * facts.patience)
        if row.count == 1 and row.steps >= _STEPS
    ]
    for row in rows:
        if row.running.p90_ns >= _SHORT_NS or is_library(row.site):
            continue
        late = [
            other
            for other in facts.tasks.at_least("ready_ns", _LATE_NS)
            if other is not row and _is_late(other, row)
        ]
        busy = _time_of(facts, row)
        if late and row.running.total_ns * _PART[1] >= busy[1] * _PART[0]:
            yield _finding(facts, row, late, *busy)


def _behind(other: TaskRow, busy: TaskRow) -> int:
    is_its = (busy.coro, busy.site)
    return sum(d.ns for d in other.delayed_by if (d.who, d.site) == is_its)


def _is_late(other: TaskRow, busy: TaskRow) -> bool:
    behind = _behind(other, busy)
    is_most = behind * 2 >= other.ready.total_ns and behind >= _LATE_NS
    return is_most and other.ready.total_ns >= other.ready.count * _EACH_NS


def _task_of(facts: Facts, row: TaskRow) -> int:
    group = facts.model.coroutines().index((row.coro, row.site))
    return facts.model.owners.group_head[group]


def _time_of(facts: Facts, row: TaskRow) -> tuple[int, int]:
    """When the first task of a row began, and how long it lived."""
    rows, task = facts.ledger.rows_of_tasks, _task_of(facts, row)
    low, high = rows.offset[task], rows.offset[task + 1]
    return rows.start_ns[low], rows.end_ns[high - 1] - rows.start_ns[low]


def _finding(
    facts: Facts, row: TaskRow, late: list[TaskRow], start: int, life_ns: int
) -> Finding:
    model, task = facts.model, _task_of(facts, row)
    thread = facts.ledger.thread_of_task(task)
    stacks = (
        facts.stacks(model.threads[thread].tid, [(start, start + life_ns)])
        if thread >= 0
        else []
    )
    where = sampled(*hot(facts.hot_places, stacks), most=1)
    most = max(late, key=lambda other: other.ready.total_ns)
    nouns = model.nouns_for([task])
    every = facts.tasks.at_least("ready_ns", _LATE_NS)
    lost = sum(_behind(other, row) for other in every if other is not row)
    text = (
        f"{nouns.loop.capitalize()} overloaded: {code(row.coro, row.site)} runs "
        f"{row.steps:,} steps, which take {share(row.running.total_ns, life_ns)} of "
        f"{duration(life_ns)} ({at(facts, start)})"
        f"{f', mostly in {where}' if where else ''}, though nine in ten take "
        f"{duration(row.running.p90_ns)} or less. {code(most.coro, most.site)} waits for it "
        f"{plural(most.ready.count, 'time')}, {duration(most.ready.total_ns)} in all. Do less "
        f"in each step (not again for all that still waits, as `asyncio.wait` in a loop "
        f"does), or compute in a thread or process."
    )
    evidence = facts.evidence(("task", task), start, life_ns, row.site)
    return Finding("loop overloaded", lost, text, evidence)
