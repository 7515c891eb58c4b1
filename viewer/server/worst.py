"""The worst waits: the text of `tracer why`, and their slices on the page."""

from viewer.analysis.why.asked import Asked
from viewer.analysis.why.worst import Problem, worst_waits
from viewer.render.json.values import Json
from viewer.render.text.why import paragraph
from viewer.trace.model import Model

_MOST = 12


def worst(model: Model) -> tuple[Problem, ...]:
    """The worst wait of each problem, the worst problem first."""
    return worst_waits(model, _MOST, Asked()).problems


def place(problem: Problem) -> tuple[str, int]:
    """The group and row of the wait, for the page to select."""
    wait = problem.worst.wait
    return "tasks" if wait.of_task else "threads", wait.row


def worst_json(model: Model, problems: tuple[Problem, ...]) -> Json:
    """Times are in ns since the start of the trace."""
    found: list[Json] = []
    for problem in problems:
        group, row = place(problem)
        wait = problem.worst.wait
        found.append(
            {
                "group": group,
                "row": row,
                "what": wait.what.value,
                "who": problem.worst.waiter.name,
                "start_ns": wait.start_ns - model.start_ns,
                "ns": wait.ns,
                "count": problem.count,
                "total_ns": problem.total_ns,
                "text": paragraph(problem),
            }
        )
    return found
