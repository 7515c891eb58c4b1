"""Garbage collections, by generation."""

from bisect import bisect_right
from collections import Counter, defaultdict
from functools import cached_property
from operator import attrgetter
from typing import NamedTuple, Self

from viewer.analysis.ledger.rows import Runs
from viewer.analysis.spread import Spread, spread_of
from viewer.trace.heap import Block, Heap
from viewer.trace.model import Collection, Model

_START = attrgetter("start_ns")


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
    """The collections by (process, tid) in order of time, which of them freed a block, and how
    much each freed."""

    def __init__(self, model: Model) -> None:
        self._blocks = Heap.of(model).blocks
        self.of_thread = defaultdict[tuple[int, int], list[Collection]](list)
        for each, owner in zip(model.collections, Runs.of(model).owners, strict=True):
            self.of_thread[owner].append(each)
        for runs in self.of_thread.values():
            runs.sort(key=_START)

    @classmethod
    def of(cls, model: Model) -> Self:
        """Those of a model, found once."""
        return model.derive(cls, lambda: cls(model))

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
        if block.end_ns < 0:
            return None
        runs = self.of_thread.get((block.process, block.freed_by), [])
        at = bisect_right(runs, block.end_ns, key=_START) - 1
        return runs[at] if at >= 0 and block.end_ns <= runs[at].end_ns else None


def gc_rows(model: Model) -> tuple[GcRow, ...]:
    """One row for each generation that was collected, the youngest first."""
    rows = []
    freed = _freed(model)
    for generation in sorted({c.generation for c in model.collections}):
        runs = [c for c in model.collections if c.generation == generation]
        pauses = spread_of([c.end_ns - c.start_ns for c in runs])
        collected = sum([c.collected for c in runs])
        uncollectable = sum([c.uncollectable for c in runs])
        calls = Counter([c.called_at for c in runs if c.called_at is not None]).most_common()
        bytes_ = freed[generation] if freed is not None else None
        rows.append(GcRow(generation, pauses, collected, uncollectable, tuple(calls), bytes_))
    return tuple(rows)


def _freed(model: Model) -> Counter[int] | None:
    """By generation the bytes that its collections freed."""
    if not Heap.of(model).mean_bytes:
        return None
    found: dict[int, float] = defaultdict(float)
    for by, amount in Collectors.of(model).freed_bytes.items():
        found[by.generation] += amount
    return Counter({generation: round(amount) for generation, amount in found.items()})
