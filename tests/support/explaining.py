"""What the tests of `why` have in common."""

from viewer.analysis.causes.part import Cause
from viewer.analysis.why.asked import Asked
from viewer.analysis.why.worst import Answer, worst_waits
from viewer.trace.model import Model


def answer(model: Model, **asked: str | int) -> Answer:
    return worst_waits(model, 10, Asked(**asked))  # type: ignore[arg-type]


def adds_up(causes: tuple[Cause, ...], ns: int) -> None:
    assert sum(cause.ns for cause in causes) == ns
    for cause in causes:
        if cause.parts:
            adds_up(cause.parts, cause.ns)
