"""What is said where no finding of a known kind of fault explains the time that was lost."""

from collections.abc import Iterable, Iterator, Sequence

from viewer.analysis.findings.basis.facts import Facts, Finding
from viewer.analysis.findings.basis.waits import LongWaits
from viewer.analysis.findings.vain.afterothers import after_others
from viewer.analysis.findings.vain.invain import waits_in_vain

_SHAPES = (after_others, waits_in_vain)
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
        for shape in _SHAPES
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
