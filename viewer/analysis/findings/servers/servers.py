"""Servers whose threads are all taken, while clients of the same program wait their turn."""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from tracer import schema as s
from tracer.units import duration, plural
from viewer.analysis.findings.basis.doing import mostly
from viewer.analysis.findings.basis.facts import BLOCKED, Facts, Finding
from viewer.analysis.findings.basis.inside import called_by
from viewer.analysis.findings.basis.itself import is_own, servers
from viewer.analysis.findings.basis.waits import place_in, users
from viewer.analysis.findings.basis.words import at
from viewer.analysis.ledger.circles import Who
from viewer.analysis.resources.resource import loads
from viewer.analysis.resources.waits import longest_rows
from viewer.analysis.states import mentioned, stack_of
from viewer.trace.columns import IO
from viewer.trace.sites import place_of
from viewer.words import code, stem

_MS = 1_000_000
# As with other pools, half a second must be lost, and clients must wait for their turn for
# half as long as for what is done for them.
_LOST_NS = 500 * _MS
_PART = 2
_TELLING_NS = 5 * _MS
_MOST = 10_000  # waits that are looked at, the longest ones
_SOON_NS = 20 * _MS  # from the end of the work for a request until its client has the answer
# The function that a thread which serves stays in.
_SERVES = {
    "BaseServer.serve_forever": "/socketserver.py:",
    "BaseServer.handle_request": "/socketserver.py:",
    "ThreadedTaskDispatcher.handler_thread": "/waitress/task.py:",
    "WorkerThread.run": "/cheroot/workers/threadpool.py:",
}


class _Work(NamedTuple):
    """A blocking call of a thread while it has a request; `job` is the user's function that
    the server called."""

    start_ns: int
    end_ns: int
    thread: int
    job: str


class _Asked(NamedTuple):
    """A client's wait for an answer of this process."""

    start_ns: int
    end_ns: int
    thread: int
    site: str


def servers_busy(facts: Facts) -> Iterator[Finding]:
    """Clients wait for their turn, since all threads of a server wait for something else."""
    yield from (finding for _, finding in _busy(facts))


def threads_of_busy(facts: Facts) -> set[int]:
    """The threads of the servers for which clients wait."""
    return {one.thread for works, _ in _busy(facts) for one in works}


def _busy(facts: Facts) -> Iterator[tuple[list[_Work], Finding]]:
    work = _works(facts)
    if not work:
        return
    serving = {one.thread for works in work.values() for one in works}
    asked = _clients(facts, serving)
    known = Counter(facts.model.thread_process[thread] for thread in servers(facts))
    for (process, _), works in work.items():
        if len({one.thread for one in works}) == 1 and known[process] == 1:
            continue  # `one_server` looks at those
        found = _finding(facts, sorted(works), asked)
        if found is not None:
            yield works, found


def _works(facts: Facts) -> dict[tuple[int, str], list[_Work]]:
    """By process and pool of threads; a server with one thread is a pool of its own."""
    model, table = facts.model, facts.model.states
    found = defaultdict[tuple[int, str], list[_Work]](list)
    if model.trace.symbol(s.ARG_OWN_PEER) < 0 or not mentioned(facts.model, *_SERVES.values()):
        return found
    for row in longest_rows(facts, BLOCKED, _TELLING_NS, _MOST):
        function, job = _job(stack_of(model, row))
        if not job:
            continue
        thread = table.who[row]
        name = model.thread_names[thread]
        pool = f"{thread}" if function.startswith("BaseServer.") else stem(name)
        found[model.thread_process[thread], pool].append(
            _Work(table.start_ns[row], table.end_ns[row], thread, job)
        )
    return found


@lru_cache(maxsize=4096)
def _job(stack: str) -> tuple[str, str]:
    """The server's function, and the user's that it called; "" where there is none."""
    frames = stack.split("\n")
    for n, frame in enumerate(frames):
        function = place_of(frame).function
        if _SERVES.get(function, "\n") in frame:
            return function, called_by(frames, n)
    return "", ""


def _clients(facts: Facts, serving: set[int]) -> list[_Asked]:
    table = facts.model.states
    return sorted(
        _Asked(
            table.start_ns[row],
            table.end_ns[row],
            table.who[row],
            facts.call(table.row[row])[1],
        )
        for row in longest_rows(facts, (IO,), _TELLING_NS, _MOST)
        if table.who[row] not in serving and is_own(facts, row)
    )


def _finding(facts: Facts, works: list[_Work], asked: list[_Asked]) -> Finding | None:
    threads = sorted({one.thread for one in works})
    process = facts.model.thread_process[threads[0]]
    ends = sorted(one.end_ns for one in works)
    those = [
        one
        for one in asked
        if facts.model.thread_process[one.thread] == process and _is_answered(ends, one)
    ]
    lost, served = _queued(works, those, len(threads))
    if lost < _LOST_NS or lost * _PART < served:
        return None
    worst = max(those, key=lambda one: one.end_ns - one.start_ns)
    ns_worst = worst.end_ns - worst.start_ns
    ns = Counter[str]()
    for one in works:
        ns[one.job] += one.end_ns - one.start_ns
    job = max(ns, key=lambda job: (ns[job], job))
    times: list[tuple[Who, int, int]] = [
        (("thread", one.thread), one.start_ns, one.end_ns) for one in works
    ]
    did = mostly(facts, times)
    named = users(facts.model, (("thread", thread) for thread in threads))
    all_of = f"all {len(threads)} threads of the server are" if len(threads) > 1 else (
        f"{named} serves one request at a time and is"
    )  # fmt: skip
    text = (
        f"Pool exhausted: {all_of} busy with {code(place_of(job).function, job)}"
        f"{f', {did.text}' if did.text else ''}. Meanwhile "
        f"{users(facts.model, {('thread', one.thread) for one in those})}"
        f"{place_in(worst.site)} waited for their turn: {plural(len(those), 'request')}, "
        f"{duration(lost)} in total; the longest took {duration(ns_worst)} "
        f"({at(facts, worst.start_ns)}). Serve with more threads, or let "
        f"{code(place_of(job).function)} wait for less."
    )
    evidence = facts.evidence(("thread", worst.thread), worst.start_ns, ns_worst, worst.site)
    return Finding("pool exhausted", lost, text, evidence, behind=did.behind)


def _is_answered(ends: list[int], one: _Asked) -> bool:
    """Whether its answer came when the server's threads had done some work, not from another
    server of the process."""
    last = bisect_left(ends, one.end_ns + _MS) - 1
    return last >= 0 and ends[last] >= max(one.end_ns - _SOON_NS, one.start_ns)


def _queued(works: list[_Work], asked: list[_Asked], threads: int) -> tuple[int, int]:
    """How long clients waited for their turn while all threads had a request, and how long for
    what was done for them: each busy thread serves one of those who wait."""
    lost = served = 0
    for ns, busy, waiting in loads(works, asked):
        served += min(busy, waiting) * ns
        if busy >= threads:
            lost += max(waiting - busy, 0) * ns
    return lost, served
