"""What is said where no known kind of fault explains the time: waits that something else came
before (see afterothers), and those for what must come that were given up, or never ended."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from tracer import schema as s
from tracer.units import MS, plural
from viewer.analysis.findings.basis.doing import doing
from viewer.analysis.findings.basis.facts import Facts, Finding
from viewer.analysis.findings.basis.waits import LongWaits, name_of, place_in, users
from viewer.analysis.findings.basis.whom import why
from viewer.analysis.findings.basis.words import in_total
from viewer.analysis.findings.vain.afterothers import (
    LONG_WAITS,
    SLOTS,
    after_others,
    is_result,
)
from viewer.analysis.resources.enders import Enders
from viewer.analysis.resources.waits import Wait
from viewer.trace.sites import is_library

# A fault of a known kind that cost a quarter as much is what there is to say; so is one at a
# line that these waits were at, or led to.
_PART = 4
_LOST_NS = 1_000_000_000  # less is lost by none of them


def unexplained(facts: Facts, known: Sequence[Finding]) -> Iterator[Finding]:
    """The most expensive waits that no known fault explains: at most one finding."""
    most = sum(wait.end_ns - wait.start_ns for wait in LongWaits.of(facts).all)
    if most < _LOST_NS or any(one.severity_ns * _PART >= most for one in known):
        return
    found = [
        finding
        for shape in (after_others, waits_in_vain)
        for finding in shape(facts)
        if not _is_explained(finding, known)
    ]
    if found:
        yield max(found, key=lambda finding: finding.severity_ns)


def _is_explained(finding: Finding, known: Iterable[Finding]) -> bool:
    sites = {finding.evidence.site, finding.behind} - {""}
    return any(
        one.severity_ns * _PART >= finding.severity_ns
        or {one.evidence.site, one.behind} & sites
        for one in known
    )


# A fifth of a second each, a second in all. Of 177 healthy programs none waits so long in vain
# for a lock, a slot, room or a result; for an event, a condition or an item many do, by which
# they pause or look again.
_WAIT_NS = 200 * MS
_VAIN_NS = 1_000 * MS
_AT_ONCE = 4  # within a quarter of the wait
_ENDED = (
    "Mend what it failed with, catch it in the coroutine, and have whoever waits look whether "
    "the other side still runs."
)
_STEP = (
    "Look at what should have ended them; give the waits a time-out, and what they wait for "
    "one of its own."
)


def waits_in_vain(facts: Facts) -> Iterator[Finding]:
    """Waits of one line that nobody ended."""
    waits = LongWaits.of(facts)
    by_line = defaultdict[tuple[str, str], list[Wait]](list)
    for wait in waits.all:
        is_vain = (wait.failed or wait.is_open) and _must_come(wait.name)
        if not is_vain or wait.ns < _WAIT_NS or wait.slice in waits.told:
            continue
        if wait.site and not is_library(wait.site) and not _is_stopped(facts, wait):
            by_line[wait.name, wait.site].append(wait)
    for found in by_line.values():
        if is_result(found[0].name):
            found = [wait for wait in found if not _looks_again(found, wait)]
        lost = sum(wait.ns for wait in found)
        if lost >= _VAIN_NS:
            yield _finding(facts, waits, found, lost)


def _looks_again(found: Iterable[Wait], wait: Wait) -> bool:
    """Whether the waiter asks for the result again at once: it shows how far the job is, or
    looks whether it is to stop."""
    soon = wait.end_ns + wait.ns // _AT_ONCE
    return any(
        other.who == wait.who and wait.end_ns <= other.start_ns <= soon for other in found
    )


def _must_come(name: str) -> bool:
    return name.startswith(SLOTS) or is_result(name)


def _is_stopped(facts: Facts, wait: Wait) -> bool:
    """Whether a task that waits for a job was cancelled: so servers are stopped."""
    kind, which = wait.who
    is_task = kind == "task" and is_result(wait.name)
    return is_task and facts.ledger.how_it_ended(which) == s.CANCELLED


def _finding(facts: Facts, waits: LongWaits, found: list[Wait], lost: int) -> Finding:
    worst = max(found, key=lambda wait: wait.ns)
    still = sum(wait.is_open for wait in found)
    how = f"{plural(len(found), 'wait')} without a result"
    how += f", {still} of them not over at the end of the trace" if still else ""
    blocked = Enders.of(waits).whom(worst)
    who = f"{users(facts.model, (wait.who for wait in found))}{place_in(worst.site)}"
    what = f"`{worst.name}`: {how}, {in_total(facts, lost, worst.ns, worst.start_ns)}"
    text = f"Long waits: {who} waited in vain in {what}"
    if blocked is None:
        text += _enders(facts, waits, found)
    elif blocked.failed_ns >= 0:
        text = f"Waited in vain: {who} waited in {what}, {why(facts, worst, blocked)}."
        return Finding("wait in vain", lost, text, waits.evidence(worst), _ENDED)
    else:
        times = [(by, worst.start_ns, worst.end_ns) for by in blocked.by[:4]]
        did = doing(facts, times, name_of(facts.model, worst.who))
        whose = "which" if len(blocked.by) == 1 else "who"
        text += f", {why(facts, worst, blocked)}" + (f", {whose} spent {did}" if did else "")
    return Finding(LONG_WAITS, lost, f"{text}.", waits.evidence(worst), _STEP)


def _enders(facts: Facts, waits: LongWaits, found: list[Wait]) -> str:
    """Who ended other waits at the same line, as one of the waiters itself may have."""
    at_line = found[0].name, found[0].site
    enders = {
        wait.ender
        for wait in waits.all
        if (wait.name, wait.site) == at_line and not wait.failed and wait.ender is not None
    }
    if not enders:
        return ". The trace does not show who could have ended them"
    said = f", while other waits there were ended by {users(facts.model, enders)}"
    if len(enders) == 1 and enders <= {wait.who for wait in found}:
        said += ", which waits here itself"
    return said
