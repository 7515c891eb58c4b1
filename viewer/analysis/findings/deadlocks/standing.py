"""Processes of which all stand still: each waits for a message that only another one of those
that wait could send, or its parent waits for its end while its output is full."""

from collections.abc import Iterator
from typing import NamedTuple

from tracer.units import duration
from viewer.analysis.findings.basis.facts import Facts, Finding
from viewer.analysis.findings.basis.waits import LongWaits, place_in
from viewer.analysis.findings.basis.words import at
from viewer.analysis.findings.deadlocks.joined import join_of
from viewer.analysis.ledger.resource import covers
from viewer.analysis.processes.family import Family, Member
from viewer.analysis.resources.waits import longest_rows
from viewer.analysis.states import stack_of
from viewer.trace.columns import IO
from viewer.words import code

_MS = 1_000_000
# Half a second, of which all others stood still for four fifths.
_LONG_NS = 500 * _MS
_ENDED_NS = 50 * _MS  # from a child's end to the end of the wait for it
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
    mains = {member.main: member for member in family.members.values() if member.main >= 0}
    for row in longest_rows(facts, (IO,), _LONG_NS, _MOST):
        member = mains.get(table.who[row])
        if member is not None:
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
    return {
        member.process
        for member in Family.of(facts.model).members.values()
        if member.start_ns < call.end_ns and member.end_ns > call.start_ns + _LONG_NS
    }


def _threads(facts: Facts, processes: set[int]) -> bool:
    """Whether these have other threads, which may send something."""
    mains = {member.main for member in Family.of(facts.model).members.values()}
    return any(
        process in processes and thread not in mains
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
            f"{code(other.member.name)}, which stood in `{other.name}`{place_in(other.site)}: "
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
        member.parent == call.member.process
        and abs(call.end_ns - member.end_ns) <= _ENDED_NS
        and not any(o.member == member and _covers(o, call) for o in calls)
        for member in family.members.values()
    ):
        return None
    joins = {o.row for o in calls if o.member == call.member and _is_join(o)}
    children = sum(m.parent == call.member.process for m in family.members.values())
    if len(joins) > children:
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
        f"({at(facts, call.start_ns)}): {names} stood in `{idle[0].name}`{where} until the "
        f"end. Tell each of them that nothing comes any more, such as by a last item for each."
    )
    return _told(facts, "wait in vain", call, text), {call.row, *joins}


def _told(facts: Facts, kind: str, call: _Call, text: str) -> Finding:
    ns = call.end_ns - call.start_ns
    evidence = facts.evidence(("thread", call.member.main), call.start_ns, ns, call.site)
    return Finding(kind, ns, text, evidence)
