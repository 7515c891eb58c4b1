"""Workers of a server that were replaced in the middle of a request: their master had lost its
patience with them."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from tracer.units import MS, duration, plural
from viewer.analysis.endings import signal_name
from viewer.analysis.findings.basis.calls import asks_for_clients
from viewer.analysis.findings.basis.doing import Doing, mostly
from viewer.analysis.findings.basis.facts import Facts, Finding
from viewer.analysis.findings.basis.words import at
from viewer.analysis.processes.family import Family, Member
from viewer.analysis.states import mentioned, stack_of
from viewer.trace.columns import IDLE_WAIT, IO, STATE_MASK
from viewer.trace.sites import is_library, place_of
from viewer.words import code

# No time-out of a master is shorter than a second; it looks once a second.
_BUSY_NS = 800 * MS
_IDLE_NS = MS
_SOON_NS = 1_500 * MS  # until another worker has its place
_MOST = 10_000  # states of a thread that are looked at, the last ones
_JUST_NS = 100 * MS
_ANSWERS = "/gunicorn/http/wsgi.py:"
_SERVERS = ("/gunicorn/workers/", "/uvicorn/")


class _End(NamedTuple):
    """A worker's last request: `since_ns` it served nobody else."""

    member: Member
    since_ns: int
    did: Doing


def replaced_worker(facts: Facts) -> Iterator[Finding]:
    """A worker ends while it is busy, and its parent starts another one at once."""
    family = Family.of(facts.model)
    if len(family.members) < 3:  # the parent, a worker, and the one that has its place
        return
    if not mentioned(facts.model, *_SERVERS):
        return
    starts = defaultdict[tuple[int, str], list[int]](list)
    for one in family.members.values():
        if one.start is not None:
            starts[one.parent, one.start.site].append(one.start.time_ns)
    for times in starts.values():
        times.sort()
    found: dict[str, list[_End]] = {}
    for member in family.members.values():
        if _has_a_successor(member, starts):
            end = _last_request(facts, member)
            if end is None:
                return  # workers are replaced after so many requests (`max_requests`)
            found.setdefault(end.did.site, []).append(end)
    for site, ends in found.items():
        worst = max(ends, key=lambda end: end.member.end_ns - end.since_ns)
        lost = sum(end.member.end_ns - end.since_ns for end in ends)
        ns = worst.member.end_ns - worst.since_ns
        function = code(place_of(site).function)
        others = f"{plural(len(ends), 'worker')} of the server"
        place = "Others took their place" if ends[1:] else "Another worker took its place"
        lost_ones = "the requests were lost" if ends[1:] else "the request was lost"
        text = (
            f"Waited in vain: {others if ends[1:] else code(worst.member.name)} ended in the "
            f"middle of a request{_how(worst.member)}, after up to {duration(ns)} of it "
            f"({at(facts, worst.since_ns)}): {worst.did.text}. {place} at once, as after "
            f"a time-out of the master (gunicorn's `timeout`); {lost_ones}. "
            f"Give what {function} waits for a shorter time-out, do it elsewhere, or raise "
            f"that of the master."
        )
        evidence = facts.evidence(("thread", worst.member.main), worst.since_ns, ns, site)
        yield Finding(
            "wait in vain", lost, text, evidence, behind=worst.did.behind, processes=len(ends)
        )


def _how(member: Member) -> str:
    """` by SIGKILL`, as the parent was told."""
    told = member.told.signal if member.told is not None else None
    return f" by {signal_name(told)}" if told is not None else ""


def _has_a_successor(member: Member, starts: dict[tuple[int, str], list[int]]) -> bool:
    """Whether its parent was told of its end, and soon began another process there."""
    if member.told is None or member.main < 0 or member.start is None:
        return False
    times, end = starts[member.parent, member.start.site], member.told.time_ns
    at = bisect_left(times, end)
    return at < len(times) and times[at] - end <= _SOON_NS


def _last_request(facts: Facts, member: Member) -> _End | None:
    """What a worker did since it last waited for clients, up to its end."""
    table, rows = facts.model.states, facts.ledger.rows_of_threads.of(member.main)
    since, is_server = -1, False
    for row in reversed(rows[-_MOST:]):
        is_call = table.state[row] & STATE_MASK == IO
        stack = stack_of(facts.model, row)
        is_server = is_server or any(part in stack for part in _SERVERS)
        if _ANSWERS in stack and table.end_ns[row] >= member.end_ns - _JUST_NS:
            return None  # it has answered, and ends in order; an error is written elsewhere
        if facts.row_ns(row) < _IDLE_NS:
            continue
        is_idle = table.state[row] & STATE_MASK == IDLE_WAIT or (
            is_call and asks_for_clients(facts, table.row[row])
        )
        if is_idle:
            since = table.end_ns[row]
            break
    if since < 0 or not is_server or member.end_ns - since < _BUSY_NS:
        return None
    did = mostly(facts, [(("thread", member.main), since, member.end_ns)])
    if not did.site or is_library(did.site):
        return None
    return _End(member, since, did)
