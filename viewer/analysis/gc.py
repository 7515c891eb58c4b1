"""Garbage collections, by generation."""

from dataclasses import dataclass

from viewer.analysis.spread import Spread, spread_of
from viewer.trace.model import Model


@dataclass(frozen=True, slots=True)
class GcRow:
    generation: int
    pauses: Spread
    collected: int
    uncollectable: int


def gc_rows(model: Model) -> tuple[GcRow, ...]:
    """One row for each generation that was collected, the youngest first."""
    rows = []
    for generation in sorted({c.generation for c in model.collections}):
        runs = [c for c in model.collections if c.generation == generation]
        pauses = spread_of(c.end_ns - c.start_ns for c in runs)
        collected = sum(c.collected for c in runs)
        rows.append(GcRow(generation, pauses, collected, sum(c.uncollectable for c in runs)))
    return tuple(rows)
