"""Services of several processes: one that does all the work, pools too large or too slow."""

from array import array
from collections import Counter, defaultdict
from collections.abc import Iterator
from operator import add, attrgetter

from tracer import schema as s
from tracer.units import MS, duration, plural, share, size
from viewer.analysis.findings.basis.facts import Evidence, Facts, Finding
from viewer.analysis.io import io_rows
from viewer.analysis.ledger.resource import Windows
from viewer.analysis.ledger.rows import joined, longs
from viewer.analysis.processes.family import Family, Member
from viewer.analysis.processes.jobs import Job, Jobs, Pool
from viewer.analysis.threads import Measures
from viewer.trace.columns import OFF_CPU, PREEMPTED
from viewer.words import code

# Workers of one kind: one does most of the work, four times as much as the others on average,
# is busy for a third of its life, and it matters: half a second of work. Workers have one
# parent, one program and one name, live at the same time, and wait for work at one line.
_WORK_NS = 500 * MS
_MOST = 60
_TIMES = 4
_BUSY = 30
# Sending and reading is worth a word from a megabyte a job on, where it takes a third of the
# time of the jobs, and a fifth of a second in all.
_LARGE_BYTES = 1_000_000
_CARRIED_NS = 200 * MS
_CARRIED = 30
# Workers stand idle while jobs wait: 0.3 s in all, a quarter of the time that the jobs run.
_IDLE_NS = 300 * MS
_IDLE = 25
_TINY_NS = 1 * MS
# A process for each job: eight, of which half ended before the last job began, and which spent
# half a second of their lives, two thirds of these at least, on something else than the jobs.
_PROCESSES, _STARTS_NS = 8, 500 * MS
# A pool is too large with four workers or more, three times as many as it has work for over a
# second, and so many jobs that it is not the last batch that leaves them idle.
_FEWEST, _SPARE, _SPAN_NS, _BATCH = 4, 3, 1_000 * MS, 4

type _Place = tuple[str, str]  # what a process waits in, and where


def process_findings(facts: Facts) -> Iterator[Finding]:
    """Uneven workers, pickling, idle workers while jobs wait, a pool that is too large."""
    family = Family.of(facts.model)
    if len(family.members) < 2:
        return
    yield from _uneven(facts, family)
    for pool in Jobs.of(facts.model).pools:
        found = (
            _pickling(facts, pool)
            or _one_job_each(facts, pool)
            or _idle_workers(facts, pool)
            or _too_large(facts, pool)
        )
        if found is not None:
            yield found


# Workers of one kind ----------------------------------------------------------------------


def _uneven(facts: Facts, family: Family) -> Iterator[Finding]:
    spent, ran = Measures.of_processes(facts.model), Jobs.of(facts.model).workers
    work = [*map(add, spent[s.RUNNING], spent[s.NATIVE])]
    held_up = [*map(add, spent[s.PREEMPTED], spent[s.OFF_CPU])]  # by the kernel
    waits: dict[int, Counter[_Place]] | None = None
    for alike in family.alike:
        if sum(map(work.__getitem__, alike)) < _WORK_NS:
            continue
        others_run = [i for i in alike if i not in ran]
        longest = max(map(family.ns.__getitem__, others_run), default=0)
        members = [i for i in others_run if family.ns[i] * 2 >= longest]
        if len(members) < 2:
            continue
        busiest = max(members, key=work.__getitem__)
        mine, total = work[busiest], sum(map(work.__getitem__, members))
        others = len(members) - 1
        if (
            total < _WORK_NS
            or mine * 100 < total * _MOST
            or mine * others < (total - mine) * _TIMES
            or (mine + held_up[busiest]) * 100 < family.ns[busiest] * _BUSY
        ):
            continue
        waits = waits if waits is not None else _waits(facts)
        if any(_idles_at(waits, m) not in waits[busiest] for m in members):
            continue
        yield _one_does_all(facts, family.members[busiest], mine, total, len(members))


def _waits(facts: Facts) -> dict[int, Counter[_Place]]:
    """By process how long its threads were in each call or wait."""
    found: dict[int, Counter[_Place]] = defaultdict(Counter)
    for call in io_rows(facts.model):
        found[call.process][call.callable, call.site] += call.calls.total_ns
    for lock in facts.locks:
        for waiter in lock.waiters:
            found[lock.process][lock.kind, waiter.site] += waiter.ns
    return found


def _idles_at(waits: dict[int, Counter[_Place]], process: int) -> _Place:
    """Where a process spends most of its waiting."""
    found = waits[process].most_common(1)
    return found[0][0] if found else ("", "")


