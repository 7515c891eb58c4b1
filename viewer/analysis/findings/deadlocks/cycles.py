"""Deadlocks: threads or tasks that wait for each other's locks in a circle."""

from collections.abc import Iterator

from tracer.units import duration
from viewer.analysis.findings.basis.facts import Facts, Finding
from viewer.analysis.findings.basis.waits import LongWaits, place_in
from viewer.analysis.findings.basis.words import at
from viewer.analysis.ledger.circles import Circle, CircleKey, Link, Who, circles
from viewer.analysis.ledger.handed import is_signal
from viewer.analysis.ledger.holders import Holders
from viewer.analysis.states import stack_of
from viewer.trace.columns import FAILED
from viewer.trace.sites import function_of
from viewer.words import code, place

# Only a timeout, a cancellation or the end of the program ends a deadlock: where all waits of
# a circle got their locks, there was none. A shorter circle was given up at once.
_LONG_NS = 50_000_000
_OWNED = "RLock"
_IN_ORDER = "Acquire the locks in the same order everywhere, or hold one at a time."
_NOT_TWICE = (
    "Release the lock before calling what acquires it, or use a `threading.RLock`; take no "
    "lock in `__del__` or in a signal handler."
)


def deadlock(facts: Facts) -> Iterator[Finding]:
    """Waits that form a circle: each for a lock that the next one holds all the time."""
    told = set[CircleKey]()
    for circle in circles(facts.ledger, _LONG_NS, told):
        if _is_deadlock(facts, circle):
            told.add(circle.key)
            slices = facts.model.states.slice
            LongWaits.of(facts).told.update(slices[link.wait] for link in circle.links)
            yield _finding(facts, circle)


def _is_deadlock(facts: Facts, circle: Circle) -> bool:
    """Whether at least one of its waits was given up or is not over, and none is for a signal.

    A thread that waits for its own lock may wait for a signal, that is, for another thread's
    release. It does if another thread has released that lock before, or if the program ended
    by itself while the thread, which nobody joined, still waited. Who waits for its own RLock
    was interrupted by a signal's handler, which took it: nobody gives that back.
    """
    model, table = facts.model, facts.model.states
    rows = [link.wait for link in circle.links]
    is_open = [bool(model.trace.slices.unfinished[table.slice[row]]) for row in rows]
    if not any(is_open) and not any(table.state[row] & FAILED for row in rows):
        return False
    if len(rows) > 1:
        return True
    kind, who = circle.links[0].who
    is_thread = kind == "thread"
    if is_thread and model.trace.text(table.lock_kind[table.row[rows[0]]]) == _OWNED:
        return True  # nobody else can release it
    if is_thread and _is_of_another_job(facts, who, circle.links[0]):
        return False
    process = model.thread_process[who] if is_thread else model.owners.task_process[who]
    ended = model.trace.processes.end[process] >= 0
    is_left = is_open[0] and ended and is_thread and not _is_within(facts, rows[0])
    return not is_left and not is_signal(facts.ledger, table.row[rows[0]])


def _is_of_another_job(facts: Facts, thread: int, link: Link) -> bool:
    """Whether a worker acquired the lock in a job before the one that waits for it."""
    took_ns = facts.model.states.start_ns[link.hold]
    start_ns = facts.model.states.start_ns[link.wait]
    return any(
        took_ns < job.began_ns <= start_ns for job in facts.jobs.of_thread.get(thread, [])
    )


def _is_within(facts: Facts, wait: int) -> bool:
    """Whether the function that acquired the lock has called the one that waits for it."""
    table, trace = facts.model.states, facts.model.trace
    took = function_of(trace.text(table.owner_site[table.owner[wait]]))
    stack = stack_of(facts.model, wait).split("\n")
    return took != ("", "") and took in map(function_of, stack[1:])


def _finding(facts: Facts, circle: Circle) -> Finding:
    model, table, links = facts.model, facts.model.states, circle.links
    text, holders = model.trace.text, Holders(facts.ledger)
    named = [_name(facts, link.who) for link in links]
    parts = []
    for n, (_, wait, hold) in enumerate(links):
        owner = code(named[(n + 1) % len(links)])
        task = holders.task(hold)
        if task >= 0:
            took = f"that the task {code(_name(facts, ('task', task)))} holds, acquired"
        elif len(links) > 1:
            took = f"that {owner} acquired"
        else:
            took = "that it holds itself, acquired"
        site = text(table.site[hold]) if table.site[hold] >= 0 else ""
        where = place_in(site) or (f" at {place(site)}" if site else "")
        waits = f"{code(named[n])}{place_in(text(table.site[wait]))}"
        parts.append(f"{waits} waits for the lock {took}{where}")
    unfinished = circle.end_ns >= model.end_ns
    lasted = duration(circle.end_ns - circle.start_ns)
    end = "until the end of the trace" if unfinished else f"for {lasted}"
    said = f"Deadlock {at(facts, circle.start_ns)}, {end}: {'; '.join(parts)}."
    who, wait, _ = links[0]
    evidence = facts.evidence(
        who, table.start_ns[wait], facts.row_ns(wait), text(table.site[wait]), track=named[0]
    )._replace(lock=table.lock_id[table.row[wait]])
    lost = sum(facts.row_ns(link.wait) for link in links)
    cut = _IN_ORDER if len(links) > 1 else _NOT_TWICE
    lines = (text(table.site[link.wait]) for link in links)
    return Finding("deadlock", lost, said, evidence, cut, about=frozenset(lines))


def _name(facts: Facts, who: Who) -> str:
    model, (kind, which) = facts.model, who
    if kind == "thread":
        return model.thread_names[which]
    coro, name = model.coroutine_of(which), model.task_name(which)
    return name if name == coro else f"{coro} {name}"
