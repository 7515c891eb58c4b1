"""Connections that are made anew for each call, or again and again in vain."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise

from tracer import schema as s
from tracer.units import MS, duration, plural
from viewer.analysis.findings.basis.facts import LOST_NS, Facts, Finding
from viewer.analysis.findings.basis.queries import calls_of
from viewer.analysis.findings.basis.waits import LongWaits, name_of, place_in, sites, users
from viewer.analysis.findings.basis.words import at, in_total
from viewer.analysis.ledger.circles import Who
from viewer.analysis.resources.failures import pauses
from viewer.analysis.resources.reading import awaits_of
from viewer.analysis.resources.slots import Group
from viewer.analysis.resources.talks import askers
from viewer.analysis.resources.waits import Wait, longest_rows
from viewer.analysis.states import mentioned, stack_of
from viewer.analysis.waited import package_of
from viewer.trace.columns import IO
from viewer.trace.sites import innermost, is_library
from viewer.words import code

# Twenty connections that cost three tenths of a second, a fifth of what was waited for at that
# line (healthy programs of tests/diagnosis that connect as often lose a tenth of that); and
# it goes on: in half of the eighths of a quarter of a second, and for longer than a quarter
# of what remains of the recording.
_MANY = 20
_CHEAP_NS = 300 * MS
_PART = 5
# Or eight that cost a second, half of what was waited for there.
_DEAR, _DEAR_NS, _DEAR_PART = 8, 1_000 * MS, 2
_SPREAD_NS = 250 * MS
_PARTS_OF_TIME, _OF_THEM, _LATE = 8, 4, 4
_LEAST_NS = 20_000
_MOST = 50_000  # calls that are looked at, the longest ones
# A server that asks a new connection for something answers it later than the others.
_OTHERS = 5
_TIMES = 3
_AWAITED = f"{s.AWAIT_PREFIX}connect ("
_ASKED = tuple(f"{s.AWAIT_PREFIX}{what} (" for what in ("response", "query", "command"))
_CALLS = (".connect", ".connect_ex")
_ANSWERS = ("recv", "recv_into", "read")
_ASKS = ("send", "sendall", "write")  # what comes without one is the rest of an answer
# What clients call the function that connects. SQLAlchemy's and a pool's `connect` take a
# connection that may be there already.
_CONNECTS = re.compile(
    r"^\S*/(?:http/client|ssl|socket|smtplib|ftplib|imaplib)\.py:\d+ "
    r"\S*\b(?:connect|do_handshake|create_connection)$"
    r"|^\S*-packages/(?!sqlalchemy/|django/|psycopg_pool/)\S+ "
    r"(?!\S*Pool\.)\S*\b_*(?:connect|connect_tcp|start_tls|new_conn|do_handshake"
    r"|create_connection|ssl_wrap_socket|on_connect)$",
    re.MULTILINE,
)
_PARTS = ("connect", "do_handshake", "new_conn", "start_tls")


@dataclass(slots=True)
class _Line:
    """What happens at a line: when it connects, and the times of its other calls."""

    whos: list[Who] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)
    costs: list[int] = field(default_factory=list)
    first_ns: list[int] = field(default_factory=list)  # answers after a connect
    other_ns: list[int] = field(default_factory=list)
    total_ns: int = 0
    asked_ns: list[int] = field(default_factory=list)  # when something was asked there

    def connects(self, who: Who, start_ns: int) -> None:
        self.whos.append(who)
        self.starts.append(start_ns)
        self.costs.append(0)


def new_connections(facts: Facts) -> Iterator[Finding]:
    """A line connects for each of its calls, and that is a good part of what it waits for."""
    if not mentioned(facts.model, *_PARTS):
        return
    lines = defaultdict[str, _Line](_Line)
    _of_threads(facts, lines)
    _of_tasks(facts, lines)
    for site, line in lines.items():
        if len(line.starts) < _DEAR or is_library(site) or not _goes_on(facts, line):
            continue
        late = _late_ns(line)
        lost = sum(line.costs) + late
        is_dear = lost >= _DEAR_NS and lost * _DEAR_PART >= line.total_ns
        are_many = len(line.starts) >= _MANY and lost >= _CHEAP_NS
        if is_dear or (are_many and lost * _PART >= line.total_ns):
            yield _finding(facts, site, line, lost, late)


def _goes_on(facts: Facts, line: _Line) -> bool:
    """Whether it connects for its calls: again and again, and not to keep what it opens at the
    start."""
    first, last = min(line.starts), max(line.starts)
    if sum(at_ns > last for at_ns in line.asked_ns) >= 2 * len(line.starts):
        return False
    if last - first < _SPREAD_NS:
        return False
    parts = {(start - first) * _PARTS_OF_TIME // (last - first + 1) for start in line.starts}
    is_late = (last - first) * _LATE >= facts.model.end_ns - first
    times, waits = Counter(line.whos), LongWaits.of(facts)
    again = sum(times[who] > 1 or waits.ends_ns(who) < last for who in line.whos)
    return len(parts) >= _OF_THEM and is_late and again * 2 >= len(line.whos)


def _late_ns(line: _Line) -> int:
    """How much later new connections gave their first answers than kept ones; 0 unknown."""
    if len(line.other_ns) < _OTHERS or len(line.first_ns) < _MANY:
        return 0
    firsts, others = sorted(line.first_ns), sorted(line.other_ns)
    usual = others[len(others) // 2]
    if firsts[len(firsts) // 2] < usual * _TIMES:
        return 0
    return sum(firsts) - usual * len(firsts)


def _of_threads(facts: Facts, lines: dict[str, _Line]) -> None:
    table, by_thread = facts.model.states, defaultdict[int, list[int]](list)
    for row in longest_rows(facts, (IO,), _LEAST_NS, _MOST):
        by_thread[table.who[row]].append(row)
    for thread, rows in by_thread.items():
        if thread in facts.ledger.lane_of_thread:
            continue  # what a loop's thread does not wait for, its tasks do
        rows.sort(key=table.start_ns.__getitem__)
        last, last_site, connects, connected = "", "", False, False
        for row in rows:
            name, site = facts.call(table.row[row])
            ns = facts.row_ns(row)
            line, what = lines[site], name.rpartition(".")[2]
            line.total_ns += ns
            if site != last_site:
                last, last_site, connects, connected = "", site, False, False
            if name.endswith(_CALLS) or is_connecting(stack_of(facts.model, row)):
                if not connects:
                    line.connects(("thread", thread), table.start_ns[row])
                line.costs[-1] += ns
                connects = connected = True
                continue
            if what in _ANSWERS:
                if connected:
                    line.first_ns.append(ns)
                elif last in _ASKS:
                    line.other_ns.append(ns)
                connected = False
            last, connects = what, False


def _of_tasks(facts: Facts, lines: dict[str, _Line]) -> None:
    """An await that follows another one of the kind in its task is of the same connection, as
    is what the program awaits in a function that the library calls to set it up."""
    slices, connecting = facts.model.trace.slices, {*awaits_of(facts, _AWAITED)}
    if len(connecting) < _DEAR:
        return
    owner = facts.model.owners.owner
    for task, awaits in facts.awaits({owner[i] for i in connecting}).items():
        connects = ""
        for i in awaits:
            ns = facts.slice_ns(i)
            what, site = facts.awaited(i)
            stack = facts.stack(i)
            inside = connects and _around(stack)
            if (i in connecting or inside) and not pauses(stack):
                site = inside or site
                line = lines[site]
                if connects != site:
                    line.connects(("task", task), slices.start_ns[i])
                line.costs[-1] += ns
                line.total_ns += ns
                connects = site
                continue
            connects = ""
            if what.startswith(_ASKED):
                lines[site].total_ns += ns
                lines[site].asked_ns.append(slices.start_ns[i])


@lru_cache(maxsize=4096)
def _around(stack: str) -> str:
    """The line of the program at which a library connects that calls the program in turn; ""
    without."""
    frames = stack.split("\n")
    own = next((n for n, frame in enumerate(frames) if not is_library(frame)), len(frames))
    last = next((n for n in range(own, len(frames)) if is_connecting(frames[n])), len(frames))
    return innermost(frames[last:])


@lru_cache(maxsize=4096)
def is_connecting(stack: str) -> bool:
    """Whether a frame of a stack is of a function that connects."""
    return any(part in stack for part in _PARTS) and _CONNECTS.search(stack) is not None


def _finding(facts: Facts, site: str, line: _Line, lost: int, late: int) -> Finding:
    count = len(line.starts)
    # Calls of a thread that take less than 20 µs are not in the trace.
    least = "at least " if any(kind == "thread" for kind, _ in line.whos) else ""
    worst = max(range(count), key=line.costs.__getitem__)
    text = (
        f"New connections: {users(facts.model, line.whos)}{place_in(site)} connected "
        f"{least}{plural(count, 'time')}, again and again "
        f"({at(facts, min(line.starts))} and later), "
        f"which took {duration(lost)} in total"
    )
    if late:
        others = sorted(line.other_ns)
        text += (
            f": the first answer of a new connection took "
            f"{duration(sum(line.first_ns) // len(line.first_ns))} on average, that of a kept "
            f"one mostly {duration(others[len(others) // 2])}"
        )
    else:
        text += f", {duration(lost // count)} each on average"
    step = (
        "Where it is the same server, keep a connection and use it again: one client, session "
        "or engine for all calls, and a pool that keeps as many connections as there are "
        "threads (`pool_maxsize`, `pool_size`)."
    )
    evidence = facts.evidence(line.whos[worst], line.starts[worst], line.costs[worst], site)
    return Finding("new connections", lost, f"{text}.", evidence, step, about=about(site))


# A hundred connections, one in 10 ms, for half a second: nobody pauses, and none of them
# lasts. Whoever asks for something pays for new connections instead.
_AGAIN_TIMES = 100
_EACH_NS = 10 * MS
_AGAIN_ASKED = tuple(
    f"{s.AWAIT_PREFIX}{what} (" for what in ("response", "query", "command", "send")
)


def connects_at_once(facts: Facts) -> Iterator[Finding]:
    """A connection after the other, each of which ends at once."""
    slices, owner = facts.model.trace.slices, facts.model.owners.owner
    connecting = awaits_of(facts, _AWAITED)
    if len(connecting) < _AGAIN_TIMES:
        return
    of = {*connecting}
    for task, awaits in facts.awaits({owner[i] for i in connecting}).items():
        begins = [
            later
            for before, later in pairwise((-1, *awaits))
            if later in of and before not in of
        ]
        if len(begins) < _AGAIN_TIMES:
            continue
        start, end = slices.start_ns[begins[0]], slices.end_ns[awaits[-1]]
        site = facts.awaited(begins[0])[1]
        is_often = LOST_NS <= slices.start_ns[begins[-1]] - start <= len(begins) * _EACH_NS
        asks = any(facts.awaited(i)[0].startswith(_AGAIN_ASKED) for i in awaits)
        if is_often and not asks and not is_library(site):
            yield _at_once(facts, task, site, len(begins), start, end)


def about(site: str) -> frozenset[str]:
    """What this and another finding tell of the connections that are opened at a line."""
    return frozenset((f"connects {site}",))


def _at_once(facts: Facts, task: int, site: str, times: int, start: int, end: int) -> Finding:
    text = (
        f"{code(name_of(facts.model, ('task', task)))} polls{place_in(site)}: it connects "
        f"{times:,} times in {duration(end - start)} ({at(facts, start)}), again as soon as a "
        f"connection has ended, one every {duration((end - start) // times)} on average. If "
        f"the other side ends them, wait before the next attempt, longer each time; else keep "
        f"one and use it again."
    )
    evidence = facts.evidence(("task", task), start, end - start, site)
    return Finding("busy loop", end - start, text, evidence, about=about(site))


# It may have begun before anybody waited; between attempts it pauses for a second and more.
_BEFORE_NS = 1_000 * MS
_BY_POOL = re.compile(r"-packages/psycopg_pool/\S+ \S*Pool\._connect$", re.MULTILINE)
_POOL_PART = "Pool._connect"


def unreachable(
    facts: Facts, waits: LongWaits, group: Group, vain: list[Wait]
) -> Finding | None:
    """The pool tried to connect meanwhile: nobody has the connections, there are none."""
    if not mentioned(facts.model, _POOL_PART):
        return None
    until = max(wait.end_ns for wait in vain)
    asked, _ = askers(waits, package_of(vain[0].name), until, {wait.site for wait in vain})
    # Who asks the server has a connection: what was tried until then has succeeded.
    since = max(min(wait.start_ns for wait in vain) - _BEFORE_NS, *asked.values(), 0)
    attempts = sum(since <= start <= until for start in _attempts(facts))
    if not attempts:
        return None
    worst, lost = max(vain, key=lambda wait: wait.ns), sum(wait.ns for wait in vain)
    text = (
        f"Waited in vain: {users(facts.model, (wait.who for wait in vain))} in {sites(vain)} "
        f"gave up waiting for a {group.pool.slot} of {group.pool.of}: "
        f"{plural(len(vain), 'wait')}, {in_total(facts, lost, worst.ns, worst.start_ns)}. "
        f"Nobody got one: the pool itself tried to connect, {plural(attempts, 'time')} that "
        f"the trace shows, and has no connection to give. Check whether the server is up and "
        f"at that address; the pool's log has the error."
    )
    return Finding("wait in vain", lost, text, waits.evidence(worst))


def _attempts(facts: Facts) -> list[int]:
    """When the pool's threads and tasks tried to connect: calls that belong together, once."""
    table, slices, found = facts.model.states, facts.model.trace.slices, list[int]()
    last = dict[int, int]()
    for row in calls_of(facts, (IO,)):
        if _BY_POOL.search(stack_of(facts.model, row)):
            thread, start = table.who[row], table.start_ns[row]
            if start - last.get(thread, start - _BEFORE_NS) >= _BEFORE_NS // 10:
                found.append(start)
            last[thread] = table.end_ns[row]
    for i in awaits_of(facts, f"{s.AWAIT_PREFIX}connect (psycopg"):
        if _BY_POOL.search(facts.stack(i)):
            found.append(slices.start_ns[i])
    return found
