"""What processes note of their children, read in columns: there may be very many."""

from typing import NamedTuple

from tracer import schema as s
from viewer.trace.columns import records
from viewer.trace.model import Model
from viewer.trace.told import Told


class Note(NamedTuple):
    """That a child was started, or has ended; `thread` is -1 if it is unknown."""

    event: int
    process: int
    thread: int
    time_ns: int
    pid: int  # the child's


def notes(model: Model, *names: str) -> tuple[list[Note], Told]:
    """The notes of these names that say which child, in order of time, and what else they
    tell."""
    trace, engine = model.trace, model.trace.engine
    events = trace.instants(trace.events.name, *names)
    pids = Told(trace, events).numbers(s.ARG_CHILD, -1)
    events = engine.take(events, engine.known(pids, pids), -1)
    tracks, told = engine.take(trace.events.track, events, -1), Told(trace, events)
    found = records(
        Note,
        events,
        engine.take(trace.track_process, tracks, -1),
        engine.take(model.threads.of_track, tracks, -1),
        engine.take(trace.events.time_ns, events, -1),
        told.numbers(s.ARG_CHILD, -1),
    )
    return found, told
