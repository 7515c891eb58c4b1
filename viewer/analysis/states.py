"""Keys over the rows of the states table, for the engine to sum by."""

from array import array
from collections.abc import Callable, Iterable

from viewer.trace.columns import LOOP_TASK, Column
from viewer.trace.model import Model


def marks(model: Model, mark: Callable[[int], int]) -> Column:
    """By row a small number made of its state and flags."""
    table = bytes(mark(state) for state in range(256))
    return memoryview(bytes(model.states.state).translate(table))


def keys(model: Model, wanted: Callable[[int], bool], of: Column, key_of: Column) -> Column:
    """By row `key_of` its value in the column `of` if its state is wanted, else -1."""
    chosen = marks(model, lambda state: int(wanted(state)))
    return model.trace.engine.group_keys(chosen, of, key_of, 1)


def numbers(values: Iterable[int]) -> Column:
    return memoryview(array("i", values))


def attribute(
    model: Model,
    key: Column,
    keys_: int,
    holds: Callable[[int], bool],
    who: Column,
    whos: int,
    lane: Column,
    lanes: int,
    drops: Iterable[tuple[int, int, int]],
) -> dict[int, dict[int, int]]:
    """By key, how long its rows overlapped with the holder `who` of their lane, in ns.

    Beyond the holders, `whos` is nobody and `whos` + 1 is unknown: before the first hold of
    the lane, after its last, or in one of the drops, which are (lane, from, until). The parts
    of a key add up to its durations. A lane with its holders is swept like a loop with its
    tasks.
    """
    lost = sorted((since, until, i) for i, since, until in drops)
    found = model.trace.engine.attribute(
        model.states.start_ns,
        model.states.end_ns,
        marks(model, lambda state: LOOP_TASK if holds(state) else 0),
        who,
        key,
        lane,
        numbers(range(whos)),
        memoryview(array("q", (since for since, _, _ in lost))),
        memoryview(array("q", (until for _, until, _ in lost))),
        numbers(i for _, _, i in lost),
        memoryview(array("q", [whos + 2]) * len(lost)),
        whos,
        0,
        keys_,
        lanes,
    )
    parts: dict[int, dict[int, int]] = {}
    for k, holder, ns in zip(found.key, found.who, found.total, strict=True):
        at = holder if holder < whos else holder - 1  # there is no `select`
        parts.setdefault(k, {})[at] = ns
    return parts
