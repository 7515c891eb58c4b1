"""What the tracer says of itself in the trace: dropped events, disabled hooks, notes."""

from array import array
from collections.abc import Iterator
from functools import cached_property
from typing import NamedTuple

from tracer import schema as s
from viewer.trace.columns import Column
from viewer.trace.processes import Arg
from viewer.trace.reader import Trace
from viewer.trace.told import Told


class Remark(NamedTuple):
    """An instant of the tracer track."""

    process: int
    time_ns: int
    name: str
    args: dict[str, Arg]


class Remarks:
    """The remarks of a trace, in order of time. There may be very many, of drops."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace

    def __iter__(self) -> Iterator[Remark]:
        return self._made(self._events)

    def named(self, name: str) -> list[Remark]:
        """The remarks of that name."""
        return [*self._made(self._called(name))]

    def texts(self, name: str, arg: str) -> Iterator[tuple[int, str]]:
        """Of each remark of that name the process, and a text that it tells."""
        found = self._called(name)
        return zip(self._processes(found), Told(self._trace, found).texts(arg), strict=True)

    def drops(self) -> list[tuple[int, int, int]]:
        """(process, from, until) of the times whose events were dropped."""
        trace, found = self._trace, self._called(s.EVENTS_DROPPED)
        until = trace.engine.take(trace.events.time_ns, found, -1)
        since = self._numbers(found, s.ARG_SINCE, -1)
        told = zip(self._processes(found), since, until, strict=True)
        return [
            (process, min(from_ns, at), at) for process, from_ns, at in told if from_ns >= 0
        ]

    def has_drops(self) -> bool:
        return bool(self._called(s.EVENTS_DROPPED))

    def dropped_events(self) -> int:
        return sum(self._numbers(self._called(s.EVENTS_DROPPED), s.ARG_COUNT, 0))

    @cached_property
    def _events(self) -> Column:
        return self._trace.instants(self._trace.events.category, s.CAT_TRACER)

    def _called(self, name: str) -> Column:
        wanted, events = bytearray(len(self._trace.events.strings)), self._trace.events
        if (symbol := self._trace.symbol(name)) >= 0:
            wanted[symbol] = 1
        return self._trace.engine.pick(self._events, events.name, memoryview(wanted))

    def _numbers(self, events: Column, name: str, missing: int) -> Column:
        others = memoryview(array("i", [-1]) * len(events))
        return Told(self._trace, events, others).numbers(name, missing)

    def _processes(self, events: Column) -> Column:
        trace = self._trace
        return trace.engine.gather(events, trace.events.track, trace.track_process)

    def _made(self, events: Column) -> Iterator[Remark]:
        trace = self._trace
        return map(
            Remark,
            self._processes(events),
            trace.engine.take(trace.events.time_ns, events, -1),
            map(trace.text, map(trace.events.name.__getitem__, events)),
            trace.args_of(events),
        )
