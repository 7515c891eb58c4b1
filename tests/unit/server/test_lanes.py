"""The lanes of the page and the numbers beside its strips."""

import json

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.models import model_of
from tests.support.stories.waits import MS, blocked_loop, gil_hog
from viewer.server.answers import Answers

BLOCKED = 9


def strips(model):
    return json.loads(Answers(model).routes["api/strips"]({}).body)


def test_strips_count_each_moment_once(tmp_path):
    """Two loops that run at once, and a step inside another one, are busy once."""
    trace = TraceBuilder(signals="tasks")
    for name in ("MainThread", "other"):
        loop = trace.loop(trace.thread(name))
        task = loop.task("work", site="/app/a.py:1 work")
        task.ready(0).running(MS).done(4 * MS)
        loop.step(task, MS, 4 * MS)
        loop.select(4 * MS, 8 * MS)
    callback = trace.loop(trace.thread("third"))
    callback.callback("f", "/app/a.py:9 f", 3 * MS, 6 * MS)
    model = model_of(tmp_path, trace.ended(10 * MS))
    assert strips(model) == {"loops": 5 * MS, "gil": None, "gc": None}


def test_strips_agree_with_the_report(tmp_path):
    """The GIL was held as long as all threads together held it."""
    model = model_of(tmp_path, gil_hog())
    report = json.loads(Answers(model).routes["api/report"]({}).body)
    held = sum(
        row["states"]["running"] + sum(row["holding_gil"].values())
        for row in report["threads"]
    )
    assert strips(model)["gil"] == held > 0


def test_steps_that_block_the_loop_have_a_code_of_their_own(tmp_path):
    """On the lane of the loop and on that of the task; shorter ones keep theirs."""
    answers = Answers(model_of(tmp_path, blocked_loop()))
    for name in ("loops", "tasks"):
        lanes = answers.groups[name].lanes
        long = [
            lanes.end_ns[i] - lanes.start_ns[i]
            for i in range(len(lanes.row))
            if lanes.code[i] == BLOCKED
        ]
        assert long == [pytest.approx(31 * MS, abs=MS)]
