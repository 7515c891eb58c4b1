"""Awaits of other tasks that are still open at the end: which task they are for."""

from pathlib import Path

import pytest

from tests.support.builder.trace import Task, TraceBuilder
from tests.support.explaining import adds_up, answer
from tests.support.models import model_of
from tests.support.stories.waits import MS
from viewer.analysis.causes.part import Kind
from viewer.analysis.why.explain import Explanation
from viewer.render.text.why import paragraph

SITE = "/app/a.py:1 wait"


def explained(folder: Path, trace: TraceBuilder) -> Explanation:
    return answer(model_of(folder, trace.ended(100 * MS)), task="parent").problems[0].worst


def blamed(found: Explanation) -> list[tuple[str, str, int]]:
    adds_up(found.causes, found.wait.ns)
    return [(str(cause.kind), cause.who, cause.ns) for cause in found.causes]


class Story:
    """`parent` makes tasks at 1, 2, … ms in one step, and awaits from 10 ms on."""

    def __init__(self) -> None:
        self.trace = TraceBuilder()
        self.loop = self.trace.loop(self.trace.thread("MainThread"))
        self.parent = self.loop.task("parent", name="parent", site=SITE)
        self.parent.ready(0).running(MS // 2)

    def child(self, name: str, at: int, parent: int = 0) -> Task:
        made = self.loop.task(name, name=name, site=SITE, parent=parent or self.parent.id)
        return made.ready(at).running(at + 10 * MS)


@pytest.mark.parametrize("what", ["gather", "wait", "as_completed", "TaskGroup", "nursery"])
def test_the_child_that_lives(tmp_path: Path, what: str) -> None:
    """Not the one that has ended, nor another task's child."""
    story = Story()
    story.child("over", MS).done(30 * MS)
    story.child("stuck", 2 * MS).awaits(20 * MS, "Event", site="/app/a.py:9 stuck")
    story.child("other", 3 * MS, parent=77).awaits(13 * MS, "Event", site=SITE)
    story.parent.awaits(10 * MS, what, site=SITE)
    found = explained(tmp_path, story.trace)
    assert blamed(found) == [(Kind.UNENDED, "stuck", 90 * MS)]
    assert [(step.who, step.what) for step in found.path[:2]] == [
        ("parent", f"await {what}"),
        ("stuck", "await Event"),
    ]


def test_of_several_the_one_that_waits_longest(tmp_path: Path) -> None:
    """One that still does something is not what the others wait for."""
    story = Story()
    busy = story.child("busy", MS).awaits(12 * MS, "sleep", site=SITE)
    story.child("stuck", 2 * MS).awaits(20 * MS, "Event", site="/app/a.py:9 stuck")
    busy.ready(90 * MS, waker="timer").running(91 * MS).awaits(92 * MS, "sleep", site=SITE)
    story.parent.awaits(10 * MS, "gather", site=SITE)
    found = answer(model_of(tmp_path, story.trace.ended(100 * MS)), task="parent").problems[0]
    assert blamed(found.worst) == [(Kind.UNENDED, "stuck", 90 * MS)]
    assert paragraph(found).endswith(
        "was still waiting when the trace ended. For all of that time it waited for `stuck`, "
        "which spent 80.0 ms awaiting `Event` (a.py:9) and 8.00 ms unknown."
    )


def test_what_was_made_in_an_earlier_step_goes_on_beside_it(tmp_path: Path) -> None:
    story = Story()
    story.child("background", MS).awaits(11 * MS, "Queue.get", site=SITE)
    story.parent.awaits(12 * MS, "sleep", site=SITE)
    story.parent.ready(13 * MS, waker="timer").running(14 * MS)
    story.child("fetch", 15 * MS).awaits(30 * MS, "response", site=SITE)
    story.parent.awaits(20 * MS, "gather", site=SITE)
    assert blamed(explained(tmp_path, story.trace)) == [(Kind.UNENDED, "fetch", 80 * MS)]


@pytest.mark.parametrize("names", [("job",), ("job", "job")])
def test_a_task_by_its_name(tmp_path: Path, names: tuple[str, ...]) -> None:
    """Whoever made it; of two of one name, nobody knows which."""
    story = Story()
    for number, name in enumerate(names):
        job = story.child(name, (number + 1) * MS, parent=77)
        job.awaits(20 * MS, "Event", site=SITE)
    story.parent.awaits(10 * MS, "task job", site=SITE)
    kind, who = (Kind.UNENDED, "job") if len(names) == 1 else (Kind.UNKNOWN, "")
    assert blamed(explained(tmp_path, story.trace)) == [(kind, who, 90 * MS)]


@pytest.mark.parametrize("what", ["gather", "Event"])
def test_nobody_is_known(tmp_path: Path, what: str) -> None:
    """Tasks that others made are awaited, or it is no await of tasks."""
    story = Story()
    parent = 77 if what == "gather" else 0
    story.child("stuck", 2 * MS, parent=parent).awaits(20 * MS, "sleep", site=SITE)
    story.parent.awaits(10 * MS, what, site=SITE)
    assert blamed(explained(tmp_path, story.trace)) == [(Kind.UNKNOWN, "", 90 * MS)]