def _one_does_all(
    facts: Facts, busiest: Member, mine: int, total: int, workers: int
) -> Finding:
    parent = Family.of(facts.model).members[busiest.parent]
    text = (
        f"Uneven workers: {code(busiest.name)} does {share(mine, total)} of the work of "
        f"{workers} workers of {code(parent.name)}: {duration(mine)} of {duration(total)}; "
        "the others wait for requests. See how requests are distributed: few connections that "
        "are kept alive, or one worker that accepts them all."
    )
    main = facts.model.threads[busiest.main] if busiest.main >= 0 else None
    evidence = Evidence(
        busiest.start_ns,
        busiest.ns,
        main.thread_name if main is not None else "",
        tid=main.tid if main is not None else -1,
        pid=busiest.pid,
    )
    return Finding("uneven workers", mine - total // workers, text, evidence)


# Pools of processes -----------------------------------------------------------------------


def _evidence(facts: Facts, pool: Pool, worst: Job) -> Evidence:
    since = worst.submit_ns if worst.submit_ns >= 0 else worst.start_ns
    until = worst.received_ns if worst.received_ns >= 0 else worst.end_ns
    pid = facts.model.pid(pool.process)
    return Evidence(since, max(until - since, 0), s.TRACK_JOBS, site=worst.site, pid=pid)


def _carried_ns(pool: Pool) -> dict[int, int]:
    """By job the time that it was carried: from when its worker was free, and back."""
    free = dict[int, int]()
    found = {}
    for job in sorted(pool.jobs, key=attrgetter("start_ns")):
        start_ns, submit_ns, worker = job.start_ns, job.submit_ns, job.worker
        if start_ns >= 0 <= submit_ns and job.is_over:
            since_ns = free.get(worker, start_ns)
            there = start_ns - (submit_ns if submit_ns > since_ns else since_ns)
            found[job.number] = job.returned_ns + (there if there > 0 else 0)
        free[worker] = job.end_ns if job.end_ns > job.result_ns else job.result_ns
    return found


def _pickling(facts: Facts, pool: Pool) -> Finding | None:
    """What goes through the pipe is large, and takes much of the jobs' time."""
    of = pool.columns
    engine = facts.model.trace.engine
    most = [engine.bounds(sizes)[1] for sizes in (of.sent_bytes, of.result_bytes)]
    if sum(max(size, 0) for size in most) < _LARGE_BYTES:
        return None  # not even one of them
    known = engine.known(of.submit_ns, of.start_ns)
    whole = [n for n in known if of.is_over[n]]
    bytes_ = sum(max(of.sent_bytes[n], 0) + max(of.result_bytes[n], 0) for n in whole)
    if bytes_ < _LARGE_BYTES * max(len(whole), 1):
        return None
    carried, jobs = _carried_ns(pool), [pool.jobs[n] for n in whole]
    took, ran = sum(carried.values()), sum(job.ran_ns for job in jobs)
    if took < _CARRIED_NS or took * 100 < (took + ran) * _CARRIED:
        return None
    worst = max(jobs, key=lambda job: carried[job.number])
    text = (
        f"Pickling: {plural(len(jobs), 'job')} of {code(worst.name, worst.site)} in a pool of "
        f"processes carried {size(bytes_ // len(jobs))} each; that took {duration(took)}, "
        f"{share(took, took + ran)} of their time. Give them names of files or shared memory, "
        "or let them make the data and return less."
    )
    return Finding("pickling", took, text, _evidence(facts, pool, worst))


def _one_job_each(facts: Facts, pool: Pool) -> Finding | None:
    """Each job has a process of its own, whose start and end take much longer."""
    known = Family.of(facts.model).members
    members = [known[worker] for worker in pool.workers if worker in known]
    if len(members) < _PROCESSES or len(pool.begun) > len(members):
        return None
    begun = [pool.jobs[n] for n in pool.begun]
    last = max(job.start_ns for job in begun)
    ended = sum(member.end_ns < last for member in members)
    lived, ran = sum(member.ns for member in members), sum(job.ran_ns for job in begun)
    if ended * 2 < len(members) or ran * _SPARE > lived or lived - ran < _STARTS_NS:
        return None
    worst = max(begun, key=lambda job: job.ran_ns)
    text = (
        f"Idle workers: each of {plural(len(begun), 'job')} of {code(worst.name, worst.site)} "
        f"had a process of its own, which lived for {duration(lived // len(members))} on "
        f"average; the jobs ran for {duration(ran)} of {duration(lived)}. Let a process do "
        f"more of them: a larger `max_tasks_per_child` (`maxtasksperchild`), or none."
    )
    return Finding("idle workers", lived - ran, text, _evidence(facts, pool, worst))


def _idle_workers(facts: Facts, pool: Pool) -> Finding | None:
    """Jobs wait in the process that submitted them, while workers are idle."""
    lost, ran = _lost_ns(facts, pool), pool.ran_ns
    if lost >= _IDLE_NS and lost * 100 >= ran * _IDLE:  # else it is too little already
        lost = round(lost * (1 - _kernels_part(facts, pool)))
    if lost < _IDLE_NS or lost * 100 < ran * _IDLE:
        return None
    worst = pool.begun_with_most(pool.each_queued_ns)
    engine, begun = facts.model.trace.engine, pool.begun
    of_all = memoryview(bytes(4 * len(begun))).cast("i")
    starts, ends = (
        engine.take(column, begun, 0)
        for column in (pool.columns.start_ns, pool.columns.end_ns)
    )
    usual = engine.grouped_stats(starts, ends, of_all, 1).p50[0]
    parent = Family.of(facts.model).name(pool.process)
    workers = Family.of(facts.model).at_once(pool.workers)
    text = (
        f"Idle workers: {plural(workers, 'worker')} of a pool of processes waited "
        f"for {code(parent or 'its process')} to send them jobs; {duration(lost)} were lost "
        f"while jobs of {code(worst.name, worst.site)} waited there. "
    )
    pickled = sum(pool.columns.pickled_ns)
    does = [f"Such a job runs for {duration(usual)} only: give each more to do (`chunksize`)."]
    does = does if usual < _TINY_NS else []
    if pickled * workers * 2 >= lost:  # half of what was lost, or more
        does.append(
            f"Pickling the jobs took {duration(pickled)}: give them less, or what is simpler."
        )
    text += (
        " ".join(does)
        or "See what the threads there do that send jobs: they may wait for the GIL."
    )
    return Finding("idle workers", lost, text, _evidence(facts, pool, worst))


def _kernels_part(facts: Facts, pool: Pool) -> float:
    """The part of the time in which jobs waited for which a worker had no processor: the one
    that lacked it most, or on average those that lived at once, where others replace them."""
    members, of, engine = (
        Family.of(facts.model).members,
        pool.columns,
        facts.model.trace.engine,
    )
    rows = engine.known(of.submit_ns, of.start_ns)
    since, until = (engine.take(column, rows, 0) for column in (of.submit_ns, of.start_ns))
    of_all = memoryview(bytes(4 * len(rows))).cast("i")
    none = engine.gaps(since, until, of_all, 1, 1)  # jobs are in order of submission
    last = engine.spans(until, of_all, 1).end_ns[0]
    windows = Windows(longs([since[0], *none.end_ns]), longs([*none.start_ns, last]))
    away = [
        facts.split(members[worker].main, windows).of((PREEMPTED, OFF_CPU))
        for worker in pool.workers
        if worker in members and members[worker].main >= 0
    ]
    average = sum(away) // max(Family.of(facts.model).at_once(pool.workers), 1)
    return max(average, *away, 0) / windows.ns if windows.ns else 0.0


def _lost_ns(facts: Facts, pool: Pool) -> int:
    """A piece of time counts for each pair of a waiting job and an idle worker."""
    members, of = Family.of(facts.model).members, pool.columns
    engine = facts.model.trace.engine
    starts, ends = (engine.take(column, pool.begun, 0) for column in (of.start_ns, of.end_ns))
    worked = engine.take(of.worker, pool.begun, -1)
    final = engine.spans(ends, worked, max(pool.workers, default=-1) + 1).end_ns
    last = engine.bounds(final)[1]
    until, none = (
        memoryview(array("q", [last]) * len(starts)),
        memoryview(bytes(8 * len(starts))).cast("q"),
    )
    left = engine.keyed_sums(starts, until, worked, none)  # from when each began one
    first = [last - most for most in left.max]
    done = [  # whoever ends before the last job takes no more after its own last one
        final[worker] if worker in members and members[worker].end_ns < last else last
        for worker in left.key
    ]
    queued = engine.known(of.submit_ns, of.start_ns)
    return engine.lesser(
        joined(ends, first),
        joined(starts, done),
        engine.take(of.submit_ns, queued, 0),
        engine.take(of.start_ns, queued, 0),
    )


def _too_large(facts: Facts, pool: Pool) -> Finding | None:
    """Most workers have nothing to do most of the time. No time is lost, but memory is."""
    workers, jobs = Family.of(facts.model).at_once(pool.workers), len(pool.begun)
    if workers < _FEWEST or jobs < _BATCH * workers:
        return None
    engine, of = facts.model.trace.engine, pool.columns
    first = engine.bounds(engine.take(of.start_ns, pool.begun, 0))[0]
    ran, last = pool.ran_ns, engine.bounds(of.end_ns)[1]
    if last - first < _SPAN_NS or ran * _SPARE > workers * (last - first):
        return None
    worst = pool.begun_with_most(pool.each_ran_ns)
    text = (
        f"Pool too large: a pool of {workers} processes has work for "
        f"{ran / (last - first):.1f} ({plural(jobs, 'job')}, {duration(ran)} in all, "
        f"within {duration(last - first)}). Fewer need less memory and would do as well."
    )
    return Finding("pool too large", 0, text, _evidence(facts, pool, worst))
