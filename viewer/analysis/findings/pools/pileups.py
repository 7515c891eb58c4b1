"""Threads and processes of which more and more are made, and never end: workers that wait for
work, that poll, or that wait for an answer which does not come."""

from collections import defaultdict
from collections.abc import Iterator
from functools import partial

from tracer import schema as s
from tracer.units import duration
from viewer.analysis.findings.basis.facts import Evidence, Facts, Finding
from viewer.analysis.findings.basis.waits import name_of, place_in
from viewer.analysis.ledger.circles import Who
from viewer.analysis.ledger.jobs import Job
from viewer.analysis.processes.family import Family
from viewer.analysis.processes.jobs import Jobs as ProcessJobs
from viewer.analysis.processes.jobs import Pool
from viewer.analysis.states import having, stack_of
from viewer.trace.columns import IDLE_WAIT, IO, SLEEP, STATE_MASK
from viewer.trace.sites import place_of
from viewer.words import code, place, stem

# Eight threads of a name are a pool, not a pair of helpers.
MANY = 8
# An executor for a call or two need not stay: its threads, idle for two seconds in all.
_FEW_JOBS = 2
_IDLE_NS = 2_000_000_000
# Four of five are still there when the last one is made.
_STAY = 4, 5
_TIMER = " Timer.run"
# Where idle threads are kept for the next call, and end by themselves.
_CACHES = ("/trio/_core/_thread_cache.py:", "/gevent/_threading.py:")
# Threads that poll: twice as many as of those that wait for work of their own, since some are
# meant to be there to the end; four fifths of their lives asleep, half of it in `sleep`.
_POLLERS = 16
_ASLEEP = 8, 10
_LAST_NS = 500_000_000  # after it, a poller has said nothing more before the end


def workers_never_exit(facts: Facts) -> Iterator[Finding]:
    """Workers that still wait at the end of the program, each for work of its own.

    Those of one pool wait for the same; as daemons they may stay to the end. Threads that each
    have a queue of their own were made one by one, and nobody ends them.
    """
    model, table = facts.model, facts.model.states
    for (_, name), waits in waiting_at_the_end(facts).items():
        if len({table.row[row] for row in waits}) < MANY:
            continue
        first = min(waits, key=lambda row: table.start_ns[row])
        site = model.trace.text(table.site[first])
        if any(cache in site for cache in _CACHES):
            continue
        text = (
            f"{len(waits)} threads {code(name)}{started_at(facts, table.who[first])} never "
            f"exit: at the end of the program they still wait in {_awaited(facts, first)} "
            f"({place(site)}), each for {_for_what(facts, first)}"
        )
        who: Who = ("thread", table.who[first])
        evidence = facts.evidence(who, table.start_ns[first], facts.row_ns(first), site)
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


def waiting_at_the_end(facts: Facts) -> dict[tuple[int, str], list[int]]:
    """By pool of many threads, the idle waits that last to the end of a program."""
    model, table = facts.model, facts.model.states
    large = {key: rows for key, rows in facts.pools.items() if len(rows) >= MANY}
    if not large:
        return {}
    ended = model.trace.processes.ended_ns
    engine, is_awaited = model.trace.engine, having(model, table.lock_name, _is_awaited)
    idle = engine.pick(facts.rows_of((IDLE_WAIT,), 0), table.row, memoryview(is_awaited))
    if len(idle) < MANY:
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
        if len(waits) >= MANY:
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
        if len(few) < MANY or len(alive) < MANY or idle < _IDLE_NS or busy * 2 > lives:
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


def _summed(facts: Facts, threads: list[int], measure: str) -> int:
    return sum(map(facts.threads.measure(measure).__getitem__, threads))


