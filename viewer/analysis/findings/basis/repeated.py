"""Calls that a thread makes many times."""

from itertools import pairwise
from typing import NamedTuple

from viewer.analysis.findings.basis.facts import Facts
from viewer.analysis.states import having, keys, numbers
from viewer.trace.columns import LARGEST, STATE_MASK, Column

type Calls = dict[tuple[int, int], Column]


class _Alike(NamedTuple):
    """Rows of States by number of thread and call; by number one row, and how often,
    0 where they are not wanted."""

    rows: Column
    number: Column
    one: list[int]
    times: list[int]


def calls_by_thread(
    facts: Facts, state: int, least: int, names: tuple[str, ...], mean_ns: int = LARGEST
) -> Calls:
    """By thread and call its rows of States, of calls that are made this often, and on average
    take so long at most."""
    alike = _alike(facts, state, least, names, mean_ns)
    if alike is None:
        return {}
    table, engine, rows = facts.model.states, facts.model.trace.engine, alike.rows
    starts, ends = (engine.take(of, rows, 0) for of in (table.start_ns, table.end_ns))
    none = memoryview(bytes(len(rows)))
    lanes = engine.lanes(starts, ends, none, alike.number, len(alike.times))
    return {
        (table.who[one], table.row[one]): engine.take(rows, lanes.row[first:behind], -1)
        for one, count, (first, behind) in zip(
            alike.one, alike.times, pairwise(lanes.offset), strict=True
        )
        if count
    }


def counts_by_thread(
    facts: Facts, state: int, least: int, names: tuple[str, ...], mean_ns: int = LARGEST
) -> dict[tuple[int, int], int]:
    """The same, but only how many they are."""
    alike = _alike(facts, state, least, names, mean_ns)
    if alike is None:
        return {}
    table, rows = facts.model.states, zip(alike.one, alike.times, strict=True)
    return {(table.who[row], table.row[row]): count for row, count in rows if count}


def _alike(
    facts: Facts, state: int, least: int, names: tuple[str, ...], mean_ns: int
) -> _Alike | None:
    model, table, engine = facts.model, facts.model.states, facts.model.trace.engine
    every = len(table.call_name)
    named = having(model, table.call_name, lambda name: name.endswith(names), names)
    if 1 not in named:
        return None
    call = keys(model, lambda of: of & STATE_MASK == state, table.row, numbers(range(every)))
    stats = engine.grouped_stats(table.start_ns, table.end_ns, call, every)
    often = bytes(
        int(is_named and count >= least)
        for is_named, count in zip(named, stats.count, strict=True)
    )
    if 1 not in often:
        return None
    rows = engine.pick(facts.rows_of((state,), 0), table.row, memoryview(often))
    who, calls, starts, ends = (
        engine.take(column, rows, -1)
        for column in (table.who, table.row, table.start_ns, table.end_ns)
    )
    alike = engine.pairs(who, calls)
    none, own = memoryview(bytes(len(rows))), alike.number
    tally = engine.tally(starts, ends, own, none, len(alike.head), 1)
    if engine.bounds(tally.count)[1] < least:
        return None
    counts = [
        count if count >= least and total <= count * mean_ns else 0
        for count, total in zip(tally.count, tally.total, strict=True)
    ]
    return _Alike(rows, own, [rows[head] for head in alike.head], counts)
