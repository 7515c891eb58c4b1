"""Pools of threads: too large, too many, or never ended."""

from array import array
from collections import defaultdict
from collections.abc import Iterator
from functools import cache, partial

from tracer import schema as s
from tracer.units import duration, share
from viewer.analysis.findings.basis.facts import Evidence, Facts, Finding
from viewer.analysis.findings.basis.waits import name_of, place_in
from viewer.analysis.findings.interpreter.gil import gil_saturated
from viewer.analysis.ledger.jobs import Job
from viewer.analysis.processes.family import Family
from viewer.analysis.processes.jobs import Jobs as ProcessJobs
from viewer.analysis.processes.jobs import Pool
from viewer.analysis.resources.herds import Herds
from viewer.analysis.states import every, having, keys, numbers, stack_of
from viewer.analysis.threads import spent_by, spent_on
from viewer.trace.columns import GIL_WAIT, IDLE_WAIT, LOCK_WAIT, SLEEP, STATE_MASK, Column
from viewer.trace.model import Model
from viewer.trace.sites import place_of
from viewer.words import code, place, stem

# Eight threads of a name are a pool, not a pair of helpers.
_MANY = 8
# A pool is too large when a quarter of its threads could do the work, and they get in each
# other's way: they wait for a lock or the GIL for half of their time.
_TOO_MANY = 4
_IN_THE_WAY = 2
# An executor for a call or two need not stay: its threads, idle for two seconds in all.
_FEW_JOBS = 2
_IDLE_NS = 2_000_000_000
# Four of five are still there when the last one is made.
_STAY = 4, 5
_TIMER = " Timer.run"
# Where idle threads are kept for the next call, and end by themselves.
_CACHE = "/trio/_core/_thread_cache.py:"
# Threads that poll: twice as many as of those that wait for work of their own, since some are
# meant to be there to the end; four fifths of their lives asleep, half of it in `sleep`.
_POLLERS = 16
_ASLEEP = 8, 10
_LAST_NS = 500_000_000  # after it, a poller has said nothing more before the end
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
    if all(len(members) < _MANY for members in facts.pools.values()):
        return
    pools = {key: _workers(facts, members) for key, members in facts.pools.items()
             if len(members) >= _MANY}  # fmt: skip
    pools = {key: found for key, found in pools.items() if len(found[0]) >= _MANY}
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
        if (pid, name) in _waiting_at_the_end(facts):
            text += " They never exit: at the end of the program they wait for more work."
        evidence = Evidence(
            model.start_ns,
            table.last_ns[worst] - table.first_ns[worst],
            model.thread_names[worst],
            tid=model.threads[worst].tid,
            pid=pid,
        )
        step = "Use fewer workers, or do less under the lock."
        yield Finding("too many workers", gil, text, evidence, step)


def workers_never_exit(facts: Facts) -> Iterator[Finding]:
    """Workers that still wait at the end of the program, each for work of its own.

    Those of one pool wait for the same; as daemons they may stay to the end. Threads that each
    have a queue of their own were made one by one, and nobody ends them.
    """
    model, table = facts.model, facts.model.states
    for (pid, name), waits in _waiting_at_the_end(facts).items():
        if len({table.row[row] for row in waits}) < _MANY:
            continue
        first = min(waits, key=lambda row: table.start_ns[row])
        site = model.trace.text(table.site[first])
        if _CACHE in site:
            continue
        text = (
            f"{len(waits)} threads {code(name)}{started_at(facts, table.who[first])} never "
            f"exit: at the end of the program they still wait in {_awaited(facts, first)} "
            f"({place(site)}), each for {_for_what(facts, first)}"
        )
        evidence = Evidence(
            table.start_ns[first], facts.row_ns(first),
            model.thread_names[table.who[first]], tid=model.threads[table.who[first]].tid,
            site=site, pid=pid,
        )  # fmt: skip
        step = (
            ""
            if text.endswith("all.")
            else "End each one, give its wait a time-out, or let all share one queue."
        )
        yield Finding("workers never exit", 0, text, evidence, step)


def started_at(facts: Facts, thread: int) -> str:
    """`, started in `handle` (app.py:8),`: the line that started a thread; "" unknown."""
    site = facts.started_at(thread)
    return f", started{place_in(site)}," if site else ""


