"""Calls that a time limit ended: what they waited for from outside never came."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from tracer import schema as s
from tracer.units import MS, plural
from viewer.analysis.findings.basis.facts import LOST_NS, Facts, Finding
from viewer.analysis.findings.basis.waits import LongWaits, place_in, users
from viewer.analysis.findings.basis.words import in_total
from viewer.analysis.findings.outside.reconnects import about
from viewer.analysis.ledger.resource import covers
from viewer.analysis.processes.family import Family
from viewer.analysis.states import begins_call, stack_of
from viewer.trace.columns import IO
from viewer.trace.sites import is_library, place_of
from viewer.words import code

# Half a second was lost, a tenth at a time at least: shorter ones only look whether there is
# something.
_LONG_NS = 100 * MS
# Who makes the same call again, without a new connection, only looks whether something has
# come. Who is asked waits for clients, who need not say anything.
_CONNECTS = ("connect", "connect_ex", "getaddrinfo", "handshake")
_MOST = 1_000  # states of a thread in which its next call is looked for
_ASKED = ("accept", "recvfrom", "recvfrom_into")
_SERVES = ("/socketserver.py:", "/http/server.py:", "/gunicorn/", "/waitress/")
_READS = ("recv", "recv_into", "read")
_SENDS = ("send", "sendall", "sendmsg", "sendto", "write")
_LIMITS = ("TimeoutError", "timeout", "WantReadError")
_NO_NAME = "gaierror"


class _Cut(NamedTuple):
    thread: int
    row: int
    start_ns: int
    ns: int
    site: str
    called: str  # the library's function that the program called there; "" none
    how: str  # the exception


def cut_short(facts: Facts) -> Iterator[Finding]:
    """Calls of a line that were all given up because of a time limit."""
    model = facts.model
    if model.trace.symbol(s.ARG_EXCEPTION) < 0:
        return
    table, told = model.states, LongWaits.of(facts).told
    rows = facts.rows_of((IO,), _LONG_NS)
    asked = {table.who[row] for row in rows if facts.call(table.row[row])[0].endswith(_ASKED)}
    cuts = [cut for row in rows if (cut := _cut(facts, row, asked)) is not None]
    looking = {(one.thread, table.row[one.row]) for one in cuts if _looks(facts, one.row)}
    alike = defaultdict[tuple[str, str, str], list[_Cut]](list)
    for one in cuts:
        name = facts.call(table.row[one.row])[0]
        is_told = table.slice[one.row] in told
        if not is_told and (one.thread, table.row[one.row]) not in looking:
            alike[one.site, name, one.how].append(one)
    for (site, name, how), every in alike.items():
        if sum(one.ns for one in every) >= LOST_NS:
            told.update(table.slice[one.row] for one in every)
            yield _finding(facts, site, name, how, every)


def _cut(facts: Facts, row: int, asked: set[int]) -> _Cut | None:
    model, table = facts.model, facts.model.states
    how = model.trace.text_of_slice(table.slice[row], s.ARG_EXCEPTION)
    thread, site = table.who[row], facts.call(table.row[row])[1]
    starter, _ = facts.ledger.starters.get(thread, (-1, -1))
    if how not in (*_LIMITS, _NO_NAME) or thread in asked or starter in asked:
        return None
    stack = stack_of(model, row)
    if is_library(site) or any(part in stack for part in _SERVES):
        return None
    frames = stack.split("\n")
    own = next((n for n, frame in enumerate(frames) if not is_library(frame)), 0)
    called = place_of(frames[own - 1]).function if own else ""
    start = table.start_ns[row]
    return _Cut(thread, row, start, table.end_ns[row] - start, site, called, how)


def _looks(facts: Facts, row: int) -> bool:
    """Whether its thread makes the same call again, and has not connected anew before."""
    table, of = facts.model.states, facts.ledger.rows_of_threads
    thread, end = table.who[row], table.end_ns[row]
    low, high = of.offset[thread], of.offset[thread + 1]
    first = bisect_left(of.start_ns, end, low, high)
    for place in range(first, min(high, first + _MOST)):
        after = of.row[place]
        if begins_call(table.state[after]):
            if table.row[after] == table.row[row]:
                return True
            if facts.call(table.row[after])[0].endswith(_CONNECTS):
                return False
    return False


def _other_side(facts: Facts, cut: _Cut) -> str:
    """`; `server` waited in `recv` …`: the only other one that reads from a socket all the
    time, in another process of the program."""
    model, table = facts.model, facts.model.states
    end, process = cut.start_ns + cut.ns, model.thread_process[cut.thread]
    reads = [
        row
        for row in facts.rows_of((IO,), _LONG_NS)
        if model.thread_process[table.who[row]] != process
        and facts.call(table.row[row])[0].rpartition(".")[2] in _READS
        and covers(
            min(end, table.end_ns[row]) - max(cut.start_ns, table.start_ns[row]), cut.ns
        )
    ]
    if len(reads) != 1:
        return ""
    name, site = facts.call(table.row[reads[0]])
    member = Family.of(model).name(model.thread_process[table.who[reads[0]]])
    return f", where {code(member)}{place_in(site)} itself waited in `{name}` for more"


def _finding(facts: Facts, site: str, name: str, how: str, every: list[_Cut]) -> Finding:
    worst, lost = max(every, key=lambda one: one.ns), sum(one.ns for one in every)
    within = f", in `{worst.called}`" if worst.called else ""
    is_name = how == _NO_NAME
    is_send = name.rpartition(".")[2] in _SENDS
    why = "no name server knew or answered" if is_name else "nothing came from the other side"
    why = "the other side did not read" if is_send else why
    other = "" if is_name or is_send else _other_side(facts, worst)
    what = (
        "that name and the name servers" if is_name else "what the other side does meanwhile"
    )
    step = f"Look at {what}; a shorter time limit loses less."
    if other:
        step = "Each waits for the other: compare how much is sent with how much is read."
    text = (
        f"Waited in vain: {users(facts.model, (('thread', one.thread) for one in every))}"
        f"{place_in(site)} gave up {plural(len(every), 'wait')} in `{name}`{within}, "
        f"{in_total(facts, lost, worst.ns, worst.start_ns)}: {why}{other} ({how}). {step}"
    )
    evidence = facts.evidence(("thread", worst.thread), worst.start_ns, worst.ns, site)
    return Finding("wait in vain", lost, text, evidence, about=about(site))
