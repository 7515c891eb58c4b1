"""Threads that ask again and again, with tiny sleeps or time-outs, or by connecting."""

from collections import Counter, defaultdict
from collections.abc import Container, Iterator, Sequence
from typing import NamedTuple

from tracer.units import MS, duration
from viewer.analysis.findings.basis.facts import COMPUTING, Facts, Finding
from viewer.analysis.findings.basis.repeated import are_jobs, calls_by_thread
from viewer.analysis.findings.basis.waits import gave_up, inside, place_in, users
from viewer.analysis.findings.basis.words import at
from viewer.analysis.findings.pools.backlog import takes_items
from viewer.analysis.ledger.circles import Who
from viewer.analysis.ledger.resource import window
from viewer.analysis.states import marks, mentioned, stack_of
from viewer.trace.columns import (
    AWAIT,
    FAILED,
    IDLE_WAIT,
    IO,
    LOCK_WAIT,
    SLEEP,
    STATE_MASK,
    Column,
)
from viewer.trace.sites import innermost, is_library
from viewer.words import code, stem

# Asking every 2 ms means asking five hundred times a second, as with tasks. The pauses must be
# most of the time from the first to the last.
_POLLS = 500
_POLL_NS = 2 * MS
# Looking takes next to nothing; who does something each time paces its work.
_LOOK_NS = 200_000
# Connections that are made and never used: a hundred of those that took 20 us or more.
_CONNECTS = 100
_CONNECTING = " BaseSelectorEventLoop.sock_connect"
_MOST_AWAITS = 20_000  # or waits that timed out
_UNUSED = 10
_EACH_NS = 40 * MS
_READY = ("recv", "recv_into", "recvfrom", ".poll", ".select", "epoll.poll", "poll.poll")
_LOOKED = 50  # of a line
_USES = (".recv", ".recv_into", ".send", ".sendall", "recvfrom", "sendto")


def spinning_threads(facts: Facts) -> Iterator[Finding]:
    """Threads that poll with tiny sleeps or time-outs, or by connecting."""
    tasks = [*_connecting_tasks(facts)]
    yield from tasks
    connecting = dict(_unused_connections(facts))
    for thread, finding in connecting.items():
        if not tasks or thread not in facts.ledger.lane_of_thread:  # else it is the tasks'
            yield finding
    yield from _tiny_sleeps(facts, connecting)
    yield from _tiny_time_outs(facts)
    yield from _tiny_waits_in_calls(facts)


def polling(
    facts: Facts, thread: int, site: str, start_ns: int, end_ns: int, cost: int, how: str,
    verb: str = "polls",
) -> Finding:  # fmt: skip
    """A thread polls at a line; `how` says how."""
    model = facts.model
    name = model.thread_names[thread]
    evidence = facts.evidence(("thread", thread), start_ns, end_ns - start_ns, site)
    about = frozenset((inside(name, site),))
    text = f"{code(name)} {verb}{place_in(site)}: {how}"
    return Finding("busy loop", cost, text, evidence, about=about)


def _tiny_sleeps(facts: Facts, told: Container[int]) -> Iterator[Finding]:
    table, names = facts.model.states, facts.model.thread_names
    alike: dict[tuple[str, str], list[tuple[int, Column]]] = defaultdict(list)
    take = facts.model.trace.engine.take
    for (thread, call), rows in calls_by_thread(facts, SLEEP, _POLLS, ("",), _POLL_NS).items():
        if len(rows) < _POLLS or thread in told:
            continue
        slept = sum(take(table.end_ns, rows, 0)) - sum(take(table.start_ns, rows, 0))
        start, end = table.start_ns[rows[0]], table.end_ns[rows[-1]]
        if slept > len(rows) * _POLL_NS or slept * 2 < end - start:
            continue
        if _worked_ns(facts, thread, start, end) > len(rows) * _LOOK_NS:
            continue
        if _wakes(facts)[thread] * 2 >= len(rows):
            continue  # what it wakes others for is its work
        if _are_jobs(facts, thread, rows):
            continue
        alike[stem(names[thread]), facts.call(call)[1]].append((thread, rows))
    for (_, site), pollers in alike.items():
        thread, rows = max(pollers, key=lambda one: len(one[1]))
        start, end = table.start_ns[rows[0]], table.end_ns[rows[-1]]
        slept = facts.total_ns(rows)
        others: set[Who] = {("thread", one) for one, _ in pollers}
        who = f", as do {users(facts.model, others)} in all" if len(others) > 1 else ""
        how = (
            f"it sleeps {len(rows):,} times, {duration(slept // len(rows))} on average, for "
            f"{duration(end - start)} ({at(facts, start)}){who}. Wait for what it asks for "
            f"(an event, a condition, a queue), or sleep longer each time."
        )
        yield polling(facts, thread, site, start, end, end - start - slept, how)


