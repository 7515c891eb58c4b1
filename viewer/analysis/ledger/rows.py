"""The rows of lanes that the ledger uses: their columns, and which states count."""

from array import array
from collections.abc import Callable, Iterable
from typing import NamedTuple

from viewer.trace.columns import (
    HOLD,
    HOLDING,
    IDLE_WAIT,
    LOCK_WAIT,
    STATE_MASK,
    TASK_WAIT,
    Column,
)
from viewer.trace.model import Model

GENERATIONS = 4  # of collections; there are no higher ones
COLLECTIONS = 2 * GENERATIONS  # kinds: by themselves; then those that gc.collect() began


class Rows(NamedTuple):
    """The occupants of lanes; those of a frame show when their lane is known."""

    start_ns: Column
    end_ns: Column
    lane: Column
    frame: Column


class Runs(NamedTuple):
    """Who ran the collections, and of which kind each is."""

    owners: list[tuple[int, int]]  # (process, tid), each once
    owner: Column  # i, by collection: index into `owners`
    kind: Column  # i, by collection

    @classmethod
    def of(cls, model: Model) -> "Runs":
        return model.derive(cls, lambda: cls.all_in(model))

    @classmethod
    def all_in(cls, model: Model) -> "Runs":
        runs, engine = model.collections, model.trace.engine
        by = engine.pairs(engine.narrow(runs.tid), runs.process)
        called = memoryview(array("i", (site is not None for site in runs.called_at)))
        how = engine.pairs(engine.narrow(runs.generation), called)
        kinds = [_kind_of_collection(runs.generation[i], runs.called_at[i]) for i in how.head]
        return cls(
            [(runs.process[i], runs.tid[i]) for i in by.head],
            by.number,
            engine.take(memoryview(array("i", kinds)), how.number, 0),
        )

    def by_owner(self, model: Model, of: Callable[[int, int], int]) -> Column:
        """By collection a number of its owner; -1 where the thread that ran it is unknown."""
        found = (of(*owner) if owner[1] else -1 for owner in self.owners)
        return model.trace.engine.take(memoryview(array("i", found)), self.owner, -1)


def _kind_of_collection(generation: int, called_at: str | None) -> int:
    generation = min(max(generation, 0), GENERATIONS - 1)
    return generation if called_at is None else generation + GENERATIONS


def longs(values: Iterable[int]) -> Column:
    if isinstance(values, memoryview) and values.format == "q":
        return values
    return memoryview(array("q", values))


def nowhere(count: int) -> Column:
    """-1 for each row."""
    return memoryview(array("i", [-1]) * count)


def joined(column: Column, more: Iterable[int]) -> Column:
    found = array(column.format)
    found.frombytes(bytes(column))
    if isinstance(more, memoryview) and more.format == column.format:
        found.frombytes(bytes(more))
    else:
        found.extend(more)
    return memoryview(found)


def has_gil(state: int) -> bool:
    return bool(state & HOLDING)


def is_hold(state: int) -> bool:
    return state & STATE_MASK == HOLD


def is_wait(state: int) -> bool:
    return state & STATE_MASK in (LOCK_WAIT, IDLE_WAIT)


def waits_for_lock(state: int) -> bool:
    return state & STATE_MASK in (LOCK_WAIT, IDLE_WAIT, TASK_WAIT)


def is_own(state: int) -> bool:
    # 0: a row outside the range, of any owner
    return state & STATE_MASK not in (0, TASK_WAIT, HOLD)
