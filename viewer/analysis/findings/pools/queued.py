"""Threads that a program made itself, which take jobs from one queue and have no time for
more: nobody waits for the jobs, but these wait."""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from tracer.units import MS, duration
from viewer.analysis.findings.basis.doing import mostly
from viewer.analysis.findings.basis.facts import BLOCKED, Facts, Finding
from viewer.analysis.findings.basis.waits import LongWaits, users
from viewer.analysis.findings.basis.words import at, middle
from viewer.analysis.ledger.circles import Who
from viewer.analysis.ledger.resource import covers, within
from viewer.analysis.resources.enders import Enders
from viewer.analysis.resources.servers import takers_of_queues
from viewer.analysis.resources.waits import GETS, PUTS
from viewer.analysis.states import numbers, stack_of
from viewer.trace.columns import IDLE_WAIT, LOCK_WAIT, STATE_MASK
from viewer.trace.sites import function_of, own_frames, place_of
from viewer.words import code

# For a second none looked for work, and each was blocked for four fifths of that time.
_FULL_NS = 1_000 * MS
_TELLING_NS = MS
_PARTS = 5_000  # of a time: shorter waits are not looked at
_MOMENT_NS = MS // 5
# Jobs came meanwhile: whoever put some before went on with something else, again and again,
# for half a second. Whoever waits for the workers has given them a batch.
_GOES_ON = 4
_GOES_ON_NS = 500 * MS
_WAITS_FOR_THEM = ("Queue.join", "Thread.join", "Future.result", *PUTS)
# One producer and equal jobs are a pipeline. Jobs that take a tenth of what others take should
# not wait behind these.
_SHORT = 10
_SOME = 3
_FED = "/multiprocessing/pool.py:"


class _Part(NamedTuple):
    """A blocked time of a worker; `chain` are the program's frames, outermost first."""

    start_ns: int
    end_ns: int
    thread: int
    chain: tuple[str, ...]


def jobs_in_queue(facts: Facts) -> Iterator[Finding]:
    """All takers of a queue are busy for long, while others go on putting jobs into it."""
    for lock, threads in takers_of_queues(facts):
        full = _full(facts, threads, lock)
        if full is None or _is_fed(facts, lock) or _went_on(facts, threads, lock, full[1]):
            continue
        parts = [*_parts(facts, threads, *full)]
        worked = within(((p.start_ns, p.end_ns) for p in parts), *full)
        if not covers(worked, (full[1] - full[0]) * len(threads)):
            continue
        takers: set[Who] = {("thread", thread) for thread in threads}
        putters = [
            who for who in sorted(Enders.of(LongWaits.of(facts)).of_queue(lock) - takers)
            if _goes_on(facts, who, *full)
        ]  # fmt: skip
        jobs = _by_job(parts)
        behind = _short(jobs)
        if putters and (behind or len(putters) > 1):
            yield _finding(facts, threads, full, jobs, behind, putters)


def _full(facts: Facts, threads: tuple[int, ...], lock: int) -> tuple[int, int] | None:
    """The longest time in which none of the threads waited for a job, if it is long."""
    table, engine = facts.model.states, facts.model.trace.engine
    until = min(table.last_ns[thread] for thread in threads)
    waits = facts.ledger.waits_of_locks.of(lock)
    starts_ns, ends_ns = (
        engine.take(column, waits, 0) for column in (table.start_ns, table.end_ns)
    )
    long = engine.longer(starts_ns, ends_ns, memoryview(b"\1" * len(waits)), _MOMENT_NS)
    since_ns, until_ns = (engine.take(column, long, 0) for column in (starts_ns, ends_ns))
    gaps = engine.gaps(since_ns, until_ns, numbers([0] * len(long)), 1, _FULL_NS)
    last = engine.bounds(until_ns)[1]
    if not gaps.key and until - last < _FULL_NS:
        return None
    who = engine.take(table.who, waits, -1)
    first = dict(zip(who[::-1], ends_ns[::-1], strict=True))  # by thread its first wait's end
    begun = max(first.values())
    times = [
        (max(since, begun), min(start, until))
        for since, start in zip(gaps.start_ns, gaps.end_ns, strict=True)
    ]
    best = max([*times, (max(begun, last), until)], key=lambda time: time[1] - time[0])
    return best if best[1] - best[0] >= _FULL_NS else None


def _is_fed(facts: Facts, lock: int) -> bool:
    """Whether it is the queue of a pool of processes, whose thread takes the items of an
    `imap` as they come: then a paced source is all that it is busy with."""
    return any(_FED in facts.wait(row)[1] for row in facts.ledger.waits_of_locks.of(lock)[:1])


def _went_on(facts: Facts, threads: tuple[int, ...], lock: int, end_ns: int) -> bool:
    """Whether the main thread looks for no more after a time: it does one thing after the
    other, and may be busy with the next."""
    table, is_main = facts.model.states, LongWaits.of(facts).is_main
    mains = {thread for thread in threads if is_main(("thread", thread))}
    rows = facts.ledger.waits_of_locks.of(lock) if mains else ()
    last = {who: row for row in rows if (who := table.who[row]) in mains}
    return any(table.start_ns[row] < end_ns for row in last.values())


