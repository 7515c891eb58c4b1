"""A trace cut to a range of time, so that every analysis can be asked about that range."""

from array import array
from dataclasses import replace

from viewer.columns import Column, Events
from viewer.model import Model

_SAMPLES = ("sample_time_ns", "sample_pid", "sample_tid", "sample_hz", "sample_stack")


def within(model: Model, from_ns: int, to_ns: int) -> Model:
    """The model with every slice, state and collection cut to [from_ns, to_ns).

    What lies outside has no kind, so that nothing counts it; numbers of slices and tasks stay.
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
    trace = replace(
        model.trace,
        slices=replace(slices, start_ns=start, end_ns=end),
        events=_samples_within(model.trace.events, from_ns, to_ns),
    )
    return replace(
        model,
        trace=trace,
        owners=replace(model.owners, kind=kind),
        states=replace(
            table,
            start_ns=state_start,
            end_ns=state_end,
            busy_end_ns=busy_end,
            state=state,
            first_ns=memoryview(first),
            last_ns=memoryview(last),
        ),
        collections=tuple(
            replace(one, start_ns=max(one.start_ns, from_ns), end_ns=min(one.end_ns, to_ns))
            for one in model.collections
            if one.start_ns < to_ns and one.end_ns > from_ns
        ),
    )


def _samples_within(events: Events, from_ns: int, to_ns: int) -> Events:
    wanted = [i for i, at in enumerate(events.sample_time_ns) if from_ns <= at < to_ns]

    def chosen(column: Column) -> Column:
        return memoryview(array(column.format, (column[i] for i in wanted)))

    time, pid, tid, hz, stack = (chosen(getattr(events, name)) for name in _SAMPLES)
    return replace(
        events,
        sample_time_ns=time,
        sample_pid=pid,
        sample_tid=tid,
        sample_hz=hz,
        sample_stack=stack,
    )
