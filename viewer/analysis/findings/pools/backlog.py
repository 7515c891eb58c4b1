"""Queues that grow: items come faster than they are taken, and nobody waits."""

from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Container, Iterator
from itertools import accumulate
from operator import gt

from tracer import schema as s
from tracer.units import duration, plural
from viewer.analysis.findings.basis.doing import doing
from viewer.analysis.findings.basis.facts import Evidence, Facts, Finding
from viewer.analysis.findings.basis.waits import LongWaits, place_in, users
from viewer.analysis.findings.basis.words import at
from viewer.analysis.findings.interpreter.growth import Counts, counts_of, growing
from viewer.analysis.ledger.circles import Who
from viewer.analysis.ledger.jobs import Job, ThreadPool
from viewer.analysis.resources.enders import Enders
from viewer.analysis.resources.failures import Failures
from viewer.trace.columns import STATE_MASK, TASK_WAIT
from viewer.trace.sites import function_of, place_of
from viewer.words import code

# Fifty jobs, which must have come evenly: a burst that waits for its turn is no fault. Its
# cost is the time for which the consumers did not keep up. Of a queue thirty items: its length
# is recorded from the sixteenth on.
_MANY = 50
_ITEMS = 30
_LATELY = 4  # who takes items had ended for a quarter of the time
_FASTER = (
    "Give the queue a `maxsize`, so that producers wait, or drop what does not fit; or "
    "take items faster: several at once, or with more consumers."
)
_AGAIN = (
    "Look at why it ended; keep those who put and those who take in one group (`TaskGroup`), "
    "so that all end, and give the queue a `maxsize`."
)
_REMOVED = (
    "Take a queue out of those that are put into when whoever reads it ends (in a `finally`), "
    "and give each a `maxsize`."
)
# Somebody stays with one item for a second: five attempts fail, and ten more items come behind
# it, none of which is taken meanwhile.
_ATTEMPTS, _STAYS_NS, _BEHIND = 5, 1_000_000_000, 10
_SET_ASIDE = (
    "Try one item a few times only, then set it aside (a queue for those that failed), so "
    "that the others go on; tell a broken item from a service that is down."
)
_FEW = 8  # tasks that may be told as those who take them


def queue_grows(facts: Facts) -> Iterator[Finding]:
    """The length of a queue grows to the end of the recording; of those at one line, told
    together."""
    by_line = defaultdict[tuple[int, str, int], dict[int, Counts]](dict)
    for (process, lock, site), every in counts_of(facts, queues(facts)).items():
        if counts := growing(every, _ITEMS):
            by_line[process, site, 0 if site else lock][lock] = counts
    for (process, site, _), of_queues in by_line.items():
        yield _finding(facts, process, of_queues, site)


def jobs_pile_up(facts: Facts) -> Iterator[Finding]:
    """Jobs are submitted to an executor faster than its workers do them."""
    by_pool, submitters = facts.jobs.of_pool, defaultdict[Who, set[int]](set)
    never_begun = facts.jobs.never_begun if by_pool else []
    for by, pool in {(job.submitter, job.pool) for job in facts.jobs.all if never_begun}:
        if by is not None:
            submitters[by].add(pool)
    left = defaultdict[int, list[int]](list)  # by pool when jobs came that nobody began
    for lost in never_begun:
        pools = submitters["thread", lost.thread]
        if len(pools) == 1:
            left[next(iter(pools))].append(lost.at_ns)
    for pool, jobs in by_pool.items():
        if not _ever_waited(jobs, left[pool], _MANY):
            continue
        changes = [(job.submitted_ns, 1) for job in jobs]
        changes += [(job.began_ns, -1) for job in jobs]
        changes += [(at_ns, 1) for at_ns in left[pool]]
        changes.sort()
        waiting = accumulate(change for _, change in changes)
        counts = [(at_ns, n) for (at_ns, _), n in zip(changes, waiting, strict=True)]
        if counts := growing(counts, _MANY):
            yield _of_pool(facts, facts.jobs.pools[pool], jobs, counts)


def held_up_by_one(facts: Facts) -> Iterator[Finding]:
    """Whoever takes items tries one again and again, and those behind it wait."""
    failures = Failures.of(facts)
    for (process, lock, site), counts in counts_of(facts, queues(facts)).items():
        takers, _ = _users(facts, process, {lock})
        times = [at_ns for at_ns, _ in counts]
        for (line, how), which in failures.by_line.items() if takers else ():
            failed = defaultdict[Who, list[int]](list)
            for one in failures.told(which) if len(which) >= _ATTEMPTS else ():
                failed[one.who].append(one.at_ns)
            for who in failed.keys() & takers:
                since, until = failed[who][0], failed[who][-1]
                low, high = bisect_left(times, since), bisect_right(times, until)
                behind = [number for _, number in counts[low:high]]
                is_stuck = len(failed[who]) >= _ATTEMPTS and until - since >= _STAYS_NS
                if not is_stuck or not behind or behind != sorted(behind):
                    continue
                if behind[-1] - behind[0] < _BEHIND:
                    continue
                text = (
                    f"Retries: {users(facts.model, [who])}{place_in(site)} took one item from "
                    f"a queue and stayed with it for {duration(until - since)} "
                    f"({at(facts, since)}): it failed {plural(len(failed[who]), 'time')} with "
                    f"`{how}`{place_in(line)}, while the items behind it waited, "
                    f"{behind[-1]:,} in the end."
                )
                evidence = facts.evidence(who, since, until - since, line)
                yield Finding("retries", until - since, text, evidence, _SET_ASIDE)