def _parts(
    facts: Facts, threads: tuple[int, ...], start_ns: int, end_ns: int
) -> Iterator[_Part]:
    """The blocked times of the threads within a time."""
    for thread, row in _rows(facts, threads, start_ns, end_ns):
        table = facts.model.states
        is_wait = table.state[row] & STATE_MASK == IDLE_WAIT
        if is_wait and facts.wait(row)[0] in GETS:
            continue
        frames = stack_of(facts.model, row).split("\n")
        chain = tuple(reversed(own_frames(frames)))
        yield _Part(table.start_ns[row], table.end_ns[row], thread, chain)


def _rows(
    facts: Facts, threads: tuple[int, ...], start_ns: int, end_ns: int
) -> Iterator[tuple[int, int]]:
    table, rows = facts.model.states, facts.ledger.rows_of_threads
    least = max(_TELLING_NS, (end_ns - start_ns) // _PARTS)
    for thread in threads:
        low, high = rows.offset[thread], rows.offset[thread + 1]
        first = bisect_left(rows.end_ns, start_ns, low, high)
        for n in range(first, bisect_left(rows.start_ns, end_ns, first, high)):
            is_long = rows.end_ns[n] - rows.start_ns[n] >= least
            if is_long and table.state[rows.row[n]] & STATE_MASK in BLOCKED:
                yield thread, rows.row[n]


def _goes_on(facts: Facts, who: Who, start_ns: int, end_ns: int) -> bool:
    """Whether a thread did other things in a time, and did not wait for the workers."""
    kind, which = who
    if kind != "thread":
        return False
    table, times = facts.model.states, list[tuple[int, int]]()
    for _, row in _rows(facts, (which,), start_ns, end_ns):
        is_wait = table.state[row] & STATE_MASK in (LOCK_WAIT, IDLE_WAIT)
        if is_wait and facts.wait(row)[0] in _WAITS_FOR_THEM:
            if table.start_ns[row] < (start_ns + end_ns) // 2:
                return False
            break
        times.append((table.start_ns[row], table.end_ns[row]))
    return len(times) >= _GOES_ON and within(times, start_ns, end_ns) >= _GOES_ON_NS


def _by_job(parts: list[_Part]) -> dict[str, list[_Part]]:
    """By job its blocked times: the first function that not all of them are in."""
    known = [part for part in parts if part.chain]
    level, deepest = 0, min((len(part.chain) for part in known), default=0) - 1
    while level < deepest and len({function_of(part.chain[level]) for part in known}) == 1:
        level += 1
    found, sites = defaultdict[str, list[_Part]](list), dict[tuple[str, str], str]()
    for part in known:
        site = part.chain[level]
        found[sites.setdefault(function_of(site), site)].append(part)
    return found


def _most(jobs: dict[str, list[_Part]]) -> str:
    """The job that took most of the time."""
    ns = Counter({job: sum(p.end_ns - p.start_ns for p in own) for job, own in jobs.items()})
    return max(ns, key=lambda job: (ns[job], job))


def _short(jobs: dict[str, list[_Part]]) -> str:
    """A job that takes a tenth of the one that took most of the time; "" none."""
    if len(jobs) < 2:
        return ""
    most = _most(jobs)
    usual = middle(part.end_ns - part.start_ns for part in jobs[most])
    short = [
        job
        for job, parts in jobs.items()
        if len(parts) >= _SOME
        and max(part.end_ns - part.start_ns for part in parts) * _SHORT <= usual
    ]
    return max(short, key=lambda job: (len(jobs[job]), job), default="")


def _finding(
    facts: Facts,
    threads: tuple[int, ...],
    full: tuple[int, int],
    jobs: dict[str, list[_Part]],
    behind: str,
    putters: list[Who],
) -> Finding:
    start, end = full
    job, takers = _most(jobs), [("thread", thread) for thread in threads]
    did = mostly(facts, [(("thread", thread), start, end) for thread in threads])
    are = "are all" if len(threads) > 1 else "is"
    text = (
        f"Thread-pool starvation: {users(facts.model, takers)}, which "
        f"{'take' if len(threads) > 1 else 'takes'} jobs from a queue, {are} busy with "
        f"{code(place_of(job).function, job)}{f', {did.text}' if did.text else ''}: for "
        f"{duration(end - start)} ({at(facts, start)}) none looked for another one, while "
        f"{users(facts.model, putters)} went on and put more into it"
    )
    if behind:
        text += f"; {code(place_of(behind).function, behind)}, which is short, waits behind it"
    text += (
        f". Give {code(place_of(job).function)} a queue and workers of its own, or start more "
        f"threads."
    )
    evidence = facts.evidence(("thread", threads[0]), start, end - start, job)
    return Finding("thread-pool starvation", end - start, text, evidence, behind=did.behind)
