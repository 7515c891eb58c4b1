"""Servers that are too busy to accept: connections from outside wait in the socket's queue."""

from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from tracer import schema as s
from tracer.units import MS, plural
from viewer.analysis.findings.basis.calls import asks_for_clients
from viewer.analysis.findings.basis.databases import database_locked
from viewer.analysis.findings.basis.doing import mostly
from viewer.analysis.findings.basis.facts import LOST_NS, NOT_ITS_FAULT, Facts, Finding
from viewer.analysis.findings.basis.hot import hot
from viewer.analysis.findings.basis.words import in_total
from viewer.analysis.findings.servers.full import forking_server_full, one_server, servers_busy
from viewer.analysis.ledger.circles import Who
from viewer.analysis.ledger.resource import windows_of
from viewer.analysis.regions import merged
from viewer.analysis.states import stack_of
from viewer.trace.columns import IO
from viewer.trace.processes import number_of
from viewer.trace.sites import is_library, place_of
from viewer.words import code, stem

# As with other pools, half a second must be lost; connections must have stood in the queue for
# that long, too: those that come all at once wait for each other, and are soon served. A tenth
# of a second is worth asking why.
_LONG_NS = 100 * MS
_FEWEST, _MUCH_NS = 3, 1_000 * MS  # connections; of fewer, a second
_IDLE_NS = MS
_ACCEPT, _SENDS, _SOCKET = ".accept", (".send", ".sendall"), "/socket.py"
_STARTS = "Thread.start"  # ends once the new thread had a processor


class Late(NamedTuple):
    """A connection that nobody accepted for a while."""

    since_ns: int
    at_ns: int
    thread: int


class LateConnections:
    """Those of all processes, in order of the moments at which they were accepted. What came
    before anybody served at the port is left out: nobody had asked for any. Of a worker that
    was still starting then, as it is on a busy machine, the time from its own start counts."""

    @classmethod
    def of(cls, facts: Facts) -> "LateConnections":
        """Those of the model, found once."""
        return facts.model.derive(cls, lambda: cls(facts))

    def __init__(self, facts: Facts) -> None:
        trace, threads = facts.model.trace, facts.model.threads
        self.by_port = defaultdict[int, list[Late]](list)
        self.by_thread = defaultdict[int, list[Late]](list)
        self.threads = defaultdict[int, set[int]](set)  # by port, of all that were late
        found = list[tuple[int, Late]]()
        for event in trace.instants(trace.events.name, s.ACCEPTED_LATE):
            args, thread = trace.args(event), threads.of_track[trace.events.track[event]]
            if thread >= 0:
                late = Late(number_of(args, s.ARG_SINCE), trace.events.time_ns[event], thread)
                found.append((number_of(args, s.ARG_PORT), late))
        found.sort(key=lambda one: one[1].at_ns)
        first = dict[int, int]()
        for _, late in found:
            first.setdefault(late.thread, late.at_ns)
        serves = _serves_since(facts, first)
        for port, late in found:
            self.threads[port].add(late.thread)
        since = {
            port: min(map(serves.__getitem__, threads))
            for port, threads in self.threads.items()
        }
        for port, late in found:
            if late.since_ns >= since[port] and late.at_ns > serves[late.thread]:
                late = late._replace(since_ns=max(late.since_ns, serves[late.thread]))
                self.by_port[port].append(late)
                self.by_thread[late.thread].append(late)


def too_busy_to_accept(facts: Facts) -> Iterator[Finding]:
    """All threads that accept connections at a port do something else meanwhile."""
    connections = LateConnections.of(facts)
    for port, late in connections.by_port.items():
        # What blocks a loop is a finding of its own.
        late = [one for one in late if one.thread not in facts.ledger.lane_of_thread]
        lost = sum(one.at_ns - one.since_ns for one in late)
        if lost < (LOST_NS if len(late) >= _FEWEST else _MUCH_NS):
            continue
        worst = max(late, key=lambda one: one.at_ns - one.since_ns)
        ns = worst.at_ns - worst.since_ns
        part = _busy_part(facts, late)
        if ns < _LONG_NS or min(lost, _queued_ns(late)) * part < LOST_NS:
            continue
        times: list[tuple[Who, int, int]] = [
            (("thread", one.thread), one.since_ns, one.at_ns) for one in late
        ]
        did = mostly(facts, times)
        site = did.site or _computes_at(facts, late)
        if not site or _is_told(facts, late):
            continue
        shown = "" if is_library(site) else site  # else whoever is read from tells it
        shorter = f", or make {code(place_of(site).function)} shorter" if shown else ""
        threads = len(connections.threads[port])
        who = (
            f"the {threads} workers that accept there, one request at a time each, were"
            if threads > 1
            else f"{code(facts.model.thread_names[worst.thread])}, the only thread that "
            f"accepts there, was"
        )
        text = (
            f"Pool exhausted: connections to port {port} waited until somebody accepted them: "
            f"{plural(len(late), 'connection')}, {in_total(facts, lost, ns, worst.since_ns)}. "
            f"Meanwhile {who} busy: {did.text}. Serve with more workers or threads{shorter}."
        )
        evidence = facts.evidence(("thread", worst.thread), worst.since_ns, ns, shown)
        behind = _locked_at(facts, late) or did.behind
        workers = {facts.model.thread_process[one.thread] for one in late}
        yield Finding(
            *("pool exhausted", int(lost * part), text, evidence),
            behind=behind,
            processes=len(workers),
        )


