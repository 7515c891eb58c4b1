"""Garbage collections, in columns: a program may have very many of them."""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import compress
from typing import Any, NamedTuple, overload

from tracer import schema as s
from viewer.trace.columns import GC, Column, Owners, records
from viewer.trace.reader import Trace
from viewer.trace.told import Told


class Collection(NamedTuple):
    """One garbage collection."""

    process: int
    tid: int
    start_ns: int
    end_ns: int
    generation: int
    collected: int
    uncollectable: int
    called_at: str | None  # site of the gc.collect() that began it; None: it began by itself


@dataclass(frozen=True, slots=True, eq=False)
class Collections(Sequence[Collection]):
    """Those of a trace. A column has an attribute of a Collection of each."""

    process: Column  # i; all other numbers q
    tid: Column
    start_ns: Column
    end_ns: Column
    generation: Column
    collected: Column
    uncollectable: Column
    called_at: Sequence[str | None]

    @classmethod
    def of(cls, rows: Iterable[Collection] = ()) -> "Collections":
        known = [*rows]
        *numbers, called_at = zip(*known, strict=True) if known else [()] * 8
        columns: list[Any] = [memoryview(array("q", column)) for column in numbers]
        columns[0] = memoryview(array("i", numbers[0]))
        return cls(*(*columns, called_at))

    def _columns(self) -> list[Column | Sequence[str | None]]:
        return [getattr(self, name) for name in Collection._fields]

    def at(self, rows: Column) -> list[Collection]:
        """Those of these numbers."""
        places = rows.tolist()
        return records(
            Collection, *(map(column.__getitem__, places) for column in self._columns())
        )

    def __len__(self) -> int:
        return len(self.start_ns)

    @overload
    def __getitem__(self, at: int) -> Collection: ...
    @overload
    def __getitem__(self, at: slice) -> list[Collection]: ...
    def __getitem__(self, at: int | slice) -> Collection | list[Collection]:
        if isinstance(at, slice):
            return records(Collection, *(column[at] for column in self._columns()))
        return records(Collection, *((column[at],) for column in self._columns()))[0]

    def __iter__(self) -> Iterator[Collection]:
        return iter(records(Collection, *self._columns()))


def find_collections(trace: Trace, owned: Owners) -> Collections:
    """One for each slice of the GC tracks; their copies on the threads' tracks do not count.

    The results of a collection are known at its end, so the END may have the arguments.
    """
    slices, track, take = trace.slices, trace.events.track, trace.engine.take
    kinds = bytes(owned.kind)
    if GC not in kinds:
        return Collections.of()
    is_gc = memoryview(kinds.translate(bytes(kind == GC for kind in range(256))))
    found = trace.engine.longer(slices.start_ns, slices.end_ns, is_gc, 0)
    is_collector = bytearray(len(trace.events.uuids))
    for number in trace.tracks.named(s.TRACK_GC):
        is_collector[number] = 1
    tracks = take(track, take(slices.event, found, -1), -1)
    is_ours = take(memoryview(is_collector), tracks, 0)
    rows = memoryview(array("i", compress(found, is_ours)))
    begins = take(slices.event, rows, -1)
    ends = trace.engine.either(take(slices.end_event, rows, -1), begins, -1)
    told = Told(trace, ends, begins)
    return Collections(
        take(trace.track_process, take(track, begins, -1), -1),
        told.numbers(s.ARG_TID, 0),
        take(slices.start_ns, rows, 0),
        take(slices.end_ns, rows, 0),
        told.numbers(s.ARG_GENERATION, 0),
        told.numbers(s.ARG_COLLECTED, 0),
        told.numbers(s.ARG_UNCOLLECTABLE, 0),
        _called_at(told),
    )


def _called_at(told: Told) -> list[str | None]:
    explicit = told.numbers(s.ARG_EXPLICIT, 0).tolist()
    if not any(explicit):
        return [None] * len(explicit)
    sites = zip(explicit, told.texts(s.ARG_SITE), strict=True)
    return [site if is_explicit else None for is_explicit, site in sites]
