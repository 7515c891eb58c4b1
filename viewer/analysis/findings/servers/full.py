"""Servers of which all threads, or as many children as there may be, have a request."""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from tracer import schema as s
from tracer.units import MS, duration, plural
from viewer.analysis.findings.basis.doing import mostly
from viewer.analysis.findings.basis.facts import BLOCKED, LOST_NS, Facts, Finding
from viewer.analysis.findings.basis.inside import called_by
from viewer.analysis.findings.basis.waits import place_in, users
from viewer.analysis.findings.basis.words import at, in_total
from viewer.analysis.ledger.circles import Who
from viewer.analysis.ledger.resource import windows_of
from viewer.analysis.processes.family import Family, Member
from viewer.analysis.regions import merged
from viewer.analysis.resources.connections import is_own, servers
from viewer.analysis.resources.resource import Claim, loads
from viewer.analysis.resources.waits import longest_rows
from viewer.analysis.states import having, mentioned, stack_of
from viewer.trace.columns import IO
from viewer.trace.sites import is_library, place_of
from viewer.words import code, stem

# As with other pools, half a second must be lost, and clients must wait for their turn for
# half as long as for what is done for them.
_PART = 2
_TELLING_NS = 5 * MS
_MOST = 10_000  # waits that are looked at, the longest ones
_SOON_NS = 20 * MS  # from the end of the work for a request until its client has the answer
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


def _clients(facts: Facts, serving: set[int]) -> list[Claim]:
    """Those that wait for an answer of this process."""
    table, found = facts.model.states, list[Claim]()
    for row in longest_rows(facts, (IO,), _TELLING_NS, _MOST):
        if table.who[row] not in serving and is_own(facts, row):
            start, end, site = (
                table.start_ns[row],
                table.end_ns[row],
                facts.call(table.row[row])[1],
            )
            found.append(Claim(("thread", table.who[row]), start, end, site, end))
    return sorted(found, key=lambda one: one[1:])


def _finding(facts: Facts, works: list[_Work], asked: list[Claim]) -> Finding | None:
    threads = sorted({one.thread for one in works})
    process = facts.model.thread_process[threads[0]]
    ends = sorted(one.end_ns for one in works)
    those = [
        one
        for one in asked
        if facts.model.thread_process[one.who[1]] == process and _is_answered(ends, one)
    ]
    lost, served = _queued(works, those, len(threads))
    if lost < LOST_NS or lost * _PART < served:
        return None
    worst = max(those, key=lambda one: one.ns)
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
        f"{users(facts.model, {one.who for one in those})}"
        f"{place_in(worst.site)} waited for their turn: {plural(len(those), 'request')}, "
        f"{duration(lost)} in total; the longest took {duration(worst.ns)} "
        f"({at(facts, worst.start_ns)}). Serve with more threads, or let "
        f"{code(place_of(job).function)} wait for less."
    )
    evidence = facts.evidence(worst.who, worst.start_ns, worst.ns, worst.site)
    about = frozenset(one.site for one in those)
    return Finding("pool exhausted", lost, text, evidence, behind=did.behind, about=about)


def _is_answered(ends: list[int], one: Claim) -> bool:
    """Whether its answer came when the server's threads had done some work, not from another
    server of the process."""
    last = bisect_left(ends, one.end_ns + MS) - 1
    return last >= 0 and ends[last] >= max(one.end_ns - _SOON_NS, one.start_ns)


def _queued(works: list[_Work], asked: list[Claim], threads: int) -> tuple[int, int]:
    """How long clients waited for their turn while all threads had a request, and how long for
    what was done for them: each busy thread serves one of those who wait."""
    lost = served = 0
    for ns, busy, waiting in loads(works, asked):
        served += min(busy, waiting) * ns
        if busy >= threads:
            lost += max(waiting - busy, 0) * ns
    return lost, served


# As with other pools, half a second must be lost: what clients waited beside the one that was
# served meanwhile. Shorter waits are no queue, and lose little beside the others.
_LONG_NS = 20 * MS
_FEWEST = 2  # clients, or slots
_CALLS = 2_000  # that are looked at, the longest ones

type _Times = list[tuple[int, int]]


def one_server(facts: Facts) -> Iterator[Finding]:
    """The only thread that serves works on one request, and other clients wait for it."""
    model, table = facts.model, facts.model.states
    rows: dict[tuple[int, str], list[int]] = defaultdict(list)
    if model.trace.symbol(s.ARG_OWN_PEER) < 0:
        return  # no call is known to be for this process
    for row in longest_rows(facts, (IO,), _LONG_NS, _CALLS):
        if is_own(facts, row):
            thread = table.who[row]
            rows[model.thread_process[thread], facts.call(table.row[row])[1]].append(row)
    rows = {
        where: found
        for where, found in rows.items()
        if facts.total_ns(found) >= LOST_NS
        and len({table.who[row] for row in found}) >= _FEWEST
    }
    if not rows:
        return
    serving = servers(facts)
    for (process, site), found in rows.items():
        here = [thread for thread in serving if model.thread_process[thread] == process]
        if len(here) != 1 or here[0] in facts.ledger.lane_of_thread:
            continue
        if forked_by(facts, here[0]):
            continue  # its children serve
        found = [row for row in found if table.who[row] != here[0]]
        times = sorted((table.start_ns[row], table.end_ns[row]) for row in found)
        waited = merged(times)
        covered = sum(end - start for start, end in waited)
        lost = sum(end - start for start, end in times) - covered
        clients: set[Who] = {("thread", table.who[row]) for row in found}
        if lost < LOST_NS or len(clients) < _FEWEST:
            continue
        if _idle_ns(facts, here[0], waited) * 2 > covered:
            continue  # others answer
        server: Who = ("thread", here[0])
        did = mostly(facts, [(server, start, end) for start, end in waited])
        if not did.behind or is_library(did.behind):
            continue  # it only hands connections to others
        worst = facts.longest(found)
        start, ns = table.start_ns[worst], facts.row_ns(worst)
        text = (
            f"Pool exhausted: {code(model.thread_names[here[0]])} is the only thread that "
            f"serves, one request after the other. {users(model, clients)}{place_in(site)} "
            f"waited for it: {plural(len(found), 'wait')}, the longest {duration(ns)} "
            f"({at(facts, start)}); {duration(lost)} of that in total while it served "
            f"another, {did.text}. Serve with more threads (`ThreadingHTTPServer`, "
            f"`ThreadingMixIn`), or do what is slow elsewhere."
        )
        evidence = facts.evidence(("thread", table.who[worst]), start, ns, site)
        yield Finding("pool exhausted", lost, text, evidence, behind=did.behind)


