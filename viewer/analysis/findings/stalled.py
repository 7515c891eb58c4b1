"""Pools of threads that stand still: the workers wait for a job in their own queue."""

from collections import defaultdict
from collections.abc import Iterator

from tracer.units import duration
from viewer.analysis.findings.facts import Facts, Finding
from viewer.analysis.findings.waits import LongWaits, Wait, place_in
from viewer.analysis.findings.words import at
from viewer.analysis.ledger.jobs import Job
from viewer.words import code

_MS = 1_000_000
# All workers waited for half a second at the same time, until the first one gave up, and a job
# that was queued all the while began within 50 ms.
_STILL_NS = 500 * _MS
_AT_ONCE_NS = 50 * _MS
_FOR_OTHERS = ("Event.wait", "Condition.wait", "Queue.get", "SimpleQueue.get", "Barrier.wait")


def stalled_pool(facts: Facts) -> Iterator[Finding]:
    """Whoever would end the waits of a pool's workers is queued behind them."""
    waits = LongWaits.of(facts)
    long: dict[int, list[Wait]] = defaultdict(list)
    for wait in waits.all:
        is_long = wait.ns >= _STILL_NS and wait.name in _FOR_OTHERS
        if is_long and wait.who[0] == "thread" and wait.slice not in waits.told:
            long[wait.who[1]].append(wait)
    if not any(wait.failed for found in long.values() for wait in found):
        return
    jobs: dict[int, list[Job]] = defaultdict(list)
    for job in facts.jobs.all:
        jobs[job.pool].append(job)
    for number, pool in enumerate(facts.jobs.pools):
        last = [long[thread][-1] for thread in pool.threads if thread in long]
        if len(last) < len(pool.threads):
            continue
        first = min(last, key=lambda wait: wait.end_ns)  # the others may be woken by the job
        since, until = max(w.start_ns for w in last), first.end_ns
        queued = [
            job
            for job in jobs[number]
            if job.submitted_ns <= since + _AT_ONCE_NS
            and 0 <= job.began_ns - until <= _AT_ONCE_NS
        ]
        if first.failed and until - since >= _STILL_NS and queued:
            waits.told.update(wait.slice for wait in last)
            yield _finding(facts, waits, pool.name, last, queued[0], since, until)


def _finding(
    facts: Facts,
    waits: LongWaits,
    pool: str,
    last: list[Wait],
    job: Job,
    since: int,
    until: int,
) -> Finding:
    worst = max(last, key=lambda wait: wait.ns)
    of = f"all {len(last)} workers" if len(last) > 1 else "the only worker"
    text = (
        f"Deadlock {at(facts, since)}, for {duration(until - since)}: {of} of {code(pool)} "
        f"{'wait' if len(last) > 1 else 'waits'} in `{worst.name}`{place_in(worst.site)}, "
        f"while {code(job.name, job.site)} is queued in the same pool; it began when they had "
        f"given up. If they wait for what it does, it needs a pool of its own, or must be "
        f"submitted first."
    )
    lost = sum(wait.ns for wait in last)
    return Finding("deadlock", lost, text, waits.evidence(worst))
