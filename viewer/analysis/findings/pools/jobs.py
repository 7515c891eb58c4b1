"""Jobs that wait for a worker of a thread pool while others have all of them."""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import takewhile

from tracer import schema as s
from tracer.units import MS, duration, plural
from viewer.analysis.findings.basis.doing import mostly
from viewer.analysis.findings.basis.facts import BLOCKED, LOST_NS, Facts, Finding, Split
from viewer.analysis.findings.basis.waits import LongWaits, users
from viewer.analysis.findings.basis.words import at
from viewer.analysis.findings.basis.words import did as how_spent
from viewer.analysis.findings.interpreter.gil import gil_saturated
from viewer.analysis.findings.pools.batches import apart, batches_of, collectors_of
from viewer.analysis.findings.pools.otherjobs import (
    NOTICED_NS,
    is_of_library,
    of_processes,
    pools_of_connections,
)
from viewer.analysis.findings.servers.full import threads_of_busy
from viewer.analysis.ledger.circles import Who
from viewer.analysis.ledger.holders import WORKER_IDLE
from viewer.analysis.ledger.jobs import Job, ThreadPool
from viewer.analysis.ledger.pools import SEMAPHORES
from viewer.analysis.ledger.resource import Windows, windows_of
from viewer.analysis.processes.family import Family
from viewer.analysis.regions import merged
from viewer.analysis.resources.servers import pools_of_answers
from viewer.analysis.states import stack_of
from viewer.trace.columns import STATE_MASK
from viewer.trace.sites import function_of, is_library, place_of
from viewer.words import code

# Behind jobs of the same kind only more workers help, and only where the present ones are
# blocked for most of the time.
_BLOCKED = 8, 10
# Workers that are idle while calls wait for them have not got a CPU or the GIL yet: a pool of
# which a tenth is free has workers enough.
_FREE = 10
_IDLE = WORKER_IDLE.removeprefix(s.LOCK_WAIT_PREFIX)

_KINDS = ("Process", "Thread")

type _Kind = tuple[str, str]  # name and site of a job's function


def pool_starvation(facts: Facts) -> Iterator[Finding]:
    """Calls queue for a worker behind jobs that somebody else submitted."""
    by_pool = facts.jobs.of_pool
    lost = _never_begun(facts, by_pool)
    pools = [
        (facts.jobs.pools[pool], [*members, *lost.get(pool, ())])
        for pool, members in by_pool.items()
    ]
    home_made = [*pools_of_answers(LongWaits.of(facts))]
    collectors = cache(lambda: collectors_of(facts))
    pools += [
        *of_processes(facts, collectors),
        *home_made,
        *pools_of_connections(facts),
    ]
    long = [each for each in pools if _queued_ns(each[1]) >= LOST_NS]
    for pool, members in long:
        if any(members is jobs for _, jobs in home_made):
            members = apart(facts, pool, members)
        libraries = {site: is_library(site) for site in {job.site for job in members}}
        found = _named(facts, members)
        handed = [not job.name or libraries[job.site] for job in members]
        batches = batches_of(facts, found, handed, collectors())
        finding = _starved(facts, pool, found, batches)
        # Where a server's clients are seen, it is they who wait, not what its loop hands on.
        if finding is not None and threads_of_busy(facts).isdisjoint(pool.threads):
            yield finding


def _queued_ns(jobs: list[Job]) -> int:
    return sum([job.began_ns - job.submitted_ns for job in jobs])


def _never_begun(facts: Facts, by_pool: dict[int, list[Job]]) -> dict[int, list[Job]]:
    """By pool the jobs that no worker began: they waited as long as the workers had others.
    Which function they are of is unknown."""
    found, pools_of = defaultdict[int, list[Job]](list), defaultdict[Who, set[int]](set)
    if not by_pool or not facts.jobs.never_begun:
        return found
    for pool, jobs in by_pool.items():
        for job in jobs:
            if job.submitter is not None:
                pools_of[job.submitter].add(pool)
    ends_ns = {pool: max(job.ended_ns for job in jobs) for pool, jobs in by_pool.items()}
    for lost in facts.jobs.never_begun:
        by: Who = ("thread", lost.thread)
        pool = next(iter(pools_of[by])) if len(pools_of[by]) == 1 else -1
        if pool >= 0 and lost.at_ns < (end_ns := ends_ns[pool]):
            thread = facts.jobs.pools[pool].threads[0]
            found[pool].append(Job(pool, thread, lost.at_ns, end_ns, end_ns, "", "", by))
    return found