def _locked_at(facts: Facts, late: list[Late]) -> str:
    """Where the workers, these or others of their name, wait for a database that one of them
    keeps locked: a cause of this; "" where they do not."""
    names = {stem(facts.model.thread_names[one.thread]) for one in late}
    locked = (finding.evidence for finding in database_locked(facts))
    return next((found.site for found in locked if stem(found.track) in names), "")


def _is_told(facts: Facts, late: list[Late]) -> bool:
    """Whether the server waits for one of its children, or clients in its own process waited:
    both say more of them."""
    model = facts.model
    pids = {model.pid(model.thread_process[one.thread]) for one in late}
    told = (*one_server(facts), *servers_busy(facts), *forking_server_full(facts))
    return any(finding.evidence.pid in pids for finding in told)


def _queued_ns(late: list[Late]) -> int:
    return sum(end - start for start, end in merged((one.since_ns, one.at_ns) for one in late))


def _serves_since(facts: Facts, first: dict[int, int]) -> dict[int, int]:
    """By thread when it first waited for connections, or sent something below a function of
    the file that accepts; at the latest when it first accepted one that was late."""
    table, found, last = facts.model.states, {**first}, max(first.values(), default=0)
    accepts, sends = set[str](), list[tuple[int, int, str]]()
    for row in facts.rows_of((IO,), 0) if first else ():
        start, thread, call = table.start_ns[row], table.who[row], table.row[row]
        if start > last:
            break
        if start > first.get(thread, -1):
            continue
        if asks_for_clients(facts, call) and table.end_ns[row] - start >= _IDLE_NS:
            found[thread] = min(found[thread], start)
        name = facts.call(call)[0]
        if name.endswith(_ACCEPT):
            frames = stack_of(facts.model, row).split("\n")
            paths = (place_of(frame).path for frame in frames)
            accepts.add(next((path for path in paths if not path.endswith(_SOCKET)), ""))
        elif name.endswith(_SENDS):
            sends.append((thread, start, stack_of(facts.model, row)))
    for thread, start, stack in sends:
        if start < found[thread] and any(f"{path}:" in stack for path in accepts if path):
            found[thread] = start
    return found


def _busy_part(facts: Facts, late: list[Late]) -> float:
    """The part of that time that the kernel left the threads; 0 where they did something of
    their own for half of it at most."""
    by_thread = defaultdict[int, list[tuple[int, int]]](list)
    for one in late:
        by_thread[one.thread].append((one.since_ns, one.at_ns))
    whole = kernels = idle = 0
    for thread, times in by_thread.items():
        waited = merged(sorted(times))
        split = facts.split(thread, windows_of(waited))
        whole += sum(split.states.values())
        kernels += split.of(NOT_ITS_FAULT)
        idle += sum(ns for call, ns in split.calls.items() if asks_for_clients(facts, call))
        idle += sum(ns for (_, name, _), ns in split.waits.items() if name == _STARTS)
    theirs = whole - kernels
    return theirs / whole if theirs > 2 * idle else 0


def _computes_at(facts: Facts, late: list[Late]) -> str:
    """The line of the program in which the threads computed for most of it; "" unknown."""
    stacks = [
        stack
        for one in late
        for stack in facts.stacks(
            facts.model.threads[one.thread].tid, [(one.since_ns, one.at_ns)]
        )
    ]
    found, total = hot(facts.hot_places, stacks)
    is_most = bool(found) and found[0].samples * 2 >= total
    return found[0].site if is_most and not is_library(found[0].site) else ""
