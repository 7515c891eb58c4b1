"""A process that waits for the end of a child, which needs its lock or a message from it."""

from collections import Counter
from collections.abc import Iterator

from tracer.units import duration
from viewer.analysis.findings.basis.facts import Facts, Finding
from viewer.analysis.findings.basis.waits import LongWaits, place_in
from viewer.analysis.findings.basis.words import at
from viewer.analysis.ledger.resource import covers
from viewer.analysis.processes.family import Family
from viewer.analysis.states import having, stack_of
from viewer.trace.columns import CONTINUES, IO
from viewer.trace.sites import is_library, place_of
from viewer.words import code

_MS = 1_000_000
# The lock is free, or the message there, as soon as the wait for the child is given up: that
# tells who had it. Both must last for half a second, and the child must wait for most of that.
# Whoever joins again and again at one line looks after its children meanwhile.
_LONG_NS = 500 * _MS
_THEN_NS = 100 * _MS
_ENDED_NS = 50 * _MS  # from the end of a child to the end of the wait for it
_FAMILY = 2  # processes
_AGAIN = 3
_MOST = 1_000  # calls that are looked at, the longest ones
_LOCKS = ("fcntl.flock", "fcntl.lockf", "os.lockf", "SemLock.__enter__", "SemLock.acquire")
_READ, _MESSAGE = "os.read", "/multiprocessing/connection.py:"
_JOINS = (" BaseProcess.join", " Popen.wait", " Popen.communicate")
_NAMES = {"BaseProcess.join": "Process.join"}


def join_under_lock(facts: Facts) -> Iterator[Finding]:
    """A child gets a lock between processes, or a message, only when its parent gives up
    waiting for it."""
    table, trace = facts.model.states, facts.model.trace
    names = *_LOCKS, _READ
    is_asked = having(facts.model, table.call_name, lambda name: name.endswith(names), names)
    if 1 not in is_asked or len(trace.processes) < _FAMILY:
        return
    family, process_of = Family.of(facts.model), facts.model.thread_process
    calls = [row for row in facts.rows_of((IO,), _LONG_NS) if not table.state[row] & CONTINUES]
    if len(calls) > _MOST:
        calls = sorted(calls, key=lambda row: table.start_ns[row] - table.end_ns[row])[:_MOST]
    locks = [row for row in calls if _is_lock(facts, row) or _is_message(facts, row)]
    joins = [(row, how) for row in calls if (how := join_of(facts, row))[0]]
    times = Counter((table.who[row], how[1]) for row, how in joins)
    for wait in locks:
        member = family.members.get(process_of[table.who[wait]])
        if member is None or trace.slices.unfinished[table.slice[wait]]:
            continue
        since, until = table.start_ns[wait], table.end_ns[wait]
        for join, how in joins:
            met = min(table.end_ns[join], until) - max(table.start_ns[join], since)
            is_next = 0 <= until - table.end_ns[join] <= _THEN_NS
            is_parent = process_of[table.who[join]] == member.parent
            is_covered = covers(met, until - since)
            if not _is_lock(facts, wait) and times[table.who[join], how[1]] >= _AGAIN:
                continue
            if _has_ended(family, member.parent, table.end_ns[join]):
                continue  # it was not given up
            if is_next and is_parent and is_covered and member.end_ns >= until:
                LongWaits.of(facts).told.add(table.slice[wait])
                yield _finding(facts, wait, join, how, code(member.name))
                break


def _has_ended(family: Family, parent: int, join_ns: int) -> bool:
    """Whether a child ended when the parent stopped waiting for one."""
    return any(
        member.parent == parent and 0 <= join_ns - member.end_ns <= _ENDED_NS
        for member in family.members.values()
    )


def _is_lock(facts: Facts, row: int) -> bool:
    return facts.call(facts.model.states.row[row])[0].endswith(_LOCKS)


def _is_message(facts: Facts, row: int) -> bool:
    """Whether a process waits for something from a pipe of multiprocessing's."""
    table = facts.model.states
    if not facts.call(table.row[row])[0].endswith(_READ):
        return False
    return _MESSAGE in stack_of(facts.model, row)


def join_of(facts: Facts, row: int) -> tuple[str, str]:
    """The function of the library in which a parent waits for a child's end, and the line of
    the user's that calls it; ("", "") where it does not."""
    frames = stack_of(facts.model, row)
    found = ""
    for frame in frames.split("\n"):
        if frame.endswith(_JOINS):
            function = place_of(frame).function
            found = _NAMES.get(function, function)
        elif found and not is_library(frame):
            return found, frame
    return ("", "")


def _finding(facts: Facts, wait: int, join: int, how: tuple[str, str], child: str) -> Finding:
    table, model = facts.model.states, facts.model
    since, ns = table.start_ns[wait], facts.row_ns(wait)
    name, site = facts.call(table.row[wait])
    parent = code(Family.of(model).name(model.thread_process[table.who[join]]))
    for_what, advice = (
        f"a lock between processes. It got the lock only when {parent}, which had it, stopped "
        f"waiting",
        "Release the lock before waiting for the child",
    )
    if not _is_lock(facts, wait):
        for_what = f"a message. That came only when {parent} stopped waiting"
        advice = "Send what the child needs before waiting for its end"
    text = (
        f"Deadlock {at(facts, since)}, for {duration(ns)}: {parent}{place_in(how[1])} waits "
        f"in `{how[0]}` for the end of {child}, which waits in `{name}`{place_in(site)} for "
        f"{for_what}. {advice}."
    )
    evidence = facts.evidence(("thread", table.who[wait]), since, ns, site)
    return Finding("deadlock", ns, text, evidence, processes=2)
