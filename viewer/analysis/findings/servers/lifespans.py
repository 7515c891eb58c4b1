"""Servers that take long to begin, since the application must have started, or to end: what
goes on meanwhile, and whom they wait for."""

from collections import defaultdict
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from tracer import schema as s
from tracer.units import MS, duration, share
from viewer.analysis.findings.basis.doing import Doing, doing, mostly
from viewer.analysis.findings.basis.facts import LOST_NS, NOT_ITS_FAULT, Facts, Finding
from viewer.analysis.findings.basis.inside import known_in
from viewer.analysis.findings.basis.waits import LongWaits, name_of, place_in
from viewer.analysis.findings.basis.words import at
from viewer.analysis.ledger.circles import Who
from viewer.analysis.ledger.resource import covers, window
from viewer.analysis.processes.family import Family
from viewer.analysis.resources.requests import origin
from viewer.analysis.resources.waits import Wait
from viewer.analysis.states import mentioned, stack_of
from viewer.trace.columns import AWAIT
from viewer.trace.sites import innermost, is_library, place_of
from viewer.words import code

# As with modules that are imported: half a second, and a quarter of the recording.
_PART = 1, 4
# The part of a path, the function that waits for the application's start, and the server.
_STARTING = (
    ("/uvicorn/lifespan/on.py:", ("LifespanOn.startup",), "uvicorn"),
    ("/hypercorn/asyncio/lifespan.py:", ("Lifespan.wait_for_startup",), "hypercorn"),
)


def slow_start_up(facts: Facts) -> Iterator[Finding]:
    """A server waits for the code that the application runs at its start."""
    if not mentioned(facts.model, *(file for file, _, _ in _STARTING)):
        return
    model, trace, slices = facts.model, facts.model.trace, facts.model.trace.slices
    awaits = trace.engine.longer(
        slices.start_ns, slices.end_ns, facts.kinds((AWAIT,)), LOST_NS
    )
    for i in awaits:
        name = _starting(facts.stack(i))
        task, start, end = model.owners.owner[i], slices.start_ns[i], slices.end_ns[i]
        if not name or task < 0:
            continue
        process = trace.processes[model.owners.task_process[task]]
        life_ns = process.end_ns - process.start_ns
        who: Who = ("task", task)
        if (end - start) * _PART[1] < life_ns * _PART[0]:
            continue
        did = mostly(facts, [(who, start, end)])
        if not did.behind:  # it computes, or is kept from it
            did = _step(facts, start, end)
        if not did.site or is_library(did.site):
            continue
        text = (
            f"Slow start: {name} answers nobody before the application has started, which "
            f"took {duration(end - start)} ({at(facts, start)}), {did.text}."
        )
        step = (
            f"Let {code(place_of(did.site).function)} do that in the background, or when it "
            f"is first needed."
        )
        evidence = facts.evidence(who, start, end - start, did.site)
        yield Finding("slow start", end - start, text, evidence, step, behind=did.behind)


def _step(facts: Facts, start_ns: int, end_ns: int) -> Doing:
    """The step of a loop that took most of a time, and whose it was."""
    slices = facts.model.trace.slices
    within = (
        i
        for i in facts.long_loop_slices
        if start_ns <= slices.start_ns[i] and slices.end_ns[i] <= end_ns + MS
    )
    one = max(within, key=facts.slice_ns, default=-1)
    ns = facts.slice_ns(one) if one >= 0 else 0
    if ns * 2 < end_ns - start_ns or _own_ns(facts, one) < LOST_NS:
        return Doing("", "")
    name, site, _ = facts.runs(one)
    text = f"{share(ns, end_ns - start_ns)} of that in one step of {code(name, site)}"
    return Doing(text, site, 100)


def _own_ns(facts: Facts, step: int) -> int:
    """How long a step took, without what the kernel and the GIL took."""
    slices, lane = facts.model.trace.slices, facts.model.lane[step]
    times = slices.start_ns[step], slices.end_ns[step]
    split = facts.split(facts.ledger.thread_of_loop[lane], window(*times))
    return times[1] - times[0] - split.of(NOT_ITS_FAULT)


@lru_cache(maxsize=4096)
def _starting(stack: str) -> str:
    found = known_in(stack.split("\n"), _STARTING)
    return found[1] if found is not None else ""


