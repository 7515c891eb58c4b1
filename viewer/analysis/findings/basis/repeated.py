"""Calls that a thread makes many times."""

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from viewer.analysis.findings.basis.facts import Facts
from viewer.analysis.ledger.jobs import Job
from viewer.analysis.ledger.resource import covers
from viewer.analysis.states import at_least, having, keys, numbers
from viewer.trace.columns import LARGEST, SLEEP, STATE_MASK, Column
from viewer.trace.sites import function_of

_EACH = 2  # waits of a job
_LOOKS = 3  # between two sleeps it looks whether what it sleeps for is there

type Calls = dict[tuple[int, int], Column]


class _Alike(NamedTuple):
    """Rows of States by number of thread and call; of the wanted numbers the first row, and
    how often."""

    rows: Column
    number: Column
    numbers: int  # there are
    wanted: dict[int, tuple[int, int]]


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
    lanes = engine.lanes(starts, ends, none, alike.number, alike.numbers)
    return {
        (table.who[one], table.row[one]): engine.take(rows, lanes.of(number), -1)
        for number, (one, _) in alike.wanted.items()
    }


def counts_by_thread(
    facts: Facts, state: int, least: int, names: tuple[str, ...], mean_ns: int = LARGEST
) -> dict[tuple[int, int], int]:
    """The same, but only how many they are."""
    alike = _alike(facts, state, least, names, mean_ns)
    if alike is None:
        return {}
    table = facts.model.states
    return {(table.who[row], table.row[row]): count for row, count in alike.wanted.values()}


def are_jobs(jobs: Iterable[Job], stack: str, calls: int) -> bool:
    """Whether so many calls of this stack are one each, or two, of jobs whose function is on
    it: each job waits once, and nobody asks again and again."""
    inside = {*map(function_of, stack.split("\n"))}
    begun = Counter(job.site for job in jobs)
    count = sum(n for site, n in begun.items() if site and function_of(site) in inside)
    return count * _EACH >= calls


def _alike(
    facts: Facts, state: int, least: int, names: tuple[str, ...], mean_ns: int
) -> _Alike | None:
    model, table, engine = facts.model, facts.model.states, facts.model.trace.engine
    every = len(table.call_name)
    named = having(model, table.call_name, lambda name: name.endswith(names), names)
    if 1 not in named:
        return None
    call = keys(model, lambda of: of & STATE_MASK == state, table.row, numbers(range(every)))
    none = memoryview(bytes(len(call)))
    tally = engine.tally(table.start_ns, table.end_ns, call, none, every, 1)
    often = at_least(tally.count, least, named)
    if not len(often):
        return None
    mark = bytearray(every)
    for one in often:
        mark[one] = 1
    rows = engine.pick(facts.rows_of((state,), 0), table.row, memoryview(mark))
    who, calls, starts, ends = (
        engine.take(column, rows, -1)
        for column in (table.who, table.row, table.start_ns, table.end_ns)
    )
    alike = engine.pairs(who, calls)
    times = len(alike.head)
    tally = engine.tally(starts, ends, alike.number, none[: len(rows)], times, 1)
    wanted = {
        number: (rows[alike.head[number]], tally.count[number])
        for number in at_least(tally.count, least)
        if tally.total[number] <= tally.count[number] * mean_ns
    }
    return _Alike(rows, alike.number, times, wanted) if wanted else None


def asks_asleep(facts: Facts, thread: int, since_ns: int, until_ns: int) -> bool:
    """Whether a thread sleeps again and again at one line for most of a time."""
    table, rows = facts.model.states, facts.ledger.rows_of_threads
    times, slept = Counter[int](), Counter[int]()
    for n in rows.begun(thread, since_ns, until_ns):
        row = rows.row[n]
        if table.state[row] & STATE_MASK == SLEEP:
            times[table.row[row]] += 1
            slept[table.row[row]] += min(table.end_ns[row], until_ns) - table.start_ns[row]
    ((call, ns),) = slept.most_common(1) or ((-1, 0),)
    return times[call] >= _LOOKS and covers(ns, until_ns - since_ns)
