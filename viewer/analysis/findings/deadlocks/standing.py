"""Processes that all stand still: each waits for what only another one that waits could do."""

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from tracer.units import MS, duration
from viewer.analysis.findings.basis.facts import LOST_NS, Facts, Finding
from viewer.analysis.findings.basis.waits import LongWaits, place_in
from viewer.analysis.findings.basis.words import at
from viewer.analysis.ledger.resource import covers
from viewer.analysis.processes.family import Family, Member
from viewer.analysis.resources.waits import longest_rows
from viewer.analysis.states import having, stack_of
from viewer.trace.columns import CONTINUES, IO
from viewer.trace.sites import is_library, place_of
from viewer.words import code

# Half a second, of which all others stood still for four fifths.
_ENDED_NS = 50 * MS  # from a child's end to the end of the wait for it
_MOST = 1_000  # calls that are looked at, the longest ones
_MESSAGE = "/multiprocessing/connection.py:"
_READS = ("os.read", "poll", "select", "recv")
_WAITS = ("os.waitpid", "os.wait", "os.wait4", "os.waitid")
_WRITES = ("os.write", "io.FileIO.write", "io.BufferedWriter.write", "io.BufferedWriter.flush",
           "io.TextIOWrapper.write", "io.TextIOWrapper.flush")  # fmt: skip
_JOINS = ("BaseProcess.join", " Popen.wait", " Popen.communicate")


class _Call(NamedTuple):
    """A long call of a process's main thread."""

    member: Member
    row: int
    start_ns: int
    end_ns: int
    name: str
    site: str
    stack: str


def standing_still(facts: Facts) -> Iterator[Finding]:
    """Parent and children wait for each other: for messages, for an end and a reader, or for
    an end and something to do."""
    family = Family.of(facts.model)
    if len(family.members) < 2:
        return
    calls = _calls(facts, family)
    told = set[int]()
    for call in calls:
        if call.row in told or call.row in LongWaits.of(facts).told:
            continue
        for found in (_both_read(facts, calls, call), _full_pipe(facts, calls, call),
                      _joined_in_vain(facts, family, calls, call)):  # fmt: skip
            if found is not None:
                finding, rows = found
                told.update(rows)
                yield finding
                break


def _calls(facts: Facts, family: Family) -> list[_Call]:
    table, found = facts.model.states, list[_Call]()
    for row in longest_rows(facts, (IO,), LOST_NS, _MOST):
        member = family.members.get(facts.model.thread_process[table.who[row]])
        if member is not None and member.main == table.who[row]:
            name, site = facts.call(table.row[row])
            stack = stack_of(facts.model, row)
            times = table.start_ns[row], table.busy_end_ns[row]
            found.append(_Call(member, row, *times, name, site, stack))
    return found


def _covers(other: _Call, call: _Call) -> bool:
    met = min(other.end_ns, call.end_ns) - max(other.start_ns, call.start_ns)
    return covers(met, call.end_ns - call.start_ns)


def _is_read(call: _Call) -> bool:
    return _MESSAGE in call.stack and call.name.endswith(_READS) and not _is_join(call)


def _is_join(call: _Call) -> bool:
    return any(function in call.stack for function in _JOINS)


def _both_read(
    facts: Facts, calls: list[_Call], call: _Call
) -> tuple[Finding, set[int]] | None:
    """A child and its parent wait for a message of the other, and nobody else is there."""
    if not _is_read(call):
        return None
    others = [other for other in calls if other.member != call.member and _covers(other, call)]
    theirs = [o for o in others if _is_read(o) and o.member.process == call.member.parent]
    standing = {other.member.process for other in others if _is_read(other) or _is_join(other)}
    alive = _alive(facts, call)
    if not theirs or alive - standing - {call.member.process} or _threads(facts, alive):
        return None
    other = theirs[0]
    text = (
        f"Deadlock {at(facts, call.start_ns)}, for {duration(call.end_ns - call.start_ns)}: "
        f"{code(call.member.name)}{place_in(call.site)} waits for a message of its parent, "
        f"{code(other.member.name)}, which waits{place_in(other.site)} for a message of its "
        f"children: nobody sends. Let one of them send first."
    )
    finding = _told(facts, "deadlock", call, text)._replace(processes=2)
    return finding, {call.row, *(other.row for other in theirs)}


