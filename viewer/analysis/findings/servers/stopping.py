"""Servers that were told to stop, and wait for requests which do not end."""

from collections import defaultdict
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from tracer.units import duration
from viewer.analysis.findings.basis.doing import mostly
from viewer.analysis.findings.basis.facts import Facts, Finding
from viewer.analysis.findings.basis.inside import known_in
from viewer.analysis.findings.basis.waits import name_of, place_in
from viewer.analysis.findings.basis.words import at
from viewer.analysis.ledger.circles import Who
from viewer.analysis.ledger.resource import covers
from viewer.analysis.states import mentioned
from viewer.trace.columns import AWAIT
from viewer.trace.sites import is_library, place_of
from viewer.words import code

_MS = 1_000_000
# Who stops a service notices half a second; a request that was there for four fifths of it,
# and was the last one to end, is what it waited for. uvicorn looks ten times a second.
_LONG_NS = 500 * _MS
_LAST_NS = 250 * _MS
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
    for i in trace.engine.longer(slices.start_ns, slices.end_ns, facts.kinds((AWAIT,)), _MS):
        server = _of(facts.stack(i))
        if server is not None and owned.owner[i] >= 0:
            found[owned.owner[i], server].append(i)
    for (task, server), waits in found.items():
        if facts.slices_ns(waits) >= _LONG_NS:
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
        and end - _LAST_NS <= until <= end
        and covers(until - max(since, start), end - start)
    ]
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


def _lives(facts: Facts, process: int) -> Iterator[tuple[int, int, int]]:
    """The tasks of a process that have ended: from and until when each is in the trace."""
    rows, slices, owned = (
        facts.ledger.rows_of_tasks,
        facts.model.trace.slices,
        facts.model.owners,
    )
    for task, of in enumerate(owned.task_process):
        low, high = rows.offset[task], rows.offset[task + 1]
        if of == process and low < high:
            last = rows.row[high - 1]
            if not slices.unfinished[last]:
                yield task, rows.start_ns[low], slices.end_ns[last]
