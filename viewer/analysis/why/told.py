"""Which finding of the report tells of a wait that is explained."""

from collections.abc import Iterable, Sequence

from viewer.analysis.findings.basis.facts import Finding
from viewer.analysis.why.explain import Explanation
from viewer.trace.model import Model


def finding_of_each(
    model: Model, waits: Iterable[Explanation], found: Sequence[Finding]
) -> list[Finding | None]:
    """For each wait the first finding that tells of it, which then tells of no other one."""
    left, told = list(found), list[Finding | None]()
    for wait in waits:
        one = next((each for each in left if _tells_of(model, each, wait)), None)
        told.append(one)
        if one is not None:
            left.remove(one)
    return told


def _tells_of(model: Model, finding: Finding, explanation: Explanation) -> bool:
    """Whether it is about the line that waits, or who waits then, for half of the time."""
    evidence, wait, waiter = finding.evidence, explanation.wait, explanation.waiter
    if evidence.pid != model.pid(waiter.process):
        return False
    if explanation.site and explanation.site == evidence.site:
        return True
    is_waiter = evidence.task == waiter.task and evidence.tid == waiter.tid
    end_ns = min(evidence.start_ns + evidence.duration_ns, wait.end_ns)
    return is_waiter and 2 * (end_ns - max(evidence.start_ns, wait.start_ns)) >= wait.ns