def _named(facts: Facts, jobs: list[Job]) -> list[Job]:
    """The jobs, each named after the user's function in which it blocked longest where a
    library's function runs it: a scheduler, a server. That is the one that the library called,
    or the first one below it that not all jobs of the pool are in."""
    if not any(is_of_library(site) for site in {job.site for job in jobs}):
        return jobs
    chains = [_blocked_in(facts, job) if is_of_library(job.site) else () for job in jobs]
    known = [chain for chain in chains if chain]
    level, deepest = 0, min((len(chain) for chain in known), default=0) - 1
    while level < deepest and len({function_of(chain[level]) for chain in known}) == 1:
        level += 1
    sites = dict[tuple[str, str], str]()  # one for each function: it may block at any line
    return [
        job._replace(name=place_of(site).function, site=site) if site else job
        for job, chain in zip(jobs, chains, strict=True)
        for site in [
            sites.setdefault(function_of(chain[level]), chain[level]) if chain else ""
        ]
    ]


def _blocked_in(facts: Facts, job: Job) -> tuple[str, ...]:
    """The user's frames, the outermost first, of the job's longest blocked time: from the one
    that a library called down to where it blocked."""
    ledger, table = facts.ledger, facts.model.states
    rows, best, at, most = ledger.rows_of_threads, -1, "", MS
    for place in rows.begun(job.thread, job.began_ns, job.ended_ns):
        row = rows.row[place]
        state, ns = table.state[row] & STATE_MASK, rows.end_ns[place] - rows.start_ns[place]
        if state not in BLOCKED or ns < most:
            continue
        site = facts.site_of(row)
        if site and not is_library(site):
            best, at, most = row, site, ns
    if best < 0:
        return ()
    frames = stack_of(facts.model, best).split("\n")
    if at not in frames:
        return (at,)
    own = takewhile(lambda frame: frame and not is_library(frame), frames[frames.index(at) :])
    return (*reversed([*own][1:]), at)


def _starved(
    facts: Facts, pool: ThreadPool, found: list[Job], batches: list[int]
) -> Finding | None:
    if not any(batches):
        return None  # all of one caller
    waits = [job for job in found if job.queued_ns >= NOTICED_NS]
    if _queued_ns(waits) < LOST_NS:
        return None
    ahead = _charge(found, batches)
    lost = sum(ahead.values())
    if lost < LOST_NS:
        return None
    kind = max(ahead, key=lambda kind: (ahead[kind], kind))
    victims = [job for job in waits if (job.name, job.site) != kind]
    split = _did(facts, pool.threads, _together(waits))
    idle = sum(ns for (_, name, _), ns in split.waits.items() if name == _IDLE)
    if idle * _FREE > sum(split.states.values()):
        return None  # some were free: the calls waited for a CPU or the GIL
    if split.of(BLOCKED) * 2 < sum(split.states.values()) and _is_saturated(facts, pool):
        return None  # more workers would share the same GIL
    if sum(job.queued_ns for job in victims) * 2 < lost:
        is_blocked = (
            split.of(BLOCKED) * _BLOCKED[1] >= sum(split.states.values()) * _BLOCKED[0]
        )
        took = sum(job.ran_ns for job in waits)
        if not is_blocked or lost * 2 < took:
            return None
        victims = waits
    return _finding(facts, pool, found, kind, victims, lost, split)


def _is_saturated(facts: Facts, pool: ThreadPool) -> bool:
    model = facts.model
    pid = model.pid(model.thread_process[pool.threads[0]])
    return any(finding.evidence.pid == pid for finding in gil_saturated(facts))


def _charge(found: list[Job], batches: list[int]) -> Counter[_Kind]:
    """By kind of job that had a worker, what the jobs of other callers waited meanwhile.

    One sweep: in each piece of time all who wait are charged to those who run, in equal
    parts. What the jobs of a batch wait for each other is no loss.
    """
    # One number for each change is sorted faster than a tuple: when, what, and whose.
    jobs, changes = max(len(found), 1), list[int]()
    for n, job in enumerate(found):
        began = job.began_ns * 4
        if job.queued_ns >= NOTICED_NS:
            changes += ((job.submitted_ns * 4 + 2) * jobs + n, (began + 1) * jobs + n)
        changes += ((began + 3) * jobs + n, job.ended_ns * 4 * jobs + n)
    changes.sort()
    known = dict[tuple[_Kind, int], int]()  # jobs of a kind and batch, by number
    alike = [
        known.setdefault(((job.name, job.site), batch), len(known))
        for job, batch in zip(found, batches, strict=True)
    ]
    batch_of, charged = [batch for _, batch in known], [0] * len(known)
    waiting = [0] * (max(batches, default=0) + 1)  # by batch
    running = defaultdict[int, int](int)  # by number
    queue = busy = before = 0
    for each in changes:
        when, n = divmod(each, jobs)
        time_ns, change = when >> 2, (-2, -1, 1, 2)[when & 3]
        if queue and busy and time_ns > before:
            for number, count in running.items():
                others = queue - waiting[batch_of[number]]
                charged[number] += count * (time_ns - before) * others // busy
        before = time_ns
        if abs(change) == 1:
            queue += change
            waiting[batches[n]] += change
            continue
        number = alike[n]
        busy += change // 2
        running[number] += change // 2
        if not running[number]:
            del running[number]
    by_kind = Counter[_Kind]()
    for (kind, _), ns in zip(known, charged, strict=True):
        by_kind[kind] += ns
    return +by_kind