def _are_jobs(facts: Facts, thread: int, rows: Sequence[int]) -> bool:
    """Whether these waits are of a job or an item each, by the first one's stack."""
    stack = stack_of(facts.model, rows[0])
    own = facts.jobs.of_thread.get(thread, ())
    return are_jobs(own, stack, len(rows)) or takes_items(facts, stack)


class _Wakes(Counter[int]):
    """By thread how often it ended a wait of others."""


def _wakes(facts: Facts) -> Counter[int]:
    waker, waits = facts.model.states.waker, facts.rows_of((IDLE_WAIT,), 0)
    return facts.model.derive(_Wakes, lambda: _Wakes(map(waker.__getitem__, waits)))


def _worked_ns(facts: Facts, thread: int, start: int, end: int) -> int:
    """What the thread did itself in this time, besides its sleeps."""
    split = facts.split(thread, window(start, end))
    return split.of((*COMPUTING, IO))


def _tiny_time_outs(facts: Facts) -> Iterator[Finding]:
    """Threads that wait for an item, an event or a lock, and give up at once each time."""
    model, table = facts.model, facts.model.states
    failed = marks(
        model,
        lambda state: int(state & STATE_MASK in (IDLE_WAIT, LOCK_WAIT) and state & FAILED > 0),
    )
    found = model.trace.engine.longer(table.start_ns, table.end_ns, failed, 0)
    if len(found) < _POLLS:
        return
    by_place = defaultdict[tuple[int, str, str], list[int]](list)
    for row in found[:_MOST_AWAITS]:
        if facts.row_ns(row) <= _POLL_NS * 2:
            by_place[table.who[row], *facts.wait(row)].append(row)
    for (thread, name, site), rows in by_place.items():
        waited = facts.total_ns(rows)
        start, end = table.start_ns[rows[0]], table.end_ns[rows[-1]]
        is_tiny = len(rows) >= _POLLS and waited <= len(rows) * _POLL_NS
        if is_library(site) or not is_tiny or waited * 2 < end - start:
            continue
        if _are_jobs(facts, thread, rows):
            continue
        more = "more than " if len(found) > _MOST_AWAITS else ""
        how = (
            f"`{name}` runs into its time-out {more}{len(rows):,} times, after "
            f"{duration(waited // len(rows))} on average, for {duration(end - start)} "
            f"({at(facts, start)}). Wait without a time-out and put a last item to end it, or "
            f"take a longer one."
        )
        yield polling(facts, thread, site, start, end, end - start, how)