def _for_what(facts: Facts, wait: int) -> str:
    """What such a thread waits for, and what to do."""
    stack = stack_of(facts.model, wait)
    if _TIMER in stack:
        return (
            "the time of its own `threading.Timer`. Cancel the timer when it is not needed "
            "any more; one thread with a queue of times can serve all."
        )
    return "something of its own that never comes."


def _awaited(facts: Facts, wait: int) -> str:
    table = facts.model.states
    name = facts.model.trace.text(table.lock_name[table.row[wait]])
    return name.removeprefix(s.LOCK_WAIT_PREFIX)


def _is_awaited(name: str) -> bool:
    return not name.endswith("Lock")  # a library's signal


def _waiting_at_the_end(facts: Facts) -> dict[tuple[int, str], list[int]]:
    """By pool of many threads, the idle waits that last to the end of a program."""
    model, table = facts.model, facts.model.states
    large = {key: rows for key, rows in facts.pools.items() if len(rows) >= _MANY}
    if not large:
        return {}
    ended = {model.pid(n): process.end_ns for n, process in enumerate(model.trace.processes)
             if process.recording_ended is not None}  # fmt: skip
    engine, is_awaited = model.trace.engine, having(model, table.lock_name, _is_awaited)
    idle = engine.pick(facts.rows_of((IDLE_WAIT,), 0), table.row, memoryview(is_awaited))
    if len(idle) < _MANY:
        return {}
    who, ends = (engine.take(column, idle, -1) for column in (table.who, table.end_ns))
    spans = engine.spans(ends, who, len(model.threads))
    found = {}
    for key, rows in large.items():
        waits = [
            idle[last]
            for last in (spans.last[thread] for thread in rows)
            if last >= 0 and ends[last] >= ended.get(key[0], 1 << 63)
        ]
        if len(waits) >= _MANY:
            found[key] = waits
    return found


def executors_pile_up(facts: Facts) -> Iterator[Finding]:
    """Executors that got a job or two each, and whose workers then wait for more."""
    jobs, model, table = facts.jobs, facts.model, facts.model.states
    by_kind: dict[tuple[int, str], list[int]] = defaultdict(list)
    for n, pool in enumerate(jobs.pools):
        by_kind[model.thread_process[pool.threads[0]], stem(pool.name)].append(n)
    of_pool = jobs.of_pool
    for pools in by_kind.values():
        few = [n for n in pools if len(of_pool[n]) <= _FEW_JOBS * len(jobs.pools[n].threads)]
        threads = [thread for n in few for thread in jobs.pools[n].threads]
        last = max((table.first_ns[thread] for thread in threads), default=0)
        alive = [thread for thread in threads if table.last_ns[thread] > last]
        busy = sum(job.ran_ns for n in few for job in of_pool[n])
        lives = sum(table.last_ns[thread] - table.first_ns[thread] for thread in alive)
        idle = lives - busy
        if len(few) < _MANY or len(alive) < _MANY or idle < _IDLE_NS or busy * 2 > lives:
            continue
        if len(alive) * _STAY[1] < len(threads) * _STAY[0]:
            continue  # somebody ends them
        one = min(alive, key=lambda thread: (table.first_ns[thread], thread))
        job = of_pool[jobs.pool_of[one]][0]
        awaited = facts.awaits_job(job) if job.submitter is not None else ""
        by, started = _who_submits(facts, job), "" if awaited else started_at(facts, one)
        text = (
            f"Threads pile up: {len(few)} executors were made, and {len(alive)} of their "
            f"threads {code(stem(model.thread_names[one]))}{started} were alive at the same "
            f"time. Each ran a job or two{f' for {by}' if by else ''} and then waited for "
            f"more: {duration(idle)} in all. Make one executor and keep it, or end it with "
            f"`with`."
        )
        start, end = table.first_ns[one], table.last_ns[one]
        evidence = facts.evidence(("thread", one), start, end - start, job.site)
        yield Finding("workers never exit", idle, text, evidence)


