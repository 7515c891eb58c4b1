"""Event loops that one task or callback keeps busy in many short steps, so that others are
late."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from tracer.units import MS, duration, plural, share
from viewer.analysis.findings.basis.facts import NOT_ITS_FAULT, Facts, Finding
from viewer.analysis.findings.basis.hot import hot
from viewer.analysis.findings.basis.words import at, sampled
from viewer.analysis.ledger.circles import Who
from viewer.analysis.ledger.resource import Windows, window, windows_of
from viewer.analysis.rows import Rows
from viewer.analysis.tasks import TaskRow, occupants_called, ready_behind
from viewer.trace.columns import LOOP_CALLBACK, RUNNING
from viewer.trace.sites import is_library
from viewer.words import code

# A second of short steps, which is three fifths of the loop's time from the first to the last.
# Others wait for it half a second in all, 2 ms on average, and mostly for it.
_BUSY_NS = 1_000 * MS
_PART = 6, 10
_STEPS = 100
_SHORT_NS = 20 * MS  # longer steps are reported for their length
_LATE_NS = 500 * MS
_EACH_NS = 2 * MS
_CROWD_NS = 100 * MS  # of a wait behind a crowd of the program's own callbacks: see crowds
_TENTH = 10  # nine in ten are shorter
# Calls that take three times as long in the last quarter as in the first, and longer from
# quarter to quarter, do something with all that came before.
_QUARTERS, _GROWS = 4, 3


class _Busy(NamedTuple):
    """A task, or a callback, that runs on a loop so often, and for how long in all."""

    name: str
    site: str
    steps: int
    took_ns: int
    p90_ns: int
    start_ns: int
    whole_ns: int
    thread: int
    who: Who
    times: Windows  # of these steps, in order


def busy_with_one(facts: Facts) -> Iterator[Finding]:
    """One task, or one callback, computes in very many short steps."""
    for row in facts.tasks.at_least("running_ns", _BUSY_NS * facts.patience):
        if row.count == 1 and not is_library(row.site):
            task = _of_task(facts, row)
            if _is_busy(facts, task):
                late = [other for other in _behind_it(facts, task) if other is not row]
                yield from _told(facts, task, late)
    by_callback: dict[tuple[str, str, int], list[TaskRow]] = defaultdict(list)
    for row in facts.behind_callbacks.at_least("ready_ns", _LATE_NS):
        most = next(iter(row.delayed_by), None)
        if most is None or most.kind != "callback":
            continue
        if is_library(most.site) or row.ready.max_ns < _CROWD_NS:
            by_callback[most.who, most.site, _loop_of(facts, row)].append(row)
    for (name, site, loop), rows in by_callback.items():
        busy = _of_callback(facts, name, site, loop)
        if busy is None or busy.took_ns < _BUSY_NS * facts.patience:
            continue
        if _is_busy(facts, busy) and not _is_a_librarys_alone(facts, busy):
            yield from _told(facts, busy, rows)


def _is_a_librarys_alone(facts: Facts, busy: _Busy) -> bool:
    """Whether a library's callback computes nothing of the program's, as where many bytes
    come: who waits for them has nothing to change there."""
    functions, _ = hot(facts.hot_places, _stacks(facts, busy))
    return bool(functions) and is_library(busy.site) and is_library(functions[0].site)


def _is_busy(facts: Facts, busy: _Busy) -> bool:
    """Whether it is most of what the loop does, in many short steps."""
    is_most = busy.took_ns * _PART[1] >= busy.whole_ns * _PART[0]
    return is_most and busy.steps >= _STEPS and _own_p90_ns(facts, busy) < _SHORT_NS


def _told(facts: Facts, busy: _Busy, others: list[TaskRow]) -> Iterator[Finding]:
    late = [row for row in others if _is_late(row, busy)]
    if late:
        yield _finding(facts, busy, late)


def _behind_it(facts: Facts, busy: _Busy) -> Rows[TaskRow]:
    """Of the coroutines that may be late because of it."""
    behind = _behind_ns(facts, busy)
    return facts.tasks.only(lambda n: behind[n] >= _LATE_NS)


def _behind_ns(facts: Facts, busy: _Busy) -> Sequence[int]:
    """By coroutine how long it was ready behind it; see `ready_behind`."""
    return ready_behind(facts.model, occupants_called(facts.model, busy.name, busy.site))


def _own_p90_ns(facts: Facts, busy: _Busy) -> int:
    """Without what the kernel took from the loop's thread, on average."""
    if busy.thread < 0:
        return busy.p90_ns
    split = facts.split(busy.thread, window(busy.start_ns, busy.start_ns + busy.whole_ns))
    every = max(sum(split.states.values()), 1)
    return busy.p90_ns * (every - split.of(NOT_ITS_FAULT)) // every


def _behind(row: TaskRow, busy: _Busy) -> int:
    is_its = (busy.name, busy.site)
    return sum(d.ns for d in row.delayed_by if (d.who, d.site) == is_its)