def _idle_ns(facts: Facts, thread: int, times: _Times) -> int:
    """How long the server itself waited for connections meanwhile."""
    calls = facts.split(thread, windows_of(times)).calls
    return sum(
        ns
        for call, ns in calls.items()
        if (name := facts.call(call)[0]).endswith("accept") or name.startswith("select.")
    )


# As with other pools, half a second must be lost, in waits after which the server takes the
# next connection at once: so somebody waited for that.
_CHILD_NS = 10 * MS
_NEXT_NS = 100 * MS
_LOOKS = 100  # waits of one server that are compared with children and clients
_COLLECTS, _CLOSES = " ForkingMixIn.collect_children", " ForkingMixIn.server_close"
_WAITPID = "os.waitpid"


def forking_server_full(facts: Facts) -> Iterator[Finding]:
    """`ForkingMixIn` has `max_children` children, and waits for one before it accepts."""
    model, table = facts.model, facts.model.states
    if not mentioned(model, _COLLECTS):
        return
    is_wait = memoryview(
        having(model, table.call_name, lambda name: name.endswith(_WAITPID), (_WAITPID,))
    )
    by_thread = defaultdict[int, list[int]](list)
    rows = longest_rows(facts, (IO,), _CHILD_NS, _CALLS)
    for row in model.trace.engine.pick(rows, table.row, is_wait):
        stack = stack_of(model, row)
        if _COLLECTS in stack and _CLOSES not in stack:
            by_thread[table.who[row]].append(row)
    for thread, waits in by_thread.items():
        children = forked_by(facts, thread)
        starts = sorted(one.start.time_ns for one in children if one.start is not None)
        waits = [
            row
            for row in waits
            if (n := bisect_left(starts, table.end_ns[row])) < len(starts)
            and starts[n] - table.end_ns[row] <= _NEXT_NS
        ]
        lost = facts.total_ns(waits)
        if lost >= LOST_NS:
            yield from _forks(facts, thread, children, waits, lost)


def forked_by(facts: Facts, thread: int) -> list[Member]:
    """The processes that a thread has forked."""
    return [
        one
        for one in Family.of(facts.model).members.values()
        if one.start is not None and one.start.thread == thread
    ]


def _forks(
    facts: Facts, thread: int, children: list[Member], waits: list[int], lost: int
) -> Iterator[Finding]:
    model, table = facts.model, facts.model.states
    times, slots = list[tuple[Who, int, int]](), 0
    for row in sorted(waits, key=lambda row: table.start_ns[row] - table.end_ns[row])[:_LOOKS]:
        start, end = table.start_ns[row], table.end_ns[row]
        alive = [one for one in children if one.start_ns < end and one.end_ns > start]
        slots = max(slots, len(alive))
        times += [
            (("thread", one.main), max(start, one.start_ns), min(end, one.end_ns))
            for one in alive
            if one.main >= 0
        ]
    if slots < _FEWEST:
        return
    did = mostly(facts, times)
    worst = facts.longest(waits)
    start, ns = table.start_ns[worst], facts.row_ns(worst)
    name = code(model.thread_names[thread])
    text = (
        f"Pool exhausted: {name} has {slots} children, as many as it may have, and waits for "
        f"the end of one before it takes the next connection: {plural(len(waits), 'wait')}, "
        f"{in_total(facts, lost, ns, start)}"
        f"{f'. Its children spent {did.text}' if did.text else ''}"
        f"{_meanwhile(facts, thread, waits)}. Raise `max_children`, or do what is slow "
        f"elsewhere."
    )
    evidence = facts.evidence(("thread", thread), start, ns, did.behind)
    yield Finding("pool exhausted", lost, text, evidence, behind=did.behind)


def _meanwhile(facts: Facts, thread: int, waits: list[int]) -> str:
    """Those of the same process that wait meanwhile for an answer."""
    model, table = facts.model, facts.model.states
    windows = [(table.start_ns[row], table.end_ns[row]) for row in waits[:_LOOKS]]
    asked = [
        row
        for row in longest_rows(facts, (IO,), _CHILD_NS, _CALLS)
        if table.who[row] != thread
        and is_own(facts, row)
        and any(table.start_ns[row] < end and table.end_ns[row] > at for at, end in windows)
    ]
    if not asked:
        return ""
    worst = facts.longest(asked)
    clients = users(model, {("thread", table.who[row]) for row in asked})
    longest = duration(facts.row_ns(worst))
    where = place_in(facts.call(table.row[worst])[1])
    return f". {clients}{where} waited for an answer meanwhile, up to {longest}"
