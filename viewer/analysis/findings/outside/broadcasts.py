"""What is sent to clients that do not read: one of several, or written on without a wait."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import takewhile
from typing import NamedTuple

from tracer import schema as s
from tracer.units import MS, duration, plural, size
from viewer.analysis.findings.basis.facts import LOST_NS, Evidence, Facts, Finding
from viewer.analysis.findings.basis.waits import LongWaits, name_of, place_in, users
from viewer.analysis.findings.basis.words import at, in_total
from viewer.analysis.findings.interpreter.growth import Counts, counts_of
from viewer.analysis.ledger.circles import Who
from viewer.analysis.ledger.resource import covers
from viewer.analysis.resources.connections import DRAIN, SEND, Sending, is_for_room, sending
from viewer.analysis.resources.waits import longest_slices
from viewer.analysis.states import mentioned
from viewer.analysis.waited import For, waited_for
from viewer.trace.columns import AWAIT
from viewer.trace.sites import is_library, place_of
from viewer.words import code

# At one line a task waits for room in several connections, half a second for one of them, and
# three times as long as for each other one: at once for half of that, or between waits for
# others. Whoever writes to one connection alone has nothing else to do, several that are
# equally slow are a slow network, and who sends a long file to one and then to the next one
# waits for each as long as that takes.
_TIMES = 3
_LEAST_NS = MS
# Or the others always have room. Then it waits half a second at once: a slow network makes
# room sooner. Three connections or more are there meanwhile, each with a task of its own,
# which waits for what its client says, or for its end; who sends is none of these, and no
# other task of its function sends there.
_CLIENTS = 3
_CLOSED = ".wait_closed"  # of a library
_MOST = 2_000
_STEP = (
    "Whoever comes after it gets nothing meanwhile. Write to each in a task of its own (with "
    "a queue for each), give that a time-out, and drop a client that does not read."
)


def slow_reader_of_several(facts: Facts) -> Iterator[Finding]:
    """Of all to whom a task writes, one does not read."""
    if not mentioned(facts.model, DRAIN, SEND.removeprefix(s.AWAIT_PREFIX)):
        return
    groups, left = facts.model.owners.task_group, list[Sending]()
    for one in sending(facts, _LEAST_NS):
        found = _of_one_in_turn(facts, one)
        if found is None:
            left.append(one)
        else:
            yield found
    at_line = Counter((groups[one.task], one.site) for one in left)
    for one in left:
        found = _of_the_only_sender(facts, one)
        if found is not None and at_line[groups[one.task], one.site] == 1:
            yield found


def _of_one_in_turn(facts: Facts, one: Sending) -> Finding | None:
    ns = Counter({which: facts.slices_ns(own) for which, own in one.awaits.items()})
    if len(ns) < 2 or -1 in ns:
        return None
    (slowest, lost), (_, second), *_ = ns.most_common()
    own = one.awaits[slowest]
    others = [i for which, each in one.awaits.items() if which != slowest for i in each]
    is_in_turn = any(min(own) < i < max(own) for i in others)
    is_at_once = max(map(facts.slice_ns, own)) * 2 >= lost
    if lost < max(LOST_NS, second * _TIMES) or not (is_in_turn or is_at_once):
        return None
    whose = (
        f"one of {len(ns)} connections to which it writes in turn had room; the others took "
        f"{duration(ns.total() - lost)} in all"
    )
    return _finding(facts, one, own, whose)


def _of_the_only_sender(facts: Facts, one: Sending) -> Finding | None:
    slices, owned, waits = facts.model.trace.slices, facts.model.owners, LongWaits.of(facts)
    own = [i for each in one.awaits.values() for i in each if facts.slice_ns(i) >= LOST_NS]
    if not own:
        return None
    worst, group = facts.longest_slice(own), owned.task_group[one.task]
    start, end = slices.start_ns[worst], slices.end_ns[worst]
    serving: set[Who] = {
        ("task", task)
        for i in longest_slices(facts, (AWAIT,), LOST_NS, _MOST)
        if (task := owned.owner[i]) >= 0
        and owned.task_parent[task] < 0
        and owned.task_group[task] != group
        and owned.task_process[task] == waits.process(("task", one.task))
        and covers(min(slices.end_ns[i], end) - max(slices.start_ns[i], start), end - start)
        and _is_for_client(facts, i)
    }
    if len(serving) < _CLIENTS or len({owned.task_group[task] for _, task in serving}) > 1:
        return None
    whose = (
        f"a client that does not read had room; no other task sends there, and "
        f"{users(facts.model, serving)} have connections"
    )
    return _finding(facts, one, own, whose)


def _is_for_client(facts: Facts, i: int) -> bool:
    if is_for_room(facts, i):
        return False
    frames = takewhile(is_library, facts.stack(i).split("\n"))
    is_for_end = any(frame.endswith(_CLOSED) for frame in frames)
    return is_for_end or waited_for(facts.what(i)) in (For.CALLERS, For.OUTSIDE)


def _finding(facts: Facts, one: Sending, awaits: list[int], whose: str) -> Finding:
    worst, lost = facts.longest_slice(awaits), facts.slices_ns(awaits)
    start, ns = facts.model.trace.slices.start_ns[worst], facts.slice_ns(worst)
    who: Who = ("task", one.task)
    text = (
        f"Slow client: {code(name_of(facts.model, who))}{place_in(one.site)} waited in "
        f"`{_called(facts, worst)}` for {in_total(facts, lost, ns, start)}, until {whose}."
    )
    return Finding("slow client", lost, text, facts.evidence_of_await(worst), _STEP)


def _called(facts: Facts, i: int) -> str:
    """`drain`: what the program called."""
    called = "send" if facts.awaited(i)[0].startswith(SEND) else "drain"
    for frame in facts.stack(i).split("\n"):
        if not is_library(frame):
            break
        called = place_of(frame).function.rpartition(".")[2]
    return called


# A megabyte, sixteen times what asyncio lets a transport keep, for half a second, and written
# on for half of that: a burst that the network takes a while for is written at once. Where
# others wait for room meanwhile, for half of the time in all, each of many may write once.
_MANY = 1_000_000
_AFTER_NS = 100 * MS  # the recorder tells of it only when it has lasted so long
_WAIT_TOO = (
    "Await `drain()` (or what the library has for it) after each write, give that a time-out, "
    "and drop a client that does not read, or leave out what is out of date."
)


class _Full(NamedTuple):
    """A transport that is written on to though it is full."""

    since_ns: int
    last_ns: int  # the last write that is known
    until_ns: int
    bytes: int

    @property
    def ns(self) -> int:
        return self.until_ns - self.since_ns

    def is_long(self) -> bool:
        written = self.last_ns - self.since_ns
        return self.bytes >= _MANY and self.ns >= LOST_NS and written * 2 >= self.ns


def written_without_room(facts: Facts) -> Iterator[Finding]:
    """A line goes on writing to a client that does not read, and waits for no room."""
    trace, tracks = facts.model.trace, dict[int, tuple[int, str, str]]()
    for n in trace.tracks.below(s.TRACK_QUEUES):
        name = trace.tracks[trace.events.uuids[n]].name
        if name.startswith(s.UNSENT_PREFIX):
            number, _, site = name.removeprefix(s.UNSENT_PREFIX).partition(" ")
            tracks[n] = trace.track_process[n], site, number
    by_line = defaultdict[tuple[int, str], list[_Full]](list)
    for (process, site, _), counts in counts_of(facts, tracks).items():
        by_line[process, site] += [
            one
            for one in _full(counts)
            if one.is_long() and not _is_waited_for(facts, process, one)
        ]
    for (process, site), every in by_line.items():
        if every:
            yield _written(facts, facts.model.pid(process), site, every)


def _full(counts: Counts) -> Iterator[_Full]:
    """Each time until it was all sent; or else until the last that is known."""
    own: Counts = []
    for at_ns, count in [*counts, (-1, 0)]:
        if count:
            own.append((at_ns, count))
        elif own:
            since, last = own[0][0] - _AFTER_NS, own[-1][0]
            yield _Full(since, last, max(last, at_ns), max(count for _, count in own))
            own = []


def _is_waited_for(facts: Facts, process: int, one: _Full) -> bool:
    slices, owned, met = facts.model.trace.slices, facts.model.owners, 0
    for i in longest_slices(facts, (AWAIT,), _LEAST_NS, _MOST):
        start, end = max(slices.start_ns[i], one.since_ns), min(slices.end_ns[i], one.until_ns)
        if end > start and owned.owner[i] >= 0 and is_for_room(facts, i):
            met += end - start if owned.task_process[owned.owner[i]] == process else 0
    return met * 2 >= one.ns


def _written(facts: Facts, pid: int, site: str, every: list[_Full]) -> Finding:
    most, lost = max(every, key=lambda one: one.bytes), sum(one.ns for one in every)
    times = f" ({plural(len(every), 'time')})" if len(every) > 1 else ""
    text = (
        f"Slow client: {code(place_of(site).function, site)} wrote on to a connection that "
        f"had no room, and nobody waited in `drain`: for {duration(lost)}{times} more was "
        f"written than the other side read, and up to {size(most.bytes)} "
        f"({at(facts, most.last_ns)}) were kept in memory, from where they come late."
    )
    evidence = Evidence(most.since_ns, most.ns, "", site=site, pid=pid)
    return Finding("slow client", lost, text, evidence, _WAIT_TOO)
