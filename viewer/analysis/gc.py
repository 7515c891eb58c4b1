"""Garbage collections, by generation."""

from collections import Counter
from dataclasses import dataclass

from viewer.analysis.spread import Spread, spread_of
from viewer.trace.model import Model


@dataclass(frozen=True, slots=True)
class GcRow:
    generation: int
    pauses: Spread
    collected: int
    uncollectable: int
    calls: tuple[tuple[str, int], ...] = ()  # sites of gc.collect(), the most frequent first

    @property
    def explicit(self) -> int:
        """How many of them gc.collect() was called for."""
        return sum(count for _, count in self.calls)


def gc_rows(model: Model) -> tuple[GcRow, ...]:
    """One row for each generation that was collected, the youngest first."""
    rows = []
    for generation in sorted({c.generation for c in model.collections}):
        runs = [c for c in model.collections if c.generation == generation]
        pauses = spread_of(c.end_ns - c.start_ns for c in runs)
        collected = sum(c.collected for c in runs)
        uncollectable = sum(c.uncollectable for c in runs)
        calls = Counter(c.called_at for c in runs if c.called_at is not None).most_common()
        rows.append(GcRow(generation, pauses, collected, uncollectable, tuple(calls)))
    return tuple(rows)
