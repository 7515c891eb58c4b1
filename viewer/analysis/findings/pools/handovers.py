"""Very many tiny jobs of a thread pool that a task awaits one by one: mostly hand-over."""

from collections import Counter, defaultdict
from collections.abc import Iterator

from tracer import schema as s
from tracer.units import duration, share
from viewer.analysis.findings.basis.facts import Facts, Finding
from viewer.analysis.findings.basis.waits import name_of, place_in
from viewer.analysis.findings.basis.words import at
from viewer.analysis.ledger.circles import Who
from viewer.analysis.resources.reading import awaits_of
from viewer.words import code

_MS = 1_000_000
# A thousand jobs from one line of a task took half a second in all and less than a millisecond
# each, and half of that or more is not their own work, but the way to the thread and back.
_TIMES = 1_000
_LOST_NS = 500 * _MS
_TINY_NS = _MS
_WORK = 5, 10
_MOST = 50_000
_EXECUTOR = f"{s.AWAIT_PREFIX}executor"


def tiny_jobs(facts: Facts) -> Iterator[Finding]:
    """Lines of a file, rows or records, each of which is fetched by a job of its own."""
    jobs: dict[Who, list[tuple[int, str, str]]] = defaultdict(list)
    for job in facts.jobs.all if len(facts.jobs.all) >= _TIMES else ():
        if job.submitter is not None and job.submitter[0] == "task":
            jobs[job.submitter].append((job.ended_ns - job.began_ns, job.name, job.site))
    if not any(len(each) >= _TIMES for each in jobs.values()):
        return
    slices, owner = facts.model.trace.slices, facts.model.owners.owner
    by_line: dict[tuple[int, str], list[int]] = defaultdict(list)
    for i in awaits_of(facts, _EXECUTOR)[:_MOST]:
        by_line[owner[i], facts.awaited(i)[1]].append(i)
    for (task, site), found in by_line.items():
        each = jobs["task", task]
        total = sum(slices.end_ns[i] - slices.start_ns[i] for i in found)
        if min(len(found), len(each)) < _TIMES or total < _LOST_NS:
            continue
        work = sum(ns for ns, _, _ in each) * len(found) // len(each)
        is_tiny = total < len(found) * _TINY_NS and work * _WORK[1] <= total * _WORK[0]
        if is_tiny:
            kind = Counter(job[1:] for job in each).most_common(1)[0][0]
            yield _finding(facts, found, site, code(*kind), total, total - work)


def _finding(
    facts: Facts, found: list[int], site: str, job: str, total: int, lost: int
) -> Finding:
    slices, who = facts.model.trace.slices, ("task", facts.model.owners.owner[found[0]])
    start, end = slices.start_ns[found[0]], slices.end_ns[found[-1]]
    text = (
        f"Awaits in turn: {code(name_of(facts.model, who))}{place_in(site)} awaits "
        f"{len(found):,} jobs of a thread pool, mostly {job}, one after the other: "
        f"{duration(total)} ({at(facts, start)}), {share(lost, total)} of it the way to the "
        f"thread and back. Hand over more at once: all of it, or a block, in one job "
        f"(`asyncio.to_thread`)."
    )
    return Finding("awaits in turn", lost, text, facts.evidence(who, start, end - start, site))
