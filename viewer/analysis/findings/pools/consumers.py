"""Consumers that are slower than who puts into a queue, writes to a pipe or publishes."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from tracer.units import MS, duration, plural
from viewer.analysis.findings.basis.doing import mostly
from viewer.analysis.findings.basis.facts import BLOCKED, LOST_NS, Evidence, Facts, Finding
from viewer.analysis.findings.basis.inside import called_by, known_in
from viewer.analysis.findings.basis.waits import LongWaits, place_in, users
from viewer.analysis.findings.basis.words import at, in_total, processes
from viewer.analysis.ledger.circles import Who
from viewer.analysis.ledger.resource import covers, longest_gap, within
from viewer.analysis.processes.family import Family
from viewer.analysis.resources.processqueues import waits_for_room, who_goes_on_before
from viewer.analysis.resources.waits import PUTS, Wait
from viewer.analysis.states import mentioned, stack_of
from viewer.trace.sites import place_of
from viewer.words import code

# A bounded queue is there to slow its producers down. So this is advice, and only where at
# least four wait for each one that makes room, half a second in all: requests, not a pipeline.
# Of processes, three or more must wait for half of the time.
_EACH, _PROCESSES = 4, 3
_PART = 2
# Each sender has its own clone of what it sends into: who receives tells what is one channel.
_CLONED = ("MemoryObjectStream.send", "MemoryChannel.send")


class _Full(NamedTuple):
    """Who waited for room, in what and how often, up to the time lost; who empties the queue,
    in words; and since when to when."""

    asking: str
    waits: str
    empties: str
    takers: set[Who]
    since_ns: int
    until_ns: int
    processes: int = 1


def slow_consumer(facts: Facts) -> Iterator[Finding]:
    """Many wait for room in a queue that one thread or task empties."""
    waits = LongWaits.of(facts)
    by_queue: dict[tuple[int, Who | None], list[Wait]] = defaultdict(list)
    for wait in waits.all:
        if wait.name in PUTS and wait.lock >= 0 and wait.slice not in waits.told:
            is_cloned = wait.name in _CLONED
            by_queue[(-1, wait.ender) if is_cloned else (wait.lock, None)].append(wait)
    for found in by_queue.values():
        lost = sum(wait.ns for wait in found)
        enders = Counter(wait.ender for wait in found if wait.ender is not None)
        waiters = {wait.who for wait in found}
        if lost < LOST_NS or not enders or any(wait.failed for wait in found):
            continue
        if len(waiters) < len(enders) * _EACH or waiters & enders.keys():
            continue
        worst = max(found, key=lambda wait: wait.ns)
        full = _Full(
            f"{users(facts.model, waiters)}{place_in(worst.site)} waited for room in a queue",
            f"{plural(len(found), 'wait')} in `{worst.name}`",
            f"Only {users(facts.model, enders)} empties it",
            {*enders},
            found[0].start_ns,
            max(wait.end_ns for wait in found),
        )
        yield _finding(facts, full, lost, waits.evidence(worst))


def slow_reader(facts: Facts) -> Iterator[Finding]:
    """Several processes wait for room in a queue that one thread of another one empties."""
    model, table = facts.model, facts.model.states
    for site, rows in waits_for_room(facts).items():
        of = {model.thread_process[table.who[row]] for row in rows}
        lost = facts.total_ns(rows)
        since = min(table.start_ns[row] for row in rows)
        until = max(table.end_ns[row] for row in rows)
        is_much = lost >= LOST_NS and lost * _PART >= (until - since) * len(of)
        if len(of) < _PROCESSES or not is_much:
            continue
        own = {n for n, process in enumerate(model.thread_process) if process in of}
        reader = who_goes_on_before(facts, rows, own.__contains__)
        if reader < 0:
            continue
        LongWaits.of(facts).told.update(table.slice[row] for row in rows)
        worst = facts.longest(rows)
        taker: Who = ("thread", reader)
        whose = code(Family.of(model).name(model.thread_process[reader]))
        full = _Full(
            f"{processes(facts, of)} waited for room in a queue between processes"
            f"{place_in(site)}",
            f"{plural(len(rows), 'wait')} in `Queue.put`",
            f"{users(model, [taker])} of {whose} goes on just before each ends, so most "
            f"likely it empties the queue",
            {taker},
            since,
            until,
            len(of),
        )
        yield _finding(facts, full, lost, facts.evidence_of(worst))


def _finding(facts: Facts, full: _Full, lost: int, evidence: Evidence) -> Finding:
    did = mostly(facts, [(who, full.since_ns, full.until_ns) for who in full.takers])
    total = in_total(facts, lost, evidence.duration_ns, evidence.start_ns)
    text = (
        f"Slow consumer: {full.asking}: {full.waits}, {total}. {full.empties}"
        f"{f', {did.text}' if did.text else ''}. If they should not wait, take several items "
        f"at once, use more consumers, or drop what has no room."
    )
    return Finding(
        "slow consumer", lost, text, evidence, behind=did.behind, processes=full.processes
    )


# For a second it never waited for a message, and was blocked for four fifths of that by what
# it did for those it had: several of them, since none of these waits is longer than a third.
_FULL_NS = 1_000 * MS
_LONGEST_PART = 3
_WAITS = 4
# Where the program's own loop handles them, one message may be what several waits are for.
_OWN_WAITS = 8
_TELLING_NS = MS


class _Consumer(NamedTuple):
    """`takes`: the functions in which it waits for messages, or calls who handles them."""

    name: str
    file: str
    takes: frozenset[str]
    what: str = "message"


_CONSUMERS = (
    _Consumer("redis's pubsub", "/redis/client.py:",
              frozenset(("PubSub.get_message", "PubSub.listen"))),
    _Consumer("paho's client", "/paho/mqtt/client.py:",
              frozenset(("Client.loop_forever", "Client.loop", "Client._loop"))),
    _Consumer("kafka's consumer", "/kafka/consumer/group.py:",
              frozenset(("KafkaConsumer.poll", "KafkaConsumer.__next__"))),
    _Consumer("pika's channel", "/pika/adapters/blocking_connection.py:",
              frozenset(("BlockingChannel.start_consuming", "BlockingChannel.consume",
                         "BlockingConnection.process_data_events"))),
    _Consumer("kombu's consumer", "/kombu/mixins.py:",
              frozenset(("ConsumerMixin.run", "ConsumerMixin.consume"))),
    _Consumer("watchdog's observer", "/watchdog/observers/api.py:",
              frozenset(("BaseObserver.dispatch_events", "EventDispatcher.run")), "event"),
)  # fmt: skip


_KNOWN = tuple((one.file, one.takes, one) for one in _CONSUMERS)


class _Stack(NamedTuple):
    """`handler`: the user's function that the library called, "" where it waits itself."""

    consumer: _Consumer
    handler: str


