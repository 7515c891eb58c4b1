"""The order of findings: what cost most comes first, and a cause before what it led to. Of
several processes, which one each is of, and what many have in common."""

from collections import defaultdict
from collections.abc import Iterable

from tracer.units import plural
from viewer.analysis.findings.basis.facts import Evidence, Facts, Finding
from viewer.analysis.findings.basis.moment import SLOW_MOMENT
from viewer.analysis.processes.family import Family
from viewer.words import code, stem

# After all faults: it may be as it must be.
_ADVICE = (
    "awaits in turn", "new connections", "retries", "slow answer", "slow consumer", "slow end",
    "slow start", "time-outs",
)  # fmt: skip
# Whatever it cost so far: what the snapshot was taken for, and what never ends.
_FIRST = (SLOW_MOMENT, "deadlock")
# A queue in front of a pool multiplies what those in it wait for: a cause that cost an eighth
# of what it led to is told before it.
_LESS = 8
# Advice that may be a cause: a full queue into which the holder of a lock puts something.
_IS_CAUSE = "slow consumer"
# A pool whose workers all wait for a slot of another one.
_ALL_TAKEN = "thread-pool starvation"
_TAKE_THEM = ("pool exhausted", "lock convoy")
_SLOTS = ("pool exhausted",)
_CLIENT = "slow client"  # keeps the workers of a server from who has connected since
# Jobs that wait for a worker behind a circle of which these workers are, a loop and finalisers
# that stand in one; a lock of which only the waiter is known, or that is polled; clients of a
# server whose threads are all busy; and what two rules find of the same threads.
_TOLD_BY = {
    "thread-pool starvation": ("deadlock",),
    "loop blocked": ("deadlock",),
    "GC in the hot path": ("deadlock",),
    "lock convoy": ("loop blocked", "task never yields"),
    "busy loop": ("busy loop", "lock convoy"),
    "new connections": ("busy loop", "wait in vain"),
    "slow answer": ("pool exhausted",),
    "workers never exit": ("workers never exit",),
}


def is_advice(finding: Finding) -> bool:
    """Whether it may be as it must be: no fault is known."""
    return finding.finding in _ADVICE


def in_order(found: Iterable[Finding]) -> list[Finding]:
    """The most expensive first, but for what others led to.

    The workers of a pool may all wait for one lock: then the lock is the cause.
    """
    ranked = sorted(
        found,
        key=lambda f: (
            _FIRST.index(f.finding) if f.finding in _FIRST else len(_FIRST),
            is_advice(f),
            -f.severity_ns,
            f.finding,
            f.text,
        ),
    )
    ranked = [one for n, one in enumerate(ranked) if not _is_told(one, ranked[:n])]
    ordered = list[Finding]()
    for n, finding in enumerate(ranked):
        cause = next((other for other in ranked[n + 1 :] if _led_to(other, finding)), None)
        ordered += [one for one in (cause, finding) if one and one not in ordered]
    return ordered


def _is_told(finding: Finding, before: list[Finding]) -> bool:
    """Whether one that comes before tells of the same lines or threads of its process, and of
    all that this one says."""
    tell_it = _TOLD_BY.get(finding.finding, ())
    return bool(finding.about) and any(
        other.finding in tell_it
        and finding.about <= other.about
        and finding.evidence.pid == other.evidence.pid
        for other in before
    )


def _led_to(cause: Finding, finding: Finding) -> bool:
    """Whether those who made others wait mostly waited at the line of the cause."""
    if cause.finding == _ALL_TAKEN and cause.behind == finding.behind:
        return False  # these wait for the same: no cause, but a pool that is told twice
    is_same = cause.evidence.site == finding.evidence.site and cause.finding != _CLIENT
    if is_same and finding.finding in _SLOTS:
        return False  # it tells of those who have the slots, at this line, itself
    return (
        (cause.evidence.site == finding.behind != "" or _have_its_workers(cause, finding))
        and finding.finding not in _FIRST
        and (cause.finding not in _ADVICE or cause.finding == _IS_CAUSE)
        and cause.severity_ns * _LESS >= finding.severity_ns
    )


def _have_its_workers(cause: Finding, finding: Finding) -> bool:
    """Whether the workers of a pool that are all taken are those who wait for the cause, and
    both end at the same line: what these wait for keeps the pool's jobs from going on."""
    return (
        finding.finding == _ALL_TAKEN
        and cause.finding in _TAKE_THEM
        and cause.behind == finding.behind != ""
        and stem(cause.evidence.track) == stem(finding.evidence.track)
    )


_OF_SERVICES = ("uneven workers", "pickling", "idle workers", "pool too large")


def across(facts: Facts, found: Iterable[Finding]) -> list[Finding]:
    """Findings of several processes: each says which one; the same in many is said once."""
    family = Family.of(facts.model)
    if len(family.members) < 2:
        return list(found)
    groups: dict[tuple[str, str, str], list[Finding]] = defaultdict(list)
    for one in found:
        site = one.evidence.site
        # Without a place it is told from others by its words, but for numbers.
        groups[one.finding, site, "" if site else stem(one.text)].append(one)
    told = []
    for same in groups.values():
        worst = max(same, key=lambda one: one.severity_ns)
        names = {_process_of(family, one.evidence) for one in same} - {""}
        name = _process_of(family, worst.evidence)
        if len(names) < 2:
            told += [_within(family, one) for one in same]
            continue
        others = plural(len(names) - 1, "other process", "other processes")
        told.append(
            worst._replace(
                severity_ns=sum(one.severity_ns for one in same),
                text=f"In {code(name)}, and {others}: {worst.text}",
            )
        )
    return told


def _within(family: Family, one: Finding) -> Finding:
    name = _process_of(family, one.evidence)
    is_said = one.finding in _OF_SERVICES or not name or one.processes > 1
    return one if is_said else one._replace(text=f"In {code(name)}: {one.text}")


def _process_of(family: Family, evidence: Evidence) -> str:
    """The name of the process that had the pid at that time."""
    process = family.at(evidence.pid, evidence.start_ns)
    return family.members[process].name if process >= 0 else ""