def _tiny_waits_in_calls(facts: Facts) -> Iterator[Finding]:
    """The same of threads that wait for a socket or the like."""
    names = facts.model.thread_names
    alike = defaultdict[tuple[str, str, str], list[_Asked]](list)
    for (thread, call), rows in calls_by_thread(facts, IO, _POLLS, _READY, _POLL_NS).items():
        looked = rows[:: len(rows) // _LOOKED + 1]
        in_vain = sum(gave_up(facts, row) for row in looked)
        if thread in facts.ledger.lane_of_thread or in_vain * 10 < len(looked) * 9:
            continue
        one = _Asked(thread, rows, facts.total_ns(rows))
        site = _own_site(facts, one)
        if site and one.ns * 2 >= one.until_ns(facts) - one.since_ns(facts):
            alike[stem(names[thread]), facts.call(call)[0], site].append(one)
    for (_, name, site), every in alike.items():
        most = max(every, key=lambda one: len(one.rows))
        start, end = most.since_ns(facts), most.until_ns(facts)
        whos: set[Who] = {("thread", one.thread) for one in every}
        who = f", as do {users(facts.model, whos)} in all" if len(whos) > 1 else ""
        how = (
            f"`{name}` runs into its time-out {len(most.rows):,} times, after "
            f"{duration(most.ns // len(most.rows))} on average, for {duration(end - start)} "
            f"({at(facts, start)}){who}. Wait without a time-out, or take a longer one: it "
            f"returns at once when something comes."
        )
        cost = sum(one.until_ns(facts) - one.since_ns(facts) - one.ns for one in every)
        yield polling(facts, most.thread, site, start, end, cost, how)


class _Asked(NamedTuple):
    """Calls of a thread that wait for a moment each, `ns` in all."""

    thread: int
    rows: Column
    ns: int

    def since_ns(self, facts: Facts) -> int:
        return facts.model.states.start_ns[self.rows[0]]

    def until_ns(self, facts: Facts) -> int:
        return facts.model.states.end_ns[self.rows[-1]]


def _own_site(facts: Facts, asked: _Asked) -> str:
    """The line of the program: that of the calls, or where it started a library's thread."""
    stack = stack_of(facts.model, asked.rows[0])
    if found := innermost(stack.split("\n")):
        return found
    started = facts.started_at(asked.thread)
    return "" if is_library(started) else started


def _unused_connections(facts: Facts) -> Iterator[tuple[int, Finding]]:
    """Threads that connect again and again, and never send or get anything."""
    table = facts.model.states
    connects = calls_by_thread(facts, IO, _CONNECTS, (".connect", "connect_ex"))
    if not connects:
        return
    used = Counter[int]()
    for (thread, _), rows in calls_by_thread(facts, IO, 1, _USES).items():
        used[thread] += len(rows)
    for (thread, call), rows in connects.items():
        start, end = table.start_ns[rows[0]], table.end_ns[rows[-1]]
        is_often = len(rows) >= _CONNECTS and end - start <= len(rows) * _EACH_NS
        # What a loop's thread sends takes too short a time to be in the trace.
        has_loop = thread in facts.ledger.thread_of_loop
        if used[thread] * _UNUSED > len(rows) or not is_often or has_loop:
            continue
        how = (
            f"it connects again and again, more than {len(rows):,} times in "
            f"{duration(end - start)} ({at(facts, start)}), and never sends anything. Wait "
            f"between two attempts, longer each time."
        )
        site = facts.call(call)[1]
        yield thread, polling(facts, thread, site, start, end, end - start, how)


def _connecting_tasks(facts: Facts) -> Iterator[Finding]:
    """Tasks that await nothing but connections, one after the other, for no use: whoever is
    connected awaits its transport, an answer, or its next attempt."""
    model, slices = facts.model, facts.model.trace.slices
    if not mentioned(facts.model, _CONNECTING):
        return
    found, others = defaultdict[int, list[int]](list), Counter[int]()
    awaits = model.trace.engine.longer(
        slices.start_ns, slices.end_ns, facts.kinds((AWAIT,)), 0
    )
    for i in awaits[:_MOST_AWAITS]:
        if model.owners.owner[i] < 0:
            continue
        group = model.owners.task_group[model.owners.owner[i]]
        stack = facts.stack(i)
        if _CONNECTING in stack.partition("\n")[0]:
            found[group].append(i)
        else:
            others[group] += 1
    for group, rows in found.items():
        start, end = slices.start_ns[rows[0]], slices.end_ns[rows[-1]]
        is_often = len(rows) >= _CONNECTS and end - start <= len(rows) * _EACH_NS
        if others[group] * _UNUSED > len(rows) or not is_often:
            continue
        task, site = model.owners.owner[rows[0]], facts.awaited(rows[0])[1]
        text = (
            f"{code(*model.coroutine(group))} polls{place_in(site)}: it connects again and "
            f"again, {len(rows):,} times in {duration(end - start)} ({at(facts, start)}), and "
            f"awaits nothing else. Wait between two attempts, longer each time."
        )
        evidence = facts.evidence(("task", task), start, end - start, site)
        yield Finding("busy loop", end - start, text, evidence)
