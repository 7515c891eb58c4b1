"""Connections that have a thread of their own, which does what tasks ask for in turn."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator

from viewer.analysis.findings.basis.databases import sqlite_calls
from viewer.analysis.findings.basis.facts import Facts
from viewer.analysis.ledger.jobs import Job, ThreadPool
from viewer.analysis.resources.reading import awaits_of
from viewer.trace.sites import place_of

_ASKS = "await executor (aiosqlite)"
_ACROSS = 200  # awaits that may be under way at once
_NOTICED_NS = 5_000_000


def pools_of_connections(facts: Facts) -> Iterator[tuple[ThreadPool, list[Job]]]:
    """The thread of aiosqlite's only connection in a process, and the calls of tasks.

    Short calls count as if they took no time: they ended when the task went on.
    """
    model, slices, owned = facts.model, facts.model.trace.slices, facts.model.owners
    awaits = awaits_of(facts, _ASKS)
    if not awaits:
        return
    by_process = defaultdict[int, list[int]](list)
    for i in awaits:
        by_process[owned.task_process[owned.owner[i]]].append(i)
    calls = defaultdict[int, set[tuple[int, int]]](set)  # by thread
    for (kind, _), own in sqlite_calls(facts).items():
        for call in own if kind == "task" else ():
            if call.ns >= _NOTICED_NS:
                calls[call.thread].add((call.start_ns, call.end_ns))
    for process, found in by_process.items():
        threads = [thread for thread in calls if model.thread_process[thread] == process]
        if len(threads) != 1:
            continue
        did = _asked(facts, found, sorted(calls[threads[0]]))
        jobs = []
        for i in found:
            site, end_ns = facts.awaited(i)[1], slices.end_ns[i]
            began, ended = did.get(i, (end_ns, end_ns))
            name, by = place_of(site).function, ("task", owned.owner[i])
            jobs.append(Job(0, threads[0], slices.start_ns[i], began, ended, name, site, by))
        jobs.sort(key=lambda job: job.began_ns)
        yield ThreadPool("aiosqlite", (threads[0],)), jobs


def _asked(
    facts: Facts, awaits: list[int], calls: list[tuple[int, int]]
) -> dict[int, tuple[int, int]]:
    """By await the call that was made for it: the task goes on as soon as that is over."""
    slices, found = facts.model.trace.slices, dict[int, tuple[int, int]]()
    starts = [slices.start_ns[i] for i in awaits]
    for start_ns, end_ns in calls:
        last = bisect_left(starts, start_ns)
        under_way = [
            i for i in awaits[max(last - _ACROSS, 0) : last] if slices.end_ns[i] >= end_ns
        ]
        if under_way:
            found[min(under_way, key=slices.end_ns.__getitem__)] = start_ns, end_ns
    return found
