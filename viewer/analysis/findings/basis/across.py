"""Findings of several processes: which process each is of, and what many have in common."""

from collections import defaultdict
from collections.abc import Iterable

from tracer.units import plural
from viewer.analysis.findings.basis.facts import Evidence, Facts, Finding
from viewer.analysis.processes.family import Family
from viewer.words import code, stem

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