def _alive(facts: Facts, call: _Call) -> set[int]:
    """The processes that are there for some time of a call."""
    family = Family.of(facts.model)
    begun, ended, since = family.start_ns, family.end_ns, call.start_ns + LOST_NS
    return {i for i in family.order if begun[i] < call.end_ns and ended[i] > since}


def _threads(facts: Facts, processes: set[int]) -> bool:
    """Whether these have other threads, which may send something."""
    main = Family.of(facts.model).main
    return any(
        process in processes and thread != main[process]
        for thread, process in enumerate(facts.model.thread_process)
    )


def _full_pipe(
    facts: Facts, calls: list[_Call], call: _Call
) -> tuple[Finding, set[int]] | None:
    """A parent waits for the end of a child that stands in a write."""
    if not call.name.endswith(_WAITS) or not any(call.stack.split("\n")):
        return None
    for other in calls:
        is_child = other.member.parent == call.member.process
        both = {call.member.process, other.member.process}
        if _alive(facts, call) - both or _threads(facts, both):
            continue  # somebody else may read
        if not is_child or not other.name.endswith(_WRITES) or not _covers(other, call):
            continue
        text = (
            f"Full pipe: {code(facts.model.thread_names[call.member.main])}"
            f"{place_in(call.site)} waited {duration(call.end_ns - call.start_ns)} in "
            f"`{call.name}` ({at(facts, call.start_ns)}) for the end of "
            f"{code(other.member.name)}, which hung in `{other.name}`{place_in(other.site)}: "
            f"nobody reads what it writes. Read all of it first, then wait for the end."
        )
        return _told(facts, "full pipe", call, text), {call.row, other.row}
    return None


def _joined_in_vain(
    facts: Facts, family: Family, calls: list[_Call], call: _Call
) -> tuple[Finding, set[int]] | None:
    """A parent gave up joining children that all wait for a message at one line."""
    how, site = join_of(facts, call.row)
    if how != "Process.join" or any(
        abs(call.end_ns - family.end_ns[child]) <= _ENDED_NS
        and not any(o.member.process == child and _covers(o, call) for o in calls)
        for child in family.below.get(call.member.process, ())
    ):
        return None
    joins = {o.row for o in calls if o.member == call.member and _is_join(o)}
    if len(joins) > len(family.below.get(call.member.process, ())):
        return None  # it looks after them again and again
    idle = [
        other
        for other in calls
        if other.member.parent == call.member.process
        and _covers(other, call)
        and other.end_ns > call.end_ns
        and facts.model.trace.slices.unfinished[facts.model.states.slice[other.row]]
    ]
    if not idle or len({(other.name, other.site) for other in idle}) > 2:
        return None
    names = " and ".join(code(other.member.name) for other in idle[:2])
    names += f" and {len(idle) - 2} others" if len(idle) > 2 else ""
    where = next((place_in(other.site) for other in idle if other.site), "")
    text = (
        f"Waited in vain: {code(facts.model.thread_names[call.member.main])}{place_in(site)} "
        f"gave up a wait in `{how}` after {duration(call.end_ns - call.start_ns)} "
        f"({at(facts, call.start_ns)}): {names} hung in `{idle[0].name}`{where} until the "
        f"end. Tell each of them that nothing comes any more, such as by a last item for each."
    )
    return _told(facts, "wait in vain", call, text), {call.row, *joins}


def _told(facts: Facts, kind: str, call: _Call, text: str) -> Finding:
    ns = call.end_ns - call.start_ns
    evidence = facts.evidence(("thread", call.member.main), call.start_ns, ns, call.site)
    return Finding(kind, ns, text, evidence)


