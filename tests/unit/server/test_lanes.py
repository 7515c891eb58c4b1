"""The lanes of the page and the numbers beside its strips."""

import json

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.models import model_of
from tests.support.stories.waits import MS, blocked_loop, gil_hog, lock_convoy
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


def test_waiters_have_lanes_of_their_own(tmp_path):
    """However many wait at once, no two share a lane; a lane that is free is used again."""
    trace = TraceBuilder(signals="locks")
    site = "/app/a.py:2 f"
    lock = trace.lock("Lock", site)
    for n in range(80):
        waiter = trace.thread(f"waiter-{n}")
        for at in (1000 + n, 3 * MS):
            waiter.lock_wait(at, "Lock", lock=lock, site=site, acquired=False).end(at + MS)
    answers = Answers(model_of(tmp_path, trace.ended(10 * MS)))
    lanes = answers.groups["waits"].lanes
    assert len(lanes.offset) - 1 == 80
    for lane in range(80):
        low, high = lanes.offset[lane], lanes.offset[lane + 1]
        assert high - low == 2
        assert lanes.end_ns[low] <= lanes.start_ns[high - 1]
    (told,) = json.loads(answers.routes["api/locks"]({}).body)
    assert (len(told["waits"]), told["more"]) == (64, 16)


@pytest.mark.parametrize("group", ["threads", "loops", "tasks", "gil", "gc", "locks", "waits"])
def test_neighbours_of_a_slice(tmp_path, group):
    """Step by step, each slice of a lane is reached, forwards and backwards."""
    stories = (blocked_loop, gil_hog, lock_convoy)
    answers = [Answers(model_of(tmp_path, story())) for story in stories]
    seen = 0
    for one in answers:
        lanes = one.groups[group].lanes
        for lane in range(len(lanes.offset) - 1):
            rows = list(lanes.row[lanes.offset[lane] : lanes.offset[lane + 1]])
            for before, row, after in zip([-1, *rows], rows, [*rows[1:], -1], strict=False):
                query = {"group": group, "row": str(row)}
                told = json.loads(one.routes["api/slice"](query).body)
                assert [told[key] for key in ("lane", "before", "after")] == [
                    lane,
                    before,
                    after,
                ]
                seen += 1
    assert seen


def test_some_tasks_of_each_coroutine(tmp_path):
    """Without a coroutine the page gets those with the longest delays, five of each."""
    trace = TraceBuilder(signals="tasks")
    loop = trace.loop(trace.thread("MainThread"))
    for n in range(7):
        task = loop.task("many", name=f"many-{n}", site="/app/a.py:1 many")
        task.ready(n * MS).running((2 * n + 1) * MS).done((2 * n + 2) * MS)
    one = loop.task("one", name="one", site="/app/a.py:9 one")
    one.ready(0).running(2 * MS).done(3 * MS)
    answers = Answers(model_of(tmp_path, trace.ended(20 * MS)))
    told = json.loads(answers.routes["api/tasks"]({}).body)
    assert told["count"] == 8
    assert [(row["name"], row["coro"]) for row in told["tasks"]] == [
        *((f"many-{n}", "many") for n in (6, 5, 4, 3, 2)),
        ("one", "one"),
    ]


def test_threads_that_differ_only_in_a_number(tmp_path):
    """They have the same stem and began in the same function of the user."""
    trace = TraceBuilder(signals="locks")
    for n, begun in enumerate(("serve", "serve", "poll")):
        thread = trace.thread(f"worker-{n}")
        stack = (
            f"/usr/lib/python3.13/queue.py:5 get\n/app/a.py:{n} f\n/app/a.py:{9 + n} {begun}"
        )
        thread.lock_wait(n, "Lock", lock=n + 1, site="/app/a.py:1 f", acquired=False)
        assert thread.state is not None
        thread.state.args["stack"] = stack
        thread.end(MS)
    answers = Answers(model_of(tmp_path, trace.ended(2 * MS)))
    report = json.loads(answers.routes["api/report"]({}).body)
    names = [row["name"] for row in report["threads"]]
    assert sorted(zip(names, report["stems"], strict=True)) == [
        ("worker-0", ["worker-N", "/app/a.py serve"]),
        ("worker-1", ["worker-N", "/app/a.py serve"]),
        ("worker-2", ["worker-N", "/app/a.py poll"]),
    ]