class _Part(NamedTuple):
    start_ns: int
    end_ns: int
    site: str
    is_called: bool = False  # by the library, not by the program's own loop


def no_time_for_messages(facts: Facts) -> Iterator[Finding]:
    """Whoever takes messages is busy with those it has, one after the other."""
    if not mentioned(facts.model, *(consumer.file for consumer in _CONSUMERS)):
        return
    table = facts.model.states
    idle, busy = defaultdict[int, list[_Part]](list), defaultdict[int, list[_Part]](list)
    of = dict[int, _Consumer]()
    for row in facts.rows_of(BLOCKED, _TELLING_NS):
        thread, stack = table.who[row], stack_of(facts.model, row)
        times, known = (table.start_ns[row], table.end_ns[row]), _of(stack)
        if known is not None:
            of[thread] = known.consumer
        if known is not None and not known.handler:
            idle[thread].append(_Part(*times, ""))
        else:
            site = known.handler if known else _own(stack)
            busy[thread].append(_Part(*times, site, known is not None))
    for thread, consumer in of.items():
        found = _no_time(facts, thread, consumer, sorted(idle[thread]), sorted(busy[thread]))
        if found is not None:
            yield found


@lru_cache(maxsize=4096)
def _of(stack: str) -> _Stack | None:
    frames = stack.split("\n")
    found = known_in(frames, _KNOWN)
    return _Stack(found[1], called_by(frames, found[0])) if found is not None else None


@lru_cache(maxsize=4096)
def _own(stack: str) -> str:
    frames = stack.split("\n")[::-1]
    return called_by(frames, len(frames))


def _no_time(
    facts: Facts, thread: int, consumer: _Consumer, idle: list[_Part], busy: list[_Part]
) -> Finding | None:
    start, end = _longest_between(idle, busy)
    parts = [one for one in busy if start <= one.start_ns < end]
    times = [(one.start_ns, one.end_ns) for one in parts]
    longest = max((b - a for a, b in times), default=0)
    if end - start < _FULL_NS or longest * _LONGEST_PART > end - start:
        return None
    if not covers(within(times, start, end), end - start):
        return None
    is_called = sum(one.is_called for one in parts) * 2 > len(parts)
    sites = Counter(one.site for one in parts if one.is_called == is_called)
    if max(sites.values()) < (_WAITS if is_called else _OWN_WAITS):
        return None
    ns = Counter[str]()
    for one in parts:
        ns[one.site] += one.end_ns - one.start_ns
    job = max(ns, key=lambda site: (ns[site], site))
    who: Who = ("thread", thread)
    did = mostly(facts, [(who, start, end)])
    text = (
        f"Slow consumer: {code(facts.model.thread_names[thread])} handles the "
        f"{consumer.what}s of {consumer.name} one after the other, and had no time for more "
        f"for {duration(end - start)} ({at(facts, start)}): it was busy with "
        f"{code(place_of(job).function, job)}{f', {did.text}' if did.text else ''}. What came "
        f"meanwhile had to wait. Hand what is slow to other threads, so that it takes the "
        f"next {consumer.what} at once."
    )
    evidence = facts.evidence(who, start, end - start, job)
    return Finding("slow consumer", end - start, text, evidence, behind=did.behind)


def _longest_between(idle: list[_Part], busy: list[_Part]) -> tuple[int, int]:
    """The longest time in which a thread that handled messages did not wait for any. What its
    own loop does before the first of these waits, and after the last, is something else."""
    called = [one for one in busy if one.is_called]
    known = [*idle, *called]
    since = min((one.start_ns for one in known), default=0)
    until = max((one.end_ns for one in known), default=0)
    return longest_gap(((one.start_ns, one.end_ns) for one in idle), since, until)