def _is_late(row: TaskRow, busy: _Busy) -> bool:
    behind = _behind(row, busy)
    is_most = behind * 2 >= row.ready.total_ns and behind >= _LATE_NS
    return is_most and row.ready.total_ns >= row.ready.count * _EACH_NS


def _loop_of(facts: Facts, row: TaskRow) -> int:
    return facts.model.lane[facts.model.owners.task_head[_task_of(facts, row)]]


def _task_of(facts: Facts, row: TaskRow) -> int:
    group = facts.model.group_of(row.coro, row.site)
    return facts.model.owners.group_head[group]


def _of_task(facts: Facts, row: TaskRow) -> _Busy:
    rows, task = facts.ledger.rows_of_tasks, _task_of(facts, row)
    slices, kinds = facts.model.trace.slices, facts.model.owners.kind
    start, end = rows.start_ns[rows.places(task)[0]], rows.last_ns(task)
    return _Busy(
        row.coro,
        row.site,
        row.steps,
        row.running.total_ns,
        row.running.p90_ns,
        start,
        end - start,
        facts.ledger.thread_of_task(task),
        ("task", task),
        windows_of(
            [
                (slices.start_ns[i], slices.end_ns[i])
                for i in rows.of(task)
                if kinds[i] == RUNNING
            ]
        ),
    )


def _of_callback(facts: Facts, name: str, site: str, loop: int) -> _Busy | None:
    model, slices = facts.model, facts.model.trace.slices
    thread = facts.ledger.thread_running(loop)
    if thread < 0:
        return None
    of_kind = facts.kinds((LOOP_CALLBACK,))
    every = model.trace.engine.longer(slices.start_ns, slices.end_ns, of_kind, 0)
    calls = [i for i in every if model.lane[i] == loop and facts.runs(i)[:2] == (name, site)]
    if len(calls) < _STEPS:
        return None
    times = windows_of([(slices.start_ns[i], slices.end_ns[i]) for i in calls])
    took = [facts.slice_ns(i) for i in calls]
    start, end = slices.start_ns[calls[0]], slices.end_ns[calls[-1]]
    p90 = sorted(took)[len(took) - 1 - len(took) // _TENTH]
    whole, who = end - start, ("thread", thread)
    return _Busy(name, site, len(took), sum(took), p90, start, whole, thread, who, times)


def _growth(facts: Facts, busy: _Busy) -> tuple[int, ...]:
    """How long a step takes on average, by quarters, without what the kernel took from the
    loop's thread; () if it does not grow."""
    times, size = busy.times, max(len(busy.times) // _QUARTERS, 1)
    means = []
    for n in range(_QUARTERS):
        part = slice(n * size, (n + 1) * size)
        quarter = Windows(times.from_ns[part], times.until_ns[part])
        taken = facts.split(busy.thread, quarter).of(NOT_ITS_FAULT) if busy.thread >= 0 else 0
        means.append((quarter.ns - taken) // size)
    grows = means == sorted(means) and means[-1] >= means[0] * _GROWS
    return tuple(means) if grows else ()


def _stacks(facts: Facts, busy: _Busy) -> list[int]:
    if busy.thread < 0:
        return []
    tid, until = facts.model.threads[busy.thread].tid, busy.start_ns + busy.whole_ns
    return facts.stacks(tid, [(busy.start_ns, until)])


def _finding(facts: Facts, busy: _Busy, late: list[TaskRow]) -> Finding:
    where = sampled(*hot(facts.hot_places, _stacks(facts, busy)), most=1)
    most = max(late, key=lambda row: row.ready.total_ns)
    nouns = facts.model.nouns_for([_task_of(facts, most)])
    ready = facts.tasks.measure("ready_ns")
    behind = _behind_ns(facts, busy)
    lost = sum(behind[n] for n in facts.tasks.numbers if ready[n] >= _LATE_NS)
    steps = "steps" if busy.who[0] == "task" else "times"
    means = _growth(facts, busy)
    grows = (
        f" They take longer and longer, {duration(means[0])} on average at first, "
        f"{duration(means[-1])} in the end: each works on everything before it."
        if means
        else ""
    )
    text = (
        f"{nouns.loop.capitalize()} overloaded: {code(busy.name, busy.site)} runs "
        f"{busy.steps:,} {steps}, which take {share(busy.took_ns, busy.whole_ns)} of "
        f"{duration(busy.whole_ns)} ({at(facts, busy.start_ns)})"
        f"{f', mostly in {where}' if where else ''}, though nine in ten take "
        f"{duration(busy.p90_ns)} or less. {code(most.coro, most.site)} waits for it "
        f"{plural(most.ready.count, 'time')}, {duration(most.ready.total_ns)} in all.{grows} "
        f"Do less in each step (not again for all that still waits, as `asyncio.wait` in a "
        f"loop does), or compute in a thread or process."
    )
    evidence = facts.evidence(busy.who, busy.start_ns, busy.whole_ns, busy.site)
    return Finding("loop overloaded", lost, text, evidence)