def pollers_pile_up(facts: Facts) -> Iterator[Finding]:
    """Threads that are started one after the other, all the time, and look for something to
    the end of the program: nobody stops them."""
    model, table = facts.model, facts.model.states
    ended = model.trace.processes.ended_ns
    for (pid, name), threads in facts.pools.items():
        if len(threads) < _POLLERS or pid not in ended:
            continue
        summed = partial(_summed, facts, threads)
        slept, lives = summed(s.SLEEP), summed("wall_ns")
        if slept * 2 < lives or (slept + summed("idle")) * _ASLEEP[1] < lives * _ASLEEP[0]:
            continue
        found = sorted(threads, key=table.first_ns.__getitem__)
        starts = [table.first_ns[thread] for thread in found]
        if any(table.last_ns[thread] < ended[pid] - _LAST_NS for thread in found):
            continue
        whole = ended[pid] - model.trace.processes.start_ns[model.thread_process[found[0]]]
        if not one_by_one(starts, whole):
            continue
        site = _sleeps_at(facts, found[0])
        text = (
            f"Threads pile up: {len(found)} threads {code(name)}"
            f"{started_at(facts, found[0])} were made one after the other, and none has "
            f"ended: each still sleeps and looks again{place_in(site)}. End each one when "
            f"nobody needs it any more, or let one thread look for all."
        )
        until = table.last_ns[found[0]]
        evidence = facts.evidence(("thread", found[0]), starts[0], until - starts[0], site)
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
        if len(pools) < MANY:
            continue
        last = max(job.start_ns for pool in pools for job in pool.jobs)
        children = family.children(process)
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


# As of threads that poll: sixteen, made one by one, of which four in five are still there.
# Each has connected itself, so it waits for a server; who serves may have clients that stay.
_FIRST = 200  # rows of a thread in which it connects
_READS = ("socket.recv", "socket.recv_into", "ssl.read", "ssl.recv")
_CONNECT = "socket.connect"


def readers_pile_up(facts: Facts) -> Iterator[Finding]:
    """Threads that are started one after the other, ask a server, and have no answer at the
    end of the program."""
    model, table = facts.model, facts.model.states
    if 1 not in having(model, table.call_name, lambda name: name.endswith(_CONNECT)):
        return
    ended = model.trace.processes.ended_ns
    for (pid, name), threads in facts.pools.items():
        if len(threads) < _POLLERS or pid not in ended:
            continue
        found = {t: site for t in threads if (site := _connected_at(facts, t)) is not None}
        hanging = sorted(found, key=table.first_ns.__getitem__)
        if len(hanging) < _POLLERS or len(hanging) * _STAY[1] < len(threads) * _STAY[0]:
            continue
        starts = [table.first_ns[thread] for thread in hanging]
        whole = ended[pid] - model.trace.processes.start_ns[model.thread_process[hanging[0]]]
        if starts[len(starts) // 2] > ended[pid] - _LAST_NS or not one_by_one(starts, whole):
            continue
        first = hanging[0]
        call = facts.call(table.row[_last(facts, first)])[0]
        text = (
            f"Threads pile up: {len(hanging)} threads {code(name)}{started_at(facts, first)} "
            f"were made one after the other and have not ended: each connected"
            f"{place_in(found[first])} and still waits in `{call}` for an answer. Give the "
            f"socket a time-out, or close it when nobody needs it any more."
        )
        evidence = facts.evidence(
            ("thread", first), starts[0], table.last_ns[first] - starts[0], found[first]
        )
        yield Finding("workers never exit", 0, text, evidence, about=frozenset((name,)))


def _last(facts: Facts, thread: int) -> int:
    """The last row of a thread; -1: it has none."""
    rows = facts.ledger.rows_of_threads.of(thread)
    return rows[-1] if len(rows) else -1


def _connected_at(facts: Facts, thread: int) -> str | None:
    """Where a thread connected that reads to the end; None where it does not."""
    table, slices = facts.model.states, facts.model.trace.slices
    last = _last(facts, thread)
    if last < 0 or table.state[last] & STATE_MASK != IO:
        return None
    if (
        not slices.unfinished[table.slice[last]]
        or facts.call(table.row[last])[0] not in _READS
    ):
        return None
    for row in facts.ledger.rows_of_threads.of(thread)[:_FIRST]:
        if table.state[row] & STATE_MASK == IO:
            name, site = facts.call(table.row[row])
            if name == _CONNECT:
                return site
    return None
