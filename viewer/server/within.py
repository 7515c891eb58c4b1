"""A trace cut to a range of time, for analyses of that range."""

from array import array
from collections import Counter
from dataclasses import replace

from viewer.analysis.report import Report
from viewer.analysis.rows import Rows
from viewer.trace.columns import AWAIT, READY, RUNNING, Column, Events
from viewer.trace.garbage import Collections
from viewer.trace.heap import Heap
from viewer.trace.model import Model

_SAMPLES = ("sample_time_ns", "sample_pid", "sample_tid", "sample_hz", "sample_stack")


def within(model: Model, from_ns: int, to_ns: int) -> Model:
    """The model with every slice, state and collection cut to [from_ns, to_ns).

    What lies outside has no kind, so nothing counts it; the numbers of slices and tasks stay.
    Durations are those inside the range.
    """
    engine, slices, table = model.trace.engine, model.trace.slices, model.states
    start, end, kind = engine.clip(
        slices.start_ns, slices.end_ns, model.owners.kind, from_ns, to_ns
    )
    state_start, state_end, state = engine.clip(
        table.start_ns, table.end_ns, table.state, from_ns, to_ns
    )
    busy_end = engine.clip(table.start_ns, table.busy_end_ns, table.state, from_ns, to_ns)[1]
    first, last = array("q", table.first_ns), array("q", table.last_ns)
    for i, (begin, until) in enumerate(zip(first, last, strict=True)):
        is_in = until and begin < to_ns and until > from_ns
        first[i], last[i] = (max(begin, from_ns), min(until, to_ns)) if is_in else (0, 0)
    trace = model.trace._replace(
        slices=slices._replace(start_ns=start, end_ns=end),
        events=_samples_within(model.trace.events, from_ns, to_ns),
    )
    cut = replace(
        model,
        trace=trace,
        owners=model.owners._replace(kind=kind),
        states=table._replace(
            start_ns=state_start,
            end_ns=state_end,
            busy_end_ns=busy_end,
            state=state,
            first_ns=memoryview(first),
            last_ns=memoryview(last),
        ),
        collections=Collections.of(
            one._replace(start_ns=max(one.start_ns, from_ns), end_ns=min(one.end_ns, to_ns))
            for one in model.collections
            if one.start_ns < to_ns and one.end_ns > from_ns
        ),
    )
    cut.derived[Heap] = Heap.of(model).within(from_ns, to_ns)
    return cut


def present(model: Model, report: Report) -> Report:
    """The report of a model that was cut, without what is not in the range.

    Bytes are known per call, not over time: in a range they are unknown. So is the memory of
    regions, which may lie before the range.
    """
    tasks = _tasks_present(model)
    return report._replace(
        tasks=Rows.of(
            [
                row._replace(count=count)
                for row in report.tasks[:]
                if (count := tasks[row.coro, row.site])
            ]
        ),
        locks=Rows.of([row for row in report.locks[:] if row.waits.count or row.holds.count]),
        io=Rows.of([row._replace(size_bytes=None) for row in report.io[:] if row.calls.count]),
        memory=report.memory and report.memory._replace(regions=()),
    )


def _tasks_present(model: Model) -> Counter[tuple[str, str]]:
    """By coroutine function the number of its tasks that have a slice left."""
    owned, slices, engine = model.owners, model.trace.slices, model.trace.engine
    seen = bytearray(len(owned.task_id))
    for kind in (READY, RUNNING, AWAIT):
        key = model.task_keys(kind)
        stats = engine.grouped_stats(slices.start_ns, slices.end_ns, key, len(seen))
        for task, count in enumerate(stats.count):
            seen[task] |= bool(count)
    groups = Counter(owned.task_group[task] for task, is_seen in enumerate(seen) if is_seen)
    found: Counter[tuple[str, str]] = Counter()
    for group, count in groups.items():
        found[model.coroutine(group)] += count
    return found


def _samples_within(events: Events, from_ns: int, to_ns: int) -> Events:
    wanted = [i for i, at in enumerate(events.sample_time_ns) if from_ns <= at < to_ns]

    def chosen(column: Column) -> Column:
        return memoryview(array(column.format, (column[i] for i in wanted)))

    time, pid, tid, hz, stack = (chosen(getattr(events, name)) for name in _SAMPLES)
    return events._replace(
        sample_time_ns=time,
        sample_pid=pid,
        sample_tid=tid,
        sample_hz=hz,
        sample_stack=stack,
    )