def _together(waits: list[Job]) -> Windows:
    """The times in which at least one job waited."""
    return windows_of(merged((job.submitted_ns, job.began_ns) for job in waits))


def _did(facts: Facts, threads: Sequence[int], windows: Windows) -> Split:
    """What the workers did while jobs waited."""
    found = Split()
    for thread in threads:
        found.add(facts.split(thread, windows))
    return found


def _finding(
    facts: Facts,
    pool: ThreadPool,
    found: list[Job],
    ahead: _Kind,
    victims: list[Job],
    lost: int,
    split: Split,
) -> Finding:
    model, threads = facts.model, pool.threads
    worst = max(victims, key=lambda job: job.queued_ns)
    processes = {model.thread_process[thread] for thread in threads}
    workers = Family.of(model).at_once(processes) if len(processes) > 1 else len(threads)
    of = f"all {workers} workers of {code(pool.name)} are" if workers > 1 else (
        f"the only worker of {code(pool.name)} is"
    )  # fmt: skip
    same = [job for job in victims if (job.name, job.site) == (worst.name, worst.site)]
    whos = [job.submitter for job in same if job.submitter is not None]
    by = f", submitted by {users(model, whos)}," if whos and len(whos) == len(same) else ""
    total = duration(sum(job.queued_ns for job in same))
    those = [job for job in found if (job.name, job.site) == ahead]
    did = mostly(facts, _busy(those, _together(victims)))
    doing, behind = did.text, did.behind
    is_of_others = (worst.name, worst.site) != ahead
    if is_of_others and _wait_for_permits(split):
        # A limit that is meant: what is at fault is that those without need of it wait, too.
        doing, behind = how_spent(facts, split), ""
    of_what = f" of {code(worst.name, worst.site)}" if worst.name else ""
    is_of_threads = found[0].pool >= 0
    # Those that no worker began have no function; a short one of another pool has no length.
    is_never = not worst.name and all(job.ended_ns <= job.began_ns for job in same)
    begun = ", and none of them was ever begun" if is_never else ""
    text = (
        f"{_KINDS[is_of_threads]}-pool starvation: {of} busy with {code(*ahead)}"
        f"{f', {doing}' if doing else ''}. "
        f"Meanwhile {plural(len(same), 'call')}{of_what}{by} waited "
        f"for a worker, {total} in total, the longest {duration(worst.queued_ns)} "
        f"({at(facts, worst.submitted_ns)}){begun}. "
    )
    text += (
        "A larger pool would serve them sooner."
        if not is_of_others
        else f"Run {code(ahead[0])} in a pool of its own, or give this one more workers."
    )
    evidence = facts.evidence(
        ("thread", threads[0]), worst.submitted_ns, worst.queued_ns, worst.site
    )
    return Finding(
        *("thread-pool starvation", lost, text, evidence),
        behind=behind,
        processes=1 if is_of_threads else len(processes) + 1,  # who submitted is another one
        about=frozenset([did.behind] if did.behind else ()),
    )


def _wait_for_permits(split: Split) -> bool:
    """Whether workers that are told as busy mostly wait for a semaphore of the program."""
    waits = sum(ns for (_, name, _), ns in split.waits.items() if name in SEMAPHORES)
    return waits * 2 >= sum(split.states.values())


def _busy(found: list[Job], windows: Windows) -> Iterator[tuple[Who, int, int]]:
    """The times in which workers had jobs while calls waited."""
    for job in found:
        for n in range(bisect_left(windows.until_ns, job.began_ns), len(windows.until_ns)):
            start, end = windows.from_ns[n], windows.until_ns[n]
            if start >= job.ended_ns:
                break
            if max(job.began_ns, start) < min(job.ended_ns, end):
                yield ("thread", job.thread), max(job.began_ns, start), min(job.ended_ns, end)
