"""A finding leads to the slice that shows it, on the page that draws it."""

import json

import pytest

from tests.support.finding import Service
from tests.support.models import model_of
from tests.support.stories.waits import MS, async_lock, blocked_loop, gil_hog, lock_convoy
from viewer.analysis.findings.basis.facts import Evidence
from viewer.server.answers import Answers
from viewer.server.evidence import shown_at


@pytest.mark.parametrize(
    ("story", "page", "group"),
    [
        (lambda: Service().blocks(3, 30 * MS), "tasks", "loops"),
        (gil_hog, "threads", "threads"),
    ],
)
def test_evidence_is_selected(tmp_path, story, page, group):
    """The slice begins when the finding says, and is on a lane that the page has."""
    answers = Answers(model_of(tmp_path, story()))
    told = json.loads(answers.routes["api/findings"]({}).body)
    (finding,), (place,) = told["findings"], told["places"]
    name, _, row = place["sel"].partition(":")
    assert (place["page"], name) == (page, group)
    shown = json.loads(answers.routes["api/slice"]({"group": name, "row": row}).body)
    start_ns = finding["evidence"]["start_ns"] - answers.model.start_ns
    assert (shown["start_ns"], shown["ns"]) == (start_ns, finding["evidence"]["duration_ns"])


def test_waits_for_locks_are_on_the_page_of_locks(tmp_path):
    """Of a thread and of a task; the waiter's lane there, not that of another lock."""
    for story, is_task in ((lock_convoy, False), (async_lock, True)):
        answers = Answers(model_of(tmp_path, story()))
        model = answers.model
        table = model.states
        for row in answers.groups["waits"].lanes.row:
            who, lock = table.who[row], table.row[row]
            start_ns = table.start_ns[row]
            evidence = Evidence(
                start_ns,
                table.end_ns[row] - start_ns,
                "",
                task=model.owners.task_id[who] if is_task else -1,
                tid=-1 if is_task else model.threads[who].tid,
                lock=table.lock_id[lock],
                pid=model.pid(table.lock_process[lock]),
            )
            assert shown_at(model, answers.groups, evidence) == {
                "page": "locks",
                "sel": f"waits:{row}",
            }


def test_evidence_of_a_task(tmp_path):
    """The page of its coroutine, where its lane is."""
    model = model_of(tmp_path, blocked_loop())
    answers = Answers(model)
    lanes = answers.groups["tasks"].lanes
    place = lanes.offset[1]
    start_ns = lanes.start_ns[place]
    evidence = Evidence(
        start_ns, lanes.end_ns[place] - start_ns, "", model.owners.task_id[1], pid=100
    )
    coro, site = model.coroutine(model.owners.task_group[1])
    assert shown_at(model, answers.groups, evidence) == {
        "page": "tasks",
        "sel": f"tasks:{lanes.row[place]}",
        "coro": coro,
        "site": site,
    }


def test_evidence_without_a_slice(tmp_path):
    """Nothing is selected that is not the evidence."""
    model = model_of(tmp_path, gil_hog())
    evidence = Evidence(model.end_ns + MS, MS, "gone", tid=1, pid=2)
    assert shown_at(model, Answers(model).groups, evidence) is None


def test_without_findings(tmp_path):
    """The page says it in the words of the report."""
    answers = Answers(model_of(tmp_path, Service().blocks(1, MS)))
    told = json.loads(answers.routes["api/findings"]({}).body)
    assert (told["places"], told["none"]) == ([], "none of the known problems was found.")
