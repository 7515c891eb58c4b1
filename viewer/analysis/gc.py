"""Garbage collections, by generation."""

from array import array
from bisect import bisect_right
from collections import Counter, defaultdict
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple, Self

from viewer.analysis.ledger.rows import Runs
from viewer.analysis.spread import Spread, spread_of
from viewer.trace.columns import Column
from viewer.trace.garbage import Collection
from viewer.trace.heap import Block, Heap
from viewer.trace.model import Model

_NONE = memoryview(array("i"))


class GcRow(NamedTuple):
    generation: int
    pauses: Spread
    collected: int
    uncollectable: int
    calls: tuple[tuple[str, int], ...] = ()  # sites of gc.collect(), the most frequent first
    freed_bytes: int | None = None  # estimated; None: allocations were not recorded

    @property
    def explicit(self) -> int:
        """How many of them gc.collect() was called for."""
        return sum(count for _, count in self.calls)


class Collectors:
    """The collections by thread, which of them freed a block, and how much each freed."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._runs, self._blocks = model.collections, Heap.of(model).blocks

    @classmethod
    def of(cls, model: Model) -> Self:
        """Those of a model, found once."""
        return model.derive(cls, lambda: cls(model))

    @cached_property
    def by_thread(self) -> dict[tuple[int, int], Column]:
        """By (process, tid) the numbers of its collections, in order of time."""
        engine, by, start_ns = (
            self._model.trace.engine,
            Runs.of(self._model),
            self._runs.start_ns,
        )
        nothing = memoryview(bytes(len(start_ns)))
        lanes = engine.lanes(start_ns, self._runs.end_ns, nothing, by.owner, len(by.owners))
        return {
            owner: engine.ranked(lanes.row[low:high], start_ns, 0)
            for owner, (low, high) in zip(by.owners, pairwise(lanes.offset), strict=True)
        }

    @cached_property
    def freed_bytes(self) -> dict[Collection, float]:
        """An estimate, by collection; one that freed no sampled block has none."""
        found: dict[Collection, float] = defaultdict(float)
        for block in self._blocks:
            by = self.freed(block)
            if by is not None:
                found[by] += block.bytes
        return found

    def freed(self, block: Block) -> Collection | None:
        """The one that the freeing thread ran at that time."""
        if block.end_ns < 0 or not self.by_thread:
            return None
        rows = self.by_thread.get((block.process, block.freed_by), _NONE)
        at = bisect_right(rows, block.end_ns, key=self._runs.start_ns.__getitem__) - 1
        is_by = at >= 0 and block.end_ns <= self._runs.end_ns[rows[at]]
        return self._runs[rows[at]] if is_by else None


def gc_rows(model: Model) -> tuple[GcRow, ...]:
    """One row for each generation that was collected, the youngest first."""
    rows = []
    freed = _freed(model)
    runs, engine = model.collections, model.trace.engine
    by = engine.pairs(engine.narrow(runs.generation), engine.narrow(runs.generation))
    nothing = memoryview(bytes(len(runs)))
    lanes = engine.lanes(runs.start_ns, runs.end_ns, nothing, by.number, len(by.head))
    for group in sorted(range(len(by.head)), key=lambda i: runs.generation[by.head[i]]):
        of = slice(lanes.offset[group], lanes.offset[group + 1])
        pauses = engine.between(lanes.start_ns[of], lanes.end_ns[of])
        collected, uncollectable = (
            sum(engine.take(column, lanes.row[of], 0))
            for column in (runs.collected, runs.uncollectable)
        )
        sites = map(runs.called_at.__getitem__, lanes.row[of])
        calls = Counter([site for site in sites if site is not None]).most_common()
        generation = runs.generation[by.head[group]]
        bytes_ = freed[generation] if freed is not None else None
        rows.append(
            GcRow(
                generation, spread_of(pauses), collected, uncollectable, tuple(calls), bytes_
            )
        )
    return tuple(rows)


def _freed(model: Model) -> Counter[int] | None:
    """By generation the bytes that its collections freed."""
    if not Heap.of(model).mean_bytes:
        return None
    found: dict[int, float] = defaultdict(float)
    for by, amount in Collectors.of(model).freed_bytes.items():
        found[by.generation] += amount
    return Counter({generation: round(amount) for generation, amount in found.items()})
