"""Processes that wait in vain for a lock or a barrier of multiprocessing, since one that had
it, or that should have come, has ended."""

from collections.abc import Iterator

from tracer.units import MS, plural
from viewer.analysis.endings import signal_name
from viewer.analysis.findings.basis.facts import LOST_NS, Facts, Finding
from viewer.analysis.findings.basis.waits import place_in
from viewer.analysis.findings.basis.words import at, in_total, processes
from viewer.analysis.ledger.resource import covers, window
from viewer.analysis.processes.family import Family, Member
from viewer.analysis.states import stack_of
from viewer.trace.columns import IO, Column
from viewer.trace.sites import Place, is_later, place_of
from viewer.words import code

_SEMAPHORE = "SemLock."
_BARRIER = "Barrier.wait"
_LOCK = "lock or semaphore"
_LIBRARY = ("/multiprocessing/", "/threading.py")
# Half a second in all was lost; and somebody was killed before, or meanwhile everybody else
# stood still for four fifths of the time, in waits for children or for such locks: nobody was
# there who had it.
_LONG_NS = 100 * MS
_STANDS = (
    "os.waitpid",
    "select.poll.poll",
    "os.wait4",
    "SemLock.acquire",
    "SemLock.__enter__",
)
_STEPS = {
    True: "End processes so that they can release it.",
    False: "Release it in a `finally`, or with `with`.",
}
_MOST = 200  # waits that are looked at, the longest ones


def ended_party(facts: Facts) -> Iterator[Finding]:
    """Somebody ended with a permit, or before a barrier, and nobody else goes on."""
    table, family = facts.model.states, Family.of(facts.model)
    rows = facts.calls_with(_SEMAPHORE, _LONG_NS)
    if not rows or len(family.members) < 2:
        return
    longest = sorted(rows, key=lambda row: table.start_ns[row] - table.end_ns[row])
    blocked = facts.rows_of((IO,), _LONG_NS)
    by_site: dict[str, list[tuple[int, Member, str]]] = {}
    for row in longest[:_MOST]:
        what, dead = _waits_for(facts, row), family.killed_before(table.start_ns[row])
        if dead is None and what:
            dead = _ended(facts, family, row)
        if dead is not None and not _is_had(facts, row, blocked):
            what = what or _LOCK  # of the library: its workers take jobs with it
            by_site.setdefault(facts.call(table.row[row])[1], []).append((row, dead, what))
    for site, found in by_site.items():
        lost = sum(facts.row_ns(row) for row, _, _ in found)
        if lost >= LOST_NS:
            yield _finding(facts, site, found, lost)


def _waits_for(facts: Facts, row: int) -> str:
    """`Barrier.wait`, or `lock or semaphore`; "" where the library waits for others."""
    stack = stack_of(facts.model, row)
    frames = [place_of(frame) for frame in stack.split("\n")]
    if any(frame.function == _BARRIER for frame in frames):
        return _BARRIER
    outer = _outside(stack)
    is_librarys = outer is not None and any(part in outer.path for part in _LIBRARY)
    return "" if is_librarys else _LOCK


def _is_had(facts: Facts, row: int, blocked: Column) -> bool:
    """Whether another process is further on in the function that takes the lock, for most of
    the wait: it has it, as a worker that reads the next job has while the others wait."""
    table, process_of = facts.model.states, facts.model.thread_process
    takes = _outside(stack_of(facts.model, row))
    start, end, process = table.start_ns[row], table.end_ns[row], process_of[table.who[row]]
    return takes is not None and any(
        process_of[table.who[other]] != process
        and covers(
            min(end, table.end_ns[other]) - max(start, table.start_ns[other]), end - start
        )
        and any(
            is_later(place_of(frame), takes)
            for frame in stack_of(facts.model, other).split("\n")
        )
        for other in blocked
    )


def _outside(stack: str) -> Place | None:
    """Where a lock is taken."""
    places = map(place_of, stack.split("\n"))
    return next((at for at in places if not at.function.startswith(_SEMAPHORE)), None)


def _ended(facts: Facts, family: Family, row: int) -> Member | None:
    """The last sibling, or child, of the waiter that had ended before most of its wait, if
    nobody goes on meanwhile."""
    table = facts.model.states
    process = facts.model.thread_process[table.who[row]]
    mine = family.members.get(process)
    if mine is None:
        return None
    parents = {process, mine.parent} - {-1}
    ended = [
        member
        for parent in sorted(parents)
        for member in family.children(parent)
        if member.process != process
        and member.told is not None
        and member.end_ns <= table.end_ns[row] - min(LOST_NS, _half(facts, row))
    ]
    is_still = bool(ended) and _stands_still(facts, family, row)
    return max(ended, key=lambda member: member.end_ns) if is_still else None


def _half(facts: Facts, row: int) -> int:
    return facts.row_ns(row) // 2


def _stands_still(facts: Facts, family: Family, row: int) -> bool:
    """Whether all others that live meanwhile wait for such a lock, or for their children."""
    table = facts.model.states
    start, end = table.start_ns[row], table.end_ns[row]
    for process in family.order:
        since, until = max(start, family.start_ns[process]), min(end, family.end_ns[process])
        if family.main[process] < 0 or (until - since) * 2 < end - start:
            continue
        member = family.members[process]
        if member.told is not None and until < end - (end - start) // 5:
            continue  # it has ended meanwhile
        split = facts.split(member.main, window(since, until))
        still = sum(
            ns for call, ns in split.calls.items() if facts.call(call)[0].endswith(_STANDS)
        )
        if not covers(still, until - since):
            return False
    return True


def _finding(
    facts: Facts, site: str, found: list[tuple[int, Member, str]], lost: int
) -> Finding:
    model, table = facts.model, facts.model.states
    worst, dead, what = found[0]
    ns = facts.row_ns(worst)
    waiting = {model.thread_process[table.who[row]] for row, _, _ in found}
    told, killed_by = dead.told, dead.killed_by
    how = f" with exit code {told.status}" if told is not None and told.status else ""
    how = f"was killed by {signal_name(killed_by)}" if killed_by else f"had ended{how}"
    ended = f"{code(dead.name)} {how} ({at(facts, dead.end_ns)})"
    is_barrier = what == _BARRIER
    waited = f"in `{what}`" if is_barrier else f"for a {what} of `multiprocessing`"
    text = (
        f"{'Waited in vain' if is_barrier else 'Slots never returned'}: "
        f"{processes(facts, waiting)}{place_in(site)} waited {waited}: "
        f"{plural(len(found), 'wait')}, {in_total(facts, lost, ns, table.start_ns[worst])}. "
        f"{ended}"
        + (
            " and never came. Let those who wait know: `abort()` the barrier when one of them "
            "fails."
            if is_barrier
            else f"{'' if killed_by else ', and nobody else goes on'}: it may have held it, "
            f"and what an ended process has is never released. {_STEPS[bool(killed_by)]}"
        )
    )
    kind = "wait in vain" if is_barrier else "slots never returned"
    return Finding(kind, lost, text, facts.evidence_of(worst), processes=len(waiting) + 1)
