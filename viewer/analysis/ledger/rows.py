"""The rows of lanes that the ledger uses: their columns, and which states count."""

from array import array
from collections.abc import Iterable
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
from viewer.trace.model import Collection

GENERATIONS = 4  # of collections; there are no higher ones
COLLECTIONS = 2 * GENERATIONS  # kinds: by themselves; then those that gc.collect() began


class Rows(NamedTuple):
    """The occupants of lanes; those of a frame show when their lane is known."""

    start_ns: Column
    end_ns: Column
    lane: Column
    frame: Column


def kind_of_collection(run: Collection) -> int:
    generation = run.generation
    if not 0 <= generation < GENERATIONS:
        generation = 0 if generation < 0 else GENERATIONS - 1
    return generation if run.called_at is None else generation + GENERATIONS


def longs(values: Iterable[int]) -> Column:
    return memoryview(array("q", values))


def nowhere(count: int) -> Column:
    """-1 for each row."""
    return memoryview(array("i", [-1]) * count)


def joined(column: Column, more: Iterable[int]) -> Column:
    found = array(column.format)
    found.frombytes(bytes(column))
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
