"""Threads that handle messages from outside in turn, and have no time to take more of them."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from tracer.units import duration
from viewer.analysis.findings.basis.doing import mostly
from viewer.analysis.findings.basis.facts import BLOCKED, Facts, Finding
from viewer.analysis.findings.basis.inside import called_by, known_in
from viewer.analysis.findings.basis.words import at
from viewer.analysis.ledger.circles import Who
from viewer.analysis.ledger.resource import covers, within
from viewer.analysis.states import mentioned, stack_of
from viewer.trace.sites import place_of
from viewer.words import code

_MS = 1_000_000
# For a second it never waited for a message, and was blocked for four fifths of that by what
# it did for those it had: several of them, since none of these waits is longer than a third.
_FULL_NS = 1_000 * _MS
_PART = 3
_WAITS = 4
# Where the program's own loop handles them, one message may be what several waits are for.
_OWN_WAITS = 8
_TELLING_NS = _MS


class _Consumer(NamedTuple):
    """`takes`: the functions in which it waits for messages, or calls who handles them."""

    name: str
    file: str
    takes: frozenset[str]


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
        found = _finding(facts, thread, consumer, sorted(idle[thread]), sorted(busy[thread]))
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


def _finding(
    facts: Facts, thread: int, consumer: _Consumer, idle: list[_Part], busy: list[_Part]
) -> Finding | None:
    start, end = _longest_between(idle, busy)
    parts = [one for one in busy if start <= one.start_ns < end]
    times = [(one.start_ns, one.end_ns) for one in parts]
    longest = max((b - a for a, b in times), default=0)
    if end - start < _FULL_NS or longest * _PART > end - start:
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
        f"Slow consumer: {code(facts.model.thread_names[thread])} handles the messages of "
        f"{consumer.name} one after the other, and had no time for more for "
        f"{duration(end - start)} ({at(facts, start)}): it was busy with "
        f"{code(place_of(job).function, job)}{f', {did.text}' if did.text else ''}. What came "
        f"meanwhile had to wait. Hand what is slow to other threads, so that it takes the "
        f"next message at once."
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
    best, begun = (since, since), since
    for one in idle:
        if one.start_ns - begun > best[1] - best[0]:
            best = begun, one.start_ns
        begun = max(begun, one.end_ns)
    return max(best, (begun, until), key=lambda time: time[1] - time[0])