# Who stops a service notices half a second; a request that was there for four fifths of it,
# and was the last one to end, is what it waited for. uvicorn looks ten times a second.
_LAST_NS = 250 * MS
# Where the limit was over before, the server has cancelled them.
_CUT_NS = 50 * MS
_MOST = 1_000  # tasks that are looked at, the last ones


class _Server(NamedTuple):
    """In `waits` it waits for requests that are not over; `limit` is what ends that. `name` is
    "" where the program's own task stops it."""

    name: str
    file: str
    waits: frozenset[str]
    limit: str


_SERVERS = (
    _Server("uvicorn", "/uvicorn/server.py:", frozenset(("Server._wait_tasks_to_complete",)),
            "set a limit (`timeout_graceful_shutdown`)"),
    _Server("aiohttp", "/aiohttp/web_server.py:", frozenset(("Server.shutdown",)),
            "set a limit (`shutdown_timeout`)"),
    _Server("", "/asyncio/base_events.py:", frozenset(("Server.wait_closed",)),
            "close its connections first (`Server.close_clients`, from 3.13 on)"),
)  # fmt: skip
_KNOWN = tuple((one.file, one.waits, one) for one in _SERVERS)


def slow_stop(facts: Facts) -> Iterator[Finding]:
    """A server waits for open requests when it is told to stop."""
    if not mentioned(facts.model, *(server.file for server in _SERVERS)):
        return
    trace, slices, owned = facts.model.trace, facts.model.trace.slices, facts.model.owners
    found = defaultdict[tuple[int, _Server], list[int]](list)
    for i in trace.engine.longer(slices.start_ns, slices.end_ns, facts.kinds((AWAIT,)), MS):
        server = _of(facts.stack(i))
        if server is not None and owned.owner[i] >= 0:
            found[owned.owner[i], server].append(i)
    for (task, server), waits in found.items():
        if facts.slices_ns(waits) >= LOST_NS:
            yield from _finding(facts, task, server, waits)


@lru_cache(maxsize=4096)
def _of(stack: str) -> _Server | None:
    found = known_in(stack.split("\n"), _KNOWN)
    return found[1] if found is not None else None


def _finding(facts: Facts, task: int, server: _Server, waits: list[int]) -> Iterator[Finding]:
    slices = facts.model.trace.slices
    start, end = min(slices.start_ns[i] for i in waits), max(slices.end_ns[i] for i in waits)
    open_ones = [
        (which, max(since, start), until)
        for which, since, until in _lives(facts, facts.model.owners.task_process[task])
        if which != task
        and end - _LAST_NS <= until <= end + _CUT_NS
        and covers(until - max(since, start), end - start)
    ]
    in_time = [one for one in open_ones if one[2] <= end]
    open_ones = in_time or [one for one in open_ones if _is_cut(facts, one[0], task)]
    by_site = defaultdict[str, list[tuple[Who, int, int]]](list)
    for which, since, until in open_ones[-_MOST:]:
        who: Who = ("task", which)
        did = mostly(facts, [(who, since, until)])
        if did.site and not is_library(did.site):
            by_site[did.site].append((who, since, until))
    if not by_site:
        return
    site, those = max(by_site.items(), key=lambda item: (len(item[1]), item[0]))
    did, (who, since, until) = mostly(facts, those), those[0]
    what = f"{server.name} was told to stop and waited"
    if not server.name:
        stops = place_in(facts.awaited(waits[0])[1])
        by = code(name_of(facts.model, ("task", task)))
        what = f"{by}{stops} waits in `{min(server.waits)}`"
    text = (
        f"Slow end: {what} {duration(end - start)} "
        f"({at(facts, start)}) for open requests, {did.text}."
    )
    step = (
        f"Let {code(place_of(site).function)} end when the server stops (an event that it "
        f"waits for, too), or {server.limit}."
    )
    evidence = facts.evidence(who, since, until - since, site)
    yield Finding("slow end", end - start, text, evidence, step, behind=site)


def _is_cut(facts: Facts, which: int, server: int) -> bool:
    """Whether a task was cancelled, and is for a client: a connection began what it is a part
    of, and not, as for what runs beside the server, whoever began that one."""
    begun_by = {origin(facts.ledger, one) for one in (which, server)}
    return len(begun_by) > 1 and facts.ledger.how_it_ended(which) == s.CANCELLED


