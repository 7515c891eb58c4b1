"""What processes note of their children, in columns: there may be very many."""

from typing import NamedTuple

from tracer import schema as s
from viewer.analysis.ledger.rows import joined
from viewer.trace.columns import Column
from viewer.trace.model import Model
from viewer.trace.told import Told
from viewer.trace.tracks import pids_of


class Notes(NamedTuple):
    """That children were started, or have ended, in order of time; a thread or process is -1
    if it is unknown."""

    event: Column  # i
    process: Column  # i
    thread: Column  # i
    time_ns: Column  # q
    pid: Column  # i: the child's

    def before(self, model: Model, others: "Notes") -> Column:
        """Of each of the others the last of these until then, of the same child; -1 none."""
        key, key_of, count = self._keys(model, others)
        return model.trace.engine.latest(self.time_ns, key, others.time_ns, key_of, count)

    def last_of(self, model: Model, others: "Notes") -> Column:
        """Of each of the others the last of these at all."""
        engine, (key, key_of, count) = model.trace.engine, self._keys(model, others)
        return engine.take(engine.spans(self.time_ns, key, count).last, key_of, -1)

    def _keys(self, model: Model, others: "Notes") -> tuple[Column, Column, int]:
        of = model.trace.engine.pairs(
            joined(self.pid, others.pid), joined(self.process, others.process)
        )
        count = len(self.event)
        return of.number[:count], of.number[count:], len(of.head)


def notes(model: Model, *names: str) -> tuple[Notes, Told]:
    """The notes of these names that say which child, and what else they tell."""
    trace, engine = model.trace, model.trace.engine
    events = trace.instants(trace.events.name, *names)
    pids = Told(trace, events).numbers(s.ARG_CHILD, -1)
    known = engine.known(pids, pids)
    events = engine.take(events, known, -1)
    tracks = engine.take(trace.events.track, events, -1)
    found = Notes(
        events,
        engine.take(trace.track_process, tracks, -1),
        engine.take(model.threads.of_track, tracks, -1),
        engine.take(trace.events.time_ns, events, -1),
        pids_of(engine.take(pids, known, -1)),
    )
    return found, Told(trace, events)
