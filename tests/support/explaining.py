"""What the tests of `why` have in common."""

from pathlib import Path

from tests.support.builder.family import Family
from tests.support.builder.threads import Thread
from tests.support.stories.waits import MS
from viewer.analysis.causes.part import Cause, Kind
from viewer.analysis.why.asked import Asked
from viewer.analysis.why.explain import Explanation
from viewer.analysis.why.worst import Answer, worst_waits
from viewer.render.text.steps import step_text
from viewer.render.text.why import paragraph
from viewer.trace.model import Model, build_model
from viewer.trace.reader import read_trace


def answer(model: Model, **asked: str | int) -> Answer:
    return worst_waits(model, 10, Asked(**asked))  # type: ignore[arg-type]


def adds_up(causes: tuple[Cause, ...], ns: int) -> None:
    assert sum(cause.ns for cause in causes) == ns
    for cause in causes:
        if cause.parts:
            adds_up(cause.parts, cause.ns)


def told(tmp_path: Path, family: Family) -> tuple[Explanation, str]:
    """The worst wait of the first process, which adds up, and its paragraph."""
    model = build_model(read_trace(family.write(tmp_path)))
    for problem in answer(model).problems:
        if problem.worst.waiter.process == 0:
            adds_up(problem.worst.causes, problem.worst.wait.ns)
            return problem.worst, paragraph(problem)
    raise AssertionError("nobody waited")


def parts(causes: tuple[Cause, ...]) -> list[tuple[Kind, str, float]]:
    return [(cause.kind, cause.who, cause.ns / MS) for cause in causes]


def path(explanation: Explanation) -> list[str]:
    return [step_text(step) for step in explanation.path]


def parent() -> tuple[Family, Thread]:
    family = Family("/app/service.py")
    return family, family.first.thread("MainThread", 100).running(0)