def pollers_pile_up(facts: Facts) -> Iterator[Finding]:
    """Threads that are started one after the other, all the time, and look for something to
    the end of the program: nobody stops them."""
    model, table = facts.model, facts.model.states
    ended = {model.pid(n): process.end_ns for n, process in enumerate(model.trace.processes)
             if process.recording_ended is not None}  # fmt: skip
    for (pid, name), threads in facts.pools.items():
        if len(threads) < _POLLERS or pid not in ended:
            continue

        def summed(measure: str, threads: list[int] = threads) -> int:
            return sum(map(facts.threads.measure(measure).__getitem__, threads))

        slept, lives = summed(s.SLEEP), summed("wall_ns")
        if slept * 2 < lives or (slept + summed("idle")) * _ASLEEP[1] < lives * _ASLEEP[0]:
            continue
        found = sorted(threads, key=table.first_ns.__getitem__)
        starts = [table.first_ns[thread] for thread in found]
        if any(table.last_ns[thread] < ended[pid] - _LAST_NS for thread in found):
            continue
        whole = ended[pid] - model.trace.processes[model.thread_process[found[0]]].start_ns
        if not one_by_one(starts, whole):
            continue
        site = _sleeps_at(facts, found[0])
        text = (
            f"Threads pile up: {len(found)} threads {code(name)}"
            f"{started_at(facts, found[0])} were made one after the other, and none has "
            f"ended: each still sleeps and looks again{place_in(site)}. End each one when "
            f"nobody needs it any more, or let one thread look for all."
        )
        evidence = Evidence(
            starts[0], table.last_ns[found[0]] - starts[0], model.thread_names[found[0]],
            tid=model.threads[found[0]].tid, site=site, pid=pid,
        )  # fmt: skip
        yield Finding("workers never exit", 0, text, evidence)


def one_by_one(starts: list[int], whole: int) -> bool:
    """Whether threads were started all the time: over half of the recording, and in each
    quarter of that at least an eighth of them."""
    since, until = starts[0], starts[-1]
    if (until - since) * 2 < whole:
        return False
    quarters = [0] * 4
    for start in starts:
        quarters[min((start - since) * 4 // (until - since), 3)] += 1
    return min(quarters) * 8 >= len(starts)


def _sleeps_at(facts: Facts, thread: int) -> str:
    """Where a thread slept; one of the places, where there are several."""
    table = facts.model.states
    calls = {table.row[row] for row in facts.rows_of((SLEEP,), 0) if table.who[row] == thread}
    return max((facts.call(call)[1] for call in calls), default="")


def processes_pile_up(facts: Facts) -> Iterator[Finding]:
    """Pools of processes that ran a job or two each, and whose workers then wait for more."""
    family = Family.of(facts.model)
    by_parent: dict[int, list[Pool]] = defaultdict(list)
    for pool in ProcessJobs.of(facts.model).pools:
        if pool.process >= 0 and len(pool.jobs) <= _FEW_JOBS * max(len(pool.workers), 1):
            by_parent[pool.process].append(pool)
    for process, pools in by_parent.items():
        if len(pools) < _MANY:
            continue
        last = max(job.start_ns for pool in pools for job in pool.jobs)
        children = [one for one in family.members.values() if one.parent == process]
        alive = [one for one in children if one.end_ns > last]
        idle = sum(one.end_ns - one.start_ns for one in alive)
        idle -= sum(job.ran_ns for pool in pools for job in pool.jobs)
        if len(alive) * _STAY[1] < len(children) * _STAY[0] or idle < _IDLE_NS:
            continue
        job, one = pools[0].jobs[0], min(alive, key=lambda one: one.start_ns)
        site = one.start.site if one.start is not None else ""
        text = (
            f"Processes pile up: {len(pools)} pools of processes were made"
            f"{place_in(site)}, and {len(alive)} of their workers were alive at the same "
            f"time. Each pool ran a job or two of {code(job.name, job.site)}, and its workers "
            f"then waited for more: {duration(idle)} in all. Make one pool and keep it, or "
            f"end it with `with`."
        )
        evidence = Evidence(
            one.start_ns,
            one.end_ns - one.start_ns,
            one.name,
            site=site,
            pid=facts.model.pid(process),
        )
        yield Finding("workers never exit", idle, text, evidence)


def _who_submits(facts: Facts, job: Job) -> str:
    """Where a task awaits a job's result; else who submitted it."""
    if job.submitter is None:
        return ""
    if site := facts.awaits_job(job):
        return code(place_of(site).function, site)
    return code(name_of(facts.model, job.submitter))
