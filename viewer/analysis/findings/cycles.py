"""Deadlocks: threads or tasks that wait for each other's locks in a circle."""

from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from tracer.units import duration
from viewer.analysis.findings.facts import Evidence, Facts, Finding
from viewer.analysis.findings.words import at
from viewer.trace.columns import FAILED, HOLD, LOCK_WAIT, STATE_MASK, TASK_WAIT
from viewer.words import code, place

# Only a timeout, a cancellation or the end of the program ends a deadlock: where all waits of
# a circle got their locks, there was none. A shorter circle was given up at once.
_LONG_NS = 50_000_000
_MOST_WAITS = 10_000  # only the longest are examined


class _Who(NamedTuple):
    """A thread (by tid) or a task (by id)."""

    process: int
    is_task: bool
    id: int


class _Wait(NamedTuple):
    row: int
    start_ns: int
    end_ns: int
    lock: int
    site: str


class _Member(NamedTuple):
    """Part of a circle; `taken` is where the next one took the lock."""

    who: _Who
    wait: _Wait
    taken: str


def deadlock(facts: Facts) -> Iterator[Finding]:
    """Waits that close a circle: each for a lock that the next one holds all the while."""
    model, table = facts.model, facts.model.states
    waits: dict[_Who, list[_Wait]] = defaultdict(list)
    rows = sorted(
        facts.rows_of((LOCK_WAIT, TASK_WAIT), _LONG_NS),
        key=lambda row: table.start_ns[row] - table.end_ns[row],
    )[:_MOST_WAITS]
    if not rows:
        return
    for row in sorted(rows):
        waits[_waiter(facts, row)].append(
            _Wait(
                row,
                table.start_ns[row],
                table.end_ns[row],
                table.row[row],
                model.trace.text(table.site[row]),
            )
        )
    holds = _holds(facts)
    told: set[frozenset[tuple[_Who, int]]] = set()
    for who, found in waits.items():
        for wait in found:
            circle = _circle(who, wait, waits, holds)
            key = frozenset((member, part.lock) for member, part, _ in circle)
            if circle and key not in told and _is_deadlock(facts, circle):
                told.add(key)
                yield _finding(facts, circle)


def _is_deadlock(facts: Facts, circle: list[_Member]) -> bool:
    """Whether one of its waits at least was given up or is not over, and none is for a signal.

    Who waits for its own lock may wait for a signal: for another's release. So it is if
    another has released that lock before, or if the program ended by itself while the thread,
    which nobody joined, still waited.
    """
    model, table = facts.model, facts.model.states
    rows = [wait.row for _, wait, _ in circle]
    is_open = [bool(model.trace.slices.unfinished[table.slice[row]]) for row in rows]
    if not any(is_open) and not any(table.state[row] & FAILED for row in rows):
        return False
    if len(circle) > 1:
        return True
    who, wait, _ = circle[0]
    ended = model.trace.processes[who.process].recording_ended is not None
    is_left = is_open[0] and ended and not who.is_task
    return not is_left and not facts.is_signal(wait.lock)


def _waiter(facts: Facts, row: int) -> _Who:
    model, table = facts.model, facts.model.states
    who = table.who[row]
    if table.state[row] & STATE_MASK == TASK_WAIT:
        return _Who(model.owners.task_process[who], True, model.owners.task_id[who])
    return _Who(model.thread_process[who], False, model.threads[who].tid)


type _Holds = dict[int, list[tuple[int, int, _Who, str]]]


def _holds(facts: Facts) -> _Holds:
    """By lock its longer holds: (start, end, who, where it was taken)."""
    table, found = facts.model.states, defaultdict(list)
    for row in facts.rows_of((HOLD,), _LONG_NS):
        owner = table.owner[row]
        if owner >= 0 and table.owner_id[owner] >= 0:
            who = _Who(
                table.owner_process[owner],
                bool(table.owner_is_task[owner]),
                table.owner_id[owner],
            )
            site = facts.model.trace.text(table.site[row])
            found[table.row[row]].append((table.start_ns[row], table.end_ns[row], who, site))
    return found


def _circle(
    who: _Who, wait: _Wait, waits: dict[_Who, list[_Wait]], holds: _Holds
) -> list[_Member]:
    """The circle of this wait, with a time common to all its waits and holds; or nothing."""
    path, since, until = [], wait.start_ns, wait.end_ns
    member = who
    while True:
        holder = None
        for start, end, owner, site in holds.get(wait.lock, ()):
            if min(end, until) - max(start, since) >= _LONG_NS:
                path.append(_Member(member, wait, site))
                holder, since, until = owner, max(start, since), min(end, until)
                break
        if holder == who:
            return path
        if holder is None or any(holder == part.who for part in path):
            return []  # no circle, or one among the others: told where it is theirs
        for following in waits.get(holder, ()):
            if min(following.end_ns, until) - max(following.start_ns, since) >= _LONG_NS:
                member, wait = holder, following
                since = max(since, following.start_ns)
                until = min(until, following.end_ns)
                break
        else:
            return []


def _finding(facts: Facts, circle: list[_Member]) -> Finding:
    model = facts.model
    since = max(wait.start_ns for _, wait, _ in circle)
    until = min(wait.end_ns for _, wait, _ in circle)
    named = [_name(facts, who) for who, _, _ in circle]
    parts = []
    for n, (_, wait, taken) in enumerate(circle):
        owner = code(named[(n + 1) % len(circle)])
        took = (
            f"that {owner} acquired" if len(circle) > 1 else "that it holds itself, acquired"
        )
        where = f" at {place(taken)}" if taken else ""
        parts.append(f"{code(named[n], wait.site)} waits for the lock {took}{where}")
    unfinished = until >= max(p.end_ns for p in model.trace.processes)
    end = "until the end of the trace" if unfinished else f"for {duration(until - since)}"
    text = f"Deadlock {at(facts, since)}, {end}: {'; '.join(parts)}."
    who, wait, _ = circle[0]
    evidence = Evidence(
        wait.start_ns,
        wait.end_ns - wait.start_ns,
        named[0],
        who.id if who.is_task else -1,
        -1 if who.is_task else who.id,
        wait.site,
        model.states.lock_id[wait.lock],
        model.pid(who.process),
    )
    lost = sum(wait.end_ns - wait.start_ns for _, wait, _ in circle)
    return Finding("deadlock", lost, text, evidence)


def _name(facts: Facts, who: _Who) -> str:
    model = facts.model
    if who.is_task:
        task = facts.ledger.task_of(who.process, who.id)
        if task < 0:
            return f"task {who.id}"
        coro, name = model.coroutine_of(task), model.task_name(task)
        return name if name == coro else f"{coro} {name}"
    thread = facts.ledger.thread(who.process, who.id)
    return model.thread_names[thread] if thread >= 0 else f"thread {who.id}"