def _lives(facts: Facts, process: int) -> Iterator[tuple[int, int, int]]:
    """The tasks of a process that have ended: from and until when each is in the trace."""
    rows, slices = facts.ledger.rows_of_tasks, facts.model.trace.slices
    for task, of in enumerate(facts.model.owners.task_process):
        own = rows.of(task) if of == process else ()
        if own and not slices.unfinished[own[-1]]:
            yield task, slices.start_ns[own[0]], slices.end_ns[own[-1]]


_THREADS = " ThreadingMixIn.server_close"
_LISTENER = " QueueListener.stop"
_CHILDREN = " ForkingMixIn.server_close"
_WAITPID = "os.waitpid"
_NEXT_REQUEST = " BaseHTTPRequestHandler.handle_one_request"
_REQUESTS, _RECORDS = "requests that are not over", "the records that are still in its queue"
_FEWER = "Log less, or with handlers that do not wait."
_STEP = (
    "Give connections a time-out (`timeout` of the handler), or do not wait for them: "
    "`daemon_threads = True`, as `ThreadingHTTPServer` has it, or `block_on_close = False`."
)


def slow_close(facts: Facts) -> Iterator[Finding]:
    """`server_close` joins threads or children that serve clients which do not go."""
    if mentioned(facts.model, _THREADS, _LISTENER):
        waits = LongWaits.of(facts)
        for wait in waits.all:
            closers = (_THREADS, _LISTENER)
            if wait.ns >= LOST_NS and any(one.endswith(closers) for one in wait.stack):
                yield _of_thread(facts, waits, wait)
    if mentioned(facts.model, _CHILDREN):
        yield from _of_children(facts)


def _of_thread(facts: Facts, waits: LongWaits, wait: Wait) -> Finding:
    waits.told.add(wait.slice)
    kind, thread = wait.ender or ("", -1)
    meanwhile = ""
    if kind == "thread":
        did = doing(facts, [(("thread", thread), wait.start_ns, wait.end_ns)])
        meanwhile = f": {code(facts.model.thread_names[thread])}, {did}" if did else ""
        if _waits_for_request(facts, thread, wait):
            meanwhile += ", for another request of a client that has kept its connection"
    return _told(facts, wait.who[1], wait.start_ns, wait.end_ns, wait.stack, meanwhile)


def _waits_for_request(facts: Facts, thread: int, wait: Wait) -> bool:
    """Whether a thread of the server has nothing to do for most of a wait."""
    rows = facts.ledger.rows_of_threads
    for n in rows.places(thread):
        met = min(rows.end_ns[n], wait.end_ns) - max(rows.start_ns[n], wait.start_ns)
        if met * 2 > wait.ns and _NEXT_REQUEST in stack_of(facts.model, rows.row[n]):
            return True
    return False


def _of_children(facts: Facts) -> Iterator[Finding]:
    model, table = facts.model, facts.model.states
    for row in facts.calls_named((_WAITPID,), LOST_NS)[:_MOST]:
        stack = tuple(stack_of(model, row).split("\n"))
        if not any(frame.endswith(_CHILDREN) for frame in stack):
            continue
        start, end, thread = table.start_ns[row], table.busy_end_ns[row], table.who[row]
        times = [
            (("thread", one.main), start, end)
            for one in Family.of(model).children(model.thread_process[thread])
            if one.main >= 0 and one.start_ns < end and one.end_ns > start
        ]
        did = doing(facts, times)
        yield _told(facts, thread, start, end, stack, f": its children, {did}" if did else "")


def _told(
    facts: Facts, thread: int, start: int, end: int, stack: tuple[str, ...], meanwhile: str
) -> Finding:
    closers = (_THREADS, _CHILDREN, _LISTENER)
    closes = next((n for n, one in enumerate(stack) if one.endswith(closers)), 0)
    is_server = not stack[closes].endswith(_LISTENER)
    site = innermost(stack[closes:])
    closer = place_of(stack[closes]).function
    text = (
        f"Slow end: {code(name_of(facts.model, ('thread', thread)))}{place_in(site)} waits "
        f"{duration(end - start)} ({at(facts, start)}) in `{closer}` for "
        f"{_REQUESTS if is_server else _RECORDS}{meanwhile}."
    )
    evidence = facts.evidence(("thread", thread), start, end - start, site)
    return Finding("slow end", end - start, text, evidence, _STEP if is_server else _FEWER)
