"""A finding leads to the slice that shows it, on the page that draws it."""

import json

import pytest

from tests.support.models import model_of
from tests.support.stories.waits import MS, gil_hog
from tests.unit.findings.test_locks import across, circle, convoy
from tests.unit.findings.test_loops import steps
from viewer.server.answers import Answers


@pytest.mark.parametrize(
    ("story", "kind", "page", "group"),
    [
        (lambda: steps(3, 30 * MS).end(), "loop blocked", "tasks", "loops"),
        (lambda: convoy(40), "lock convoy", "locks", "waits"),
        (circle, "deadlock", "locks", "waits"),
        (across, "lock held across await", "locks", "waits"),
        (gil_hog, "GIL hog", "threads", "threads"),
    ],
)
def test_evidence_is_selected(tmp_path, story, kind, page, group):
    """The slice begins when the finding says, and is on a lane that the page has."""
    answers = Answers(model_of(tmp_path, story()))
    told = json.loads(answers.routes["api/findings"]({}).body)
    finding, place = next(
        pair
        for pair in zip(told["findings"], told["places"], strict=True)
        if pair[0]["finding"] == kind
    )
    name, _, row = place["sel"].partition(":")
    assert (place["page"], name) == (page, group)
    shown = json.loads(answers.routes["api/slice"]({"group": name, "row": row}).body)
    start_ns = finding["evidence"]["start_ns"] - answers.model.start_ns
    assert (shown["start_ns"], shown["ns"]) == (start_ns, finding["evidence"]["duration_ns"])


def test_without_findings(tmp_path):
    """The page says it in the words of the report."""
    answers = Answers(model_of(tmp_path, steps(1, MS).end()))
    told = json.loads(answers.routes["api/findings"]({}).body)
    assert (told["places"], told["none"]) == ([], "none of the known problems was found.")