# The lock is free, or the message there, as soon as the wait for the child is given up: that
# tells who had it. Both must last for half a second, and the child must wait for most of that.
# Whoever joins again and again at one line looks after its children meanwhile.
_THEN_NS = 100 * MS
_FAMILY = 2  # processes
_AGAIN = 3
_LOCKS = ("fcntl.flock", "fcntl.lockf", "os.lockf", "SemLock.__enter__", "SemLock.acquire")
_READ, _WRITE = "os.read", "os.write"
_JOINING = (" BaseProcess.join", " Popen.wait", " Popen.communicate")
_NAMES = {"BaseProcess.join": "Process.join"}


def join_under_lock(facts: Facts) -> Iterator[Finding]:
    """A child gets a lock between processes, a message or room for one only when its parent
    gives up waiting for it."""
    table, trace = facts.model.states, facts.model.trace
    names = *_LOCKS, _READ, _WRITE
    is_asked = having(facts.model, table.call_name, lambda name: name.endswith(names), names)
    if 1 not in is_asked or len(trace.processes) < _FAMILY:
        return
    family, process_of = Family.of(facts.model), facts.model.thread_process
    calls = [row for row in facts.rows_of((IO,), LOST_NS) if not table.state[row] & CONTINUES]
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
                LongWaits.of(facts).told.update((table.slice[wait], table.slice[join]))
                yield _under_lock(facts, wait, join, how, code(member.name))
                break


def _has_ended(family: Family, parent: int, join_ns: int) -> bool:
    """Whether a child ended when the parent stopped waiting for one."""
    ends = map(family.end_ns.__getitem__, family.below.get(parent, ()))
    return any(0 <= join_ns - end_ns <= _ENDED_NS for end_ns in ends)


def _is_lock(facts: Facts, row: int) -> bool:
    return facts.call(facts.model.states.row[row])[0].endswith(_LOCKS)


def _is_message(facts: Facts, row: int) -> bool:
    """Whether a process waits for something from a pipe of multiprocessing's, or for room."""
    table = facts.model.states
    if not facts.call(table.row[row])[0].endswith((_READ, _WRITE)):
        return False
    return _MESSAGE in stack_of(facts.model, row)


def join_of(facts: Facts, row: int) -> tuple[str, str]:
    """The function of the library in which a parent waits for a child's end, and the line of
    the user's that calls it; ("", "") where it does not."""
    frames = stack_of(facts.model, row)
    found = ""
    for frame in frames.split("\n"):
        if frame.endswith(_JOINING):
            function = place_of(frame).function
            found = _NAMES.get(function, function)
        elif found and not is_library(frame):
            return found, frame
    return ("", "")


def _under_lock(
    facts: Facts, wait: int, join: int, how: tuple[str, str], child: str
) -> Finding:
    table, model = facts.model.states, facts.model
    since, ns = table.start_ns[wait], facts.row_ns(wait)
    name, site = facts.call(table.row[wait])
    parent = code(Family.of(model).name(model.thread_process[table.who[join]]))
    kind, begins = "deadlock", f"Deadlock {at(facts, since)}, for {duration(ns)}"
    for_what, advice = (
        f"a lock between processes. It got the lock only when {parent}, which held it, "
        f"stopped waiting",
        "Release the lock before waiting for the child",
    )
    if not _is_lock(facts, wait):
        for_what = f"a message. That came only when {parent} stopped waiting"
        advice = "Send what the child needs before waiting for its end"
        if name.endswith(_WRITE):
            kind, begins = "full pipe", f"Full pipe {at(facts, since)}, for {duration(ns)}"
            for_what = f"a reader. {parent} read only when it stopped waiting"
            advice = (
                "Read all that the child sends (`get` from its queue), then wait for its end"
            )
    text = (
        f"{begins}: {parent}{place_in(how[1])} waits in `{how[0]}` for the end of {child}, "
        f"which waits in `{name}`{place_in(site)} for {for_what}. {advice}."
    )
    return Finding(kind, ns, text, facts.evidence_of(wait), processes=2)
