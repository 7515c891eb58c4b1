"""Connects that take long: given up, and tried again elsewhere; refused, and tried again
after a pause; or the listener's queue was full, so that the kernel asked for them again."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from tracer import schema as s
from tracer.units import MS, duration, plural
from viewer.analysis.findings.basis.facts import Facts, Finding
from viewer.analysis.findings.basis.waits import LongWaits, place_in, users
from viewer.analysis.findings.basis.words import in_total
from viewer.analysis.findings.outside.reconnects import about
from viewer.analysis.ledger.circles import Who
from viewer.analysis.states import begins_call, having, keys, mentioned, numbers
from viewer.trace.columns import IO, SLEEP
from viewer.trace.sites import is_library, own_frames

# Three connects, three quarters of a second in all.
_FEWEST, _LOST_NS = 3, 750 * MS
_LONG_NS = 50 * MS
_MOST = 500  # connects that are looked at, the first ones
# A socket through which something is sent or read next was connected; who looks up a name,
# connects or sleeps next has given up.
_CONNECT = ("socket.connect", "socket.connect_ex")
# So does who opens many connections, or looks how far away servers are; but only a time-out
# lasts a round time, never less and mostly hardly more.
_GAVE_UP = (*_CONNECT, "socket.getaddrinfo", s.SLEEP)
_USES = ("send", "recv", "read", "write", "poll", "select", "handshake")
# On a busy machine most are late.
_ROUND_NS, _SLACK_NS, _HARDLY_NS, _SOME = 50 * MS, MS // 10, 3 * MS, 3
# Linux asks again after one second, two more, four more. A busy machine is late.
_AGAIN_NS = (1_000 * MS, 3_000 * MS, 7_000 * MS)
_EARLY_NS, _LATE_NS = 10 * MS, 150 * MS
# A library that pauses until it tries again a server that refuses: half a second, unless one
# of the connects at that line got through, as when a server is still to start.
_PAUSED_NS = 500 * MS
_REFUSED = ("ConnectionRefusedError", "FileNotFoundError", "gaierror", "OSError")
_DOWN = (
    "Remember which server did not answer, and try it last for a while; or give the "
    "connect a shorter time-out."
)
_NOBODY = "Check whether the server is up and at that address; pause longer before each try."
_REFUSES = (
    "Check whether the server is up and at that address; let a thread of its own wait for it, "
    "or give up sooner."
)
_QUEUE = (
    "Listen with a longer queue (`backlog`, `request_queue_size`), and accept in a thread "
    "that does nothing else."
)


class _Connect(NamedTuple):
    """`then` is what its thread called next; "" nothing."""

    thread: int
    start_ns: int
    ns: int
    then: str
    is_own: bool  # to a socket of this process

    @property
    def is_given_up(self) -> bool:
        return self.then in _GAVE_UP and not self.is_own

    @property
    def again_ns(self) -> int:
        """After how long the kernel, without an answer, asked again and got one; 0: never."""
        if not any(part in self.then for part in _USES):
            return 0
        late = (again for again in _AGAIN_NS if -_EARLY_NS <= self.ns - again <= _LATE_NS)
        return next(late, 0)


class _Pause(NamedTuple):
    who: Who
    start_ns: int
    end_ns: int
    slice: int

    @property
    def ns(self) -> int:
        return self.end_ns - self.start_ns


def slow_connects(facts: Facts) -> Iterator[Finding]:
    """Of the threads that connect at a line of the program."""
    if not mentioned(facts.model, *_CONNECT):
        return
    by_site = defaultdict[str, list[_Connect]](list)
    for site, connect in _connects(facts):
        by_site[site].append(connect)
    for site, found in by_site.items():
        if is_library(site):
            continue
        enough = _enough([one for one in found if one.is_given_up])
        if enough and _by_a_time_out(enough):
            yield _in_vain(facts, site, enough, found)
        if enough := _enough([one for one in found if one.again_ns]):
            yield _in_queue(facts, site, enough)


def _enough(found: list[_Connect]) -> list[_Connect]:
    is_much = len(found) >= _FEWEST and sum(one.ns for one in found) >= _LOST_NS
    return found if is_much else []


def _by_a_time_out(found: list[_Connect]) -> bool:
    took = sorted(one.ns for one in found)
    time_out = (took[0] + _SLACK_NS) // _ROUND_NS * _ROUND_NS
    return time_out > 0 and took[len(took) // _SOME] - time_out <= _HARDLY_NS


def refused_again(facts: Facts) -> Iterator[Finding]:
    """Pauses of a library between connects of one call, all of which were refused."""
    trace, table, waits = facts.model.trace, facts.model.states, LongWaits.of(facts)
    if trace.symbol(s.ARG_EXCEPTION) < 0 or not mentioned(facts.model, *_CONNECT):
        return
    by_site = defaultdict[str, list[int]](list)
    for row in _rows(facts, 0):
        by_site[facts.call(table.row[row])[1]].append(row)
    for site, rows in by_site.items():
        how = (trace.text_of_slice(table.slice[row], s.ARG_EXCEPTION) for row in rows)
        if is_library(site) or any(exception not in _REFUSED for exception in how):
            continue
        slept = [
            _Pause(
                ("thread", table.who[row]),
                table.start_ns[row],
                table.end_ns[row],
                table.slice[row],
            )
            for row in facts.rows_of((SLEEP,), MS)
            if facts.call(table.row[row])[1] == site
        ]
        waited = [
            _Pause(wait.who, wait.start_ns, wait.end_ns, wait.slice)
            for wait in waits.all
            if wait.failed and own_frames(wait.stack)[:1] == [site]
        ]
        pauses = [one for one in (*slept, *waited) if _is_between(facts, rows, one)]
        if sum(one.ns for one in pauses) >= _PAUSED_NS:
            waits.told.update(one.slice for one in pauses)
            yield _refused(facts, site, pauses)


def _is_between(facts: Facts, rows: list[int], pause: _Pause) -> bool:
    """Whether a thread had connected before, and did so afterwards."""
    table = facts.model.states
    own = [row for row in rows if ("thread", table.who[row]) == pause.who]
    before = any(table.end_ns[row] <= pause.start_ns for row in own)
    return before and any(table.start_ns[row] >= pause.end_ns for row in own)


def _refused(facts: Facts, site: str, pauses: list[_Pause]) -> Finding:
    worst, lost = max(pauses, key=lambda one: one.ns), sum(one.ns for one in pauses)
    text = (
        f"Retries: {users(facts.model, (one.who for one in pauses))}{place_in(site)} paused "
        f"between connects that were all refused: {plural(len(pauses), 'pause')}, "
        f"{in_total(facts, lost, worst.ns, worst.start_ns)}. The library tries again, and its "
        f"caller waits."
    )
    evidence = facts.evidence(worst.who, worst.start_ns, worst.ns, site)
    return Finding("retries", lost, text, evidence, _REFUSES, about=about(site))


def _rows(facts: Facts, least_ns: int) -> list[int]:
    """The connects of threads that run no loop."""
    model, table, engine = facts.model, facts.model.states, facts.model.trace.engine
    known = having(model, table.call_name, lambda name: name.endswith(_CONNECT), _CONNECT)
    begun = keys(model, begins_call, table.row, numbers(n - 1 for n in known))
    return [
        row
        for row in engine.pick(facts.rows_of((IO,), 0), begun, memoryview(b"\1"))
        if table.busy_end_ns[row] - table.start_ns[row] >= least_ns
        and table.who[row] not in facts.ledger.lane_of_thread
    ][:_MOST]


def _connects(facts: Facts) -> Iterator[tuple[str, _Connect]]:
    model, table, engine = facts.model, facts.model.states, facts.model.trace.engine
    rows = _rows(facts, _LONG_NS)
    if len(rows) < _FEWEST:
        return
    of = {table.who[row] for row in rows}
    is_its = memoryview(bytes(n in of for n in range(len(model.threads))))
    calls = defaultdict[int, list[int]](list)
    for row in engine.pick(facts.rows_of((IO, SLEEP), 0), table.who, is_its):
        calls[table.who[row]].append(row)
    for row in rows:
        who, start, end = table.who[row], table.start_ns[row], table.busy_end_ns[row]
        own = calls[who]
        at = bisect_left(own, end, key=table.start_ns.__getitem__)
        then = facts.call(table.row[own[at]])[0] if at < len(own) else ""
        event = model.trace.slices.end_event[table.slice[own[at - 1]]]
        is_own = event >= 0 and bool(model.trace.args(event).get(s.ARG_OWN_PEER))
        yield facts.call(table.row[row])[1], _Connect(who, start, end - start, then, is_own)


def _in_vain(facts: Facts, site: str, found: list[_Connect], every: list[_Connect]) -> Finding:
    """Nobody answered until the caller's time-out."""
    elsewhere = sum(one.then in _CONNECT for one in found)
    usual = sorted(one.ns for one in found)[len(found) // 2]
    then, step = ("tried again", _NOBODY)
    if elsewhere * 2 >= len(found) and len(found) == len(every):
        then, step = ("then connected elsewhere at once", _DOWN)
    text = (
        f"Waited in vain: {_who(facts, found)}{place_in(site)} waited in `connect` for a "
        f"server that did not answer, gave up, and {then}: {plural(len(found), 'time')}, "
        f"mostly for {duration(usual)}, {_total(facts, found)}. {step}"
    )
    return _finding(facts, "wait in vain", site, found, text)


def _in_queue(facts: Facts, site: str, found: list[_Connect]) -> Finding:
    """The kernel of the listener let nobody in."""
    own = any(one.is_own for one in found)
    whose = "a socket of this very process" if own else "a server"
    why = "its queue of connections was full" + ("" if own else ", or packets were lost")
    text = (
        f"Slow answer: {_who(facts, found)}{place_in(site)} waited to connect to {whose} "
        f"until the kernel tried again ({' or '.join(_times(found))}): "
        f"{plural(len(found), 'connection')}, {_total(facts, found)}; {why}. {_QUEUE}"
    )
    return _finding(facts, "slow answer", site, found, text)


def _times(found: list[_Connect]) -> list[str]:
    after = sorted({one.again_ns for one in found})
    return [f"after {again // (1_000 * MS)} s" for again in after]


def _who(facts: Facts, found: list[_Connect]) -> str:
    return users(facts.model, (("thread", one.thread) for one in found))


def _total(facts: Facts, found: list[_Connect]) -> str:
    worst = max(found, key=lambda one: one.ns)
    return in_total(facts, sum(one.ns for one in found), worst.ns, worst.start_ns)


def _finding(facts: Facts, kind: str, site: str, found: list[_Connect], text: str) -> Finding:
    worst = max(found, key=lambda one: one.ns)
    evidence = facts.evidence(("thread", worst.thread), worst.start_ns, worst.ns, site)
    return Finding(kind, sum(one.ns for one in found), text, evidence, about=about(site))