def _ever_waited(jobs: list[Job], left: list[int], many: int) -> bool:
    """Whether so many waited at one time: some job began after that many later ones came."""
    came = sorted([job.submitted_ns for job in jobs] + left)
    begun = [job.began_ns for job in jobs]
    return len(left) >= many or any(map(gt, begun, came[many - 1 :]))


def _of_pool(facts: Facts, pool: ThreadPool, jobs: list[Job], counts: Counts) -> Finding:
    model, (since, first), (until, last) = facts.model, counts[0], counts[-1]
    times = [(("thread", job.thread), job.began_ns, job.ended_ns) for job in jobs]
    did = doing(facts, times)
    by = users(model, (job.submitter for job in jobs if job.submitter is not None))
    job = Counter((job.name, job.site) for job in jobs).most_common(1)[0][0]
    text = (
        f"Jobs pile up in {code(pool.name)}, which has {plural(len(pool.threads), 'worker')}: "
        f"{first:,} waited {at(facts, since)}, {last:,} after {duration(until - since)}, "
        f"and the number rose all the time. Most run {code(*job)}{f', {did}' if did else ''}."
        f"{f' They come from {by}.' if by else ''} Let the submitter wait (a semaphore with "
        f"as many permits as jobs may wait), or use more workers."
    )
    thread = facts.evidence(("thread", pool.threads[0]), since, until - since, job[1])
    return Finding("queue grows", until - since, text, thread)


def queues(facts: Facts) -> dict[int, tuple[int, int, str]]:
    """By track of a queue its process, the id of the waits for its items, and their line."""
    trace, found = facts.model.trace, dict[int, tuple[int, int, str]]()
    for n in trace.tracks.below(s.TRACK_QUEUES):
        name = trace.tracks[trace.events.uuids[n]].name
        number, _, site = name.removeprefix(s.QUEUE_PREFIX).partition(" ")
        if number.isdecimal():
            found[n] = trace.track_process[n], int(number), site
    return found


def takes_items(facts: Facts, stack: str) -> bool:
    """Whether a function on a stack takes items of a queue in which many wait: what it calls
    works on each."""
    inside = {*map(function_of, stack.split("\n"))}
    return any(function_of(of) in inside for _, _, of in queues(facts).values())


def _finding(facts: Facts, process: int, of_queues: dict[int, Counts], site: str) -> Finding:
    model, lock = facts.model, max(of_queues, key=lambda lock: of_queues[lock][-1][1])
    (since, first), (until, last) = of_queues[lock][0], of_queues[lock][-1]
    takers, putters = _users(facts, process, of_queues)
    takers = takers or _of_function(facts, process, site)
    did = doing(facts, [(who, since, until) for who in takers])
    takes = ""
    if takers or site:
        who = f" by {users(model, takers)}" if takers else ""
        takes = f" They are taken{who}{place_in(site)}{f', {did}' if did else ''}."
    if gone := _gone(facts, takers, since, until):
        takes = f" Whoever took them, {users(model, takers)}{place_in(site)}, {gone}."
    puts = f" {users(model, putters)} put some of them in." if putters else ""
    grow, which, step = "A queue grows", "it", _AGAIN if gone else _FASTER
    if len(of_queues) > 1:
        grow, which = f"{len(of_queues)} queues grow", "one of them"
        step = _REMOVED if gone else _FASTER
    text = (
        f"{grow}: {first:,} items waited in {which} {at(facts, since)}, {last:,} after "
        f"{duration(until - since)}, and the number rose all the time.{takes}{puts} "
        f"{step}"
    )
    evidence = Evidence(since, until - since, "", site=site, lock=lock, pid=model.pid(process))
    return Finding("queue grows", until - since, text, evidence)


def _gone(facts: Facts, takers: set[Who], since: int, until: int) -> str:
    """When all who took items had ended, and how, if that was well before the last count."""
    tasks = {which for kind, which in takers if kind == "task"}
    if not tasks or len(tasks) < len(takers):
        return ""
    ended_ns = max(LongWaits.of(facts).ends_ns(who) for who in takers)
    hows = {facts.ledger.how_it_ended(task) for task in tasks}
    if (until - ended_ns) * _LATELY < until - since or "" in hows:
        return ""
    how = f" ({hows.pop()})" if len(hows) == 1 else ""
    return f"had ended{how} {at(facts, ended_ns)}"


def _of_function(facts: Facts, process: int, site: str) -> set[Who]:
    """The tasks whose own function takes the items, where none of them ever waited for one;
    not if they are many."""
    owned, function = facts.model.owners, place_of(site).function
    found: set[Who] = {
        ("task", task)
        for task, of in enumerate(owned.task_process)
        if of == process and function and facts.model.coroutine_of(task) == function
    }
    return found if len(found) <= _FEW else set()


def _users(
    facts: Facts, process: int, locks: Container[int]
) -> tuple[set[Who], frozenset[Who]]:
    """Who waited for items of the queues, and who ended these waits."""
    table = facts.model.states
    waits, takers = facts.ledger.waits_of_locks, set[Who]()
    known = Enders.of(LongWaits.of(facts))
    putters = frozenset[Who]()
    for row_of_lock, id_ in enumerate(table.lock_id):
        if id_ not in locks or table.lock_process[row_of_lock] != process:
            continue
        for row in waits.of(row_of_lock):
            is_task = table.state[row] & STATE_MASK == TASK_WAIT
            takers.add(("task" if is_task else "thread", table.who[row]))
        putters |= known.of_queue(row_of_lock)
    return takers, putters - takers
