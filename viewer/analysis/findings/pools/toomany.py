"""Pools of many more threads than can work at the same time."""

from array import array
from collections.abc import Iterator
from functools import cache, partial

from tracer import schema as s
from tracer.units import share
from viewer.analysis.findings.basis.facts import Facts, Finding
from viewer.analysis.findings.interpreter.gil import gil_saturated
from viewer.analysis.findings.pools.pileups import MANY, waiting_at_the_end
from viewer.analysis.resources.herds import Herds
from viewer.analysis.states import every, keys, numbers
from viewer.analysis.threads import spent_by, spent_on
from viewer.trace.columns import GIL_WAIT, LOCK_WAIT, STATE_MASK, Column
from viewer.trace.model import Model
from viewer.words import code

# A pool is too large when a quarter of its threads could do the work, and they get in each
# other's way: they wait for a lock or the GIL for half of their time.
_TOO_MANY = 4
_IN_THE_WAY = 2
# A worker is there for at least half of its pool's time.
_STAYS = 2


def _workers(facts: Facts, threads: list[int]) -> tuple[Column, int]:
    """The threads that stay, and the time in which there were any.

    A thread that lives for less than half of that time is not a worker of a pool but has one
    job: a request, a call.
    """
    table, engine = facts.model.states, facts.model.trace.engine
    at, columns = numbers(threads), (table.first_ns, table.last_ns)
    first_ns, last_ns = (engine.take(column, at, -1) for column in columns)
    whole = engine.bounds(last_ns)[1] - engine.bounds(first_ns)[0]
    least, every = (whole + _STAYS - 1) // _STAYS, memoryview(b"\1" * len(at))
    return engine.take(at, engine.longer(first_ns, last_ns, every, least), -1), whole


def _pool_of(facts: Facts, pools: dict[tuple[int, str], tuple[Column, int]]) -> Column:
    """By thread the number of its pool; -1 none."""
    threads, numbers_of, engine = array("i"), array("i"), facts.model.trace.engine
    for n, (workers, _) in enumerate(pools.values()):
        threads.frombytes(bytes(workers))
        numbers_of.extend([n] * len(workers))
    nothing = memoryview(bytes(8 * len(threads))).cast("q")
    places = engine.spans(nothing, memoryview(threads), len(facts.model.threads)).first
    return engine.take(memoryview(numbers_of), places, -1)


def _contended(model: Model) -> Column:
    """By thread how long it waited for locks that somebody had, and for the GIL."""
    table, threads = model.states, len(model.threads)
    waits = keys(model, _is_contended, table.who, every(threads))
    none = memoryview(bytes(len(waits)))
    tally = model.trace.engine.tally
    return tally(table.start_ns, table.end_ns, waits, none, threads, 1).total


def _is_contended(state: int) -> bool:
    return state & STATE_MASK in (LOCK_WAIT, GIL_WAIT)


def too_many_workers(facts: Facts) -> Iterator[Finding]:
    """Many more workers than can work at the same time."""
    if all(len(members) < MANY for members in facts.pools.values()):
        return
    pools = {key: _workers(facts, members) for key, members in facts.pools.items()
             if len(members) >= MANY}  # fmt: skip
    pools = {key: found for key, found in pools.items() if len(found[0]) >= MANY}
    if not pools:
        return
    model, engine, pool_of = facts.model, facts.model.trace.engine, _pool_of(facts, pools)
    spent, table = spent_by(model, pool_of, len(pools)), model.states
    none = memoryview(bytes(len(pool_of)))
    lives = engine.tally(table.first_ns, table.last_ns, pool_of, none, len(pools), 1).total
    waited = cache(lambda: _contended(model))
    for n, ((pid, name), (workers, span)) in enumerate(pools.items()):
        wall, summed = lives[n], partial(spent_on, spent, n)
        locks = summed("lock") - summed("idle")
        gil = summed(s.GIL_WAIT)
        if gil > locks and pid in {found.evidence.pid for found in gil_saturated(facts)}:
            continue  # the same fault, and its line
        if not Herds.of(facts).threads.isdisjoint(workers):
            continue  # they wait for what wakes them all
        active = sum(map(summed, (s.RUNNING, s.NATIVE, "io", s.SLEEP)))
        at_work = active / span if span else 0.0
        if (locks + gil) * _IN_THE_WAY < wall or max(at_work, 1) * _TOO_MANY > len(workers):
            continue
        cost = engine.take(waited(), workers, 0).tolist()
        worst = workers[cost.index(max(cost))]
        waits = [f"{share(ns, wall)} for {what}" for ns, what in
                 ((locks, "locks"), (gil, "the GIL")) if ns * 100 >= wall]  # fmt: skip
        text = (
            f"{len(workers)} threads {code(name)} together do the work of "
            f"{max(at_work, 0.1):.1f} threads; the rest of their time they wait "
            f"({', '.join(waits)}). More workers make it slower, not faster."
        )
        if (pid, name) in waiting_at_the_end(facts):
            text += " They never exit: at the end of the program they wait for more work."
        whole = table.last_ns[worst] - table.first_ns[worst]
        evidence = facts.evidence(("thread", worst), model.start_ns, whole, "")
        step = "Use fewer workers, or do less under the lock."
        yield Finding("too many workers", gil, text, evidence, step)
