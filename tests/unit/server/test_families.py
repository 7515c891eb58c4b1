"""Several processes on the page: their lanes, the tree, what a click shows, a shared file."""

import base64
import json
import re
import zlib

import pytest

from tests.support.builder.family import Family
from tests.support.stories.processes import pool, service
from viewer.server.answers import Answers
from viewer.server.share import render_html
from viewer.trace.model import build_model
from viewer.trace.reader import read_trace

MS = 1_000_000


def answers_of(tmp_path, family: Family) -> Answers:
    return Answers(build_model(read_trace(family.write(tmp_path))))


def asked(answers: Answers, name: str, **query: str):
    return json.loads(answers.routes[f"api/{name}"](query).body)


def lives(answers: Answers, name: str = "processes"):
    """By lane the (begin, end, label) of its slices, in ms."""
    group, start = answers.groups[name], answers.model.start_ns
    lanes = group.lanes
    return [
        [
            (
                (lanes.start_ns[i] - start) // MS,
                (lanes.end_ns[i] - start) // MS,
                group.label(lanes.row[i]),
            )
            for i in range(lanes.offset[lane], lanes.offset[lane + 1])
        ]
        for lane in range(len(group.titles))
    ]


def test_lanes_of_processes(tmp_path):
    """Starting, then the life, with its end; the lane is that of the tree."""
    answers = answers_of(tmp_path, service())
    assert lives(answers) == [
        [(0, 101, "serve.py: ended")],
        [(10, 12, "starting"), (12, 95, "worker 1: SIGKILL")],
        [(20, 22, "starting"), (22, 85, "child 1: exit 0")],
        [(30, 45, "starting"), (45, 75, "job.py: exit 3")],
    ]
    tree = asked(answers, "meta")["processes"]
    assert [(one["name"], one["depth"], one["lane"], one["end"]) for one in tree] == [
        ("serve.py", 0, 0, "ended"),
        ("worker 1", 1, 1, "SIGKILL"),
        ("child 1", 1, 2, "exit 0"),
        ("job.py", 2, 3, "exit 3"),
    ]


def test_lanes_say_their_process(tmp_path):
    """Threads, GIL and GC, by the number of the process."""
    meta = asked(answers_of(tmp_path, service()), "meta")
    assert [one["process"] for one in meta["groups"]["threads"]] == [0, 1, 2, 3]
    assert [(one["detail"], one["process"]) for one in meta["groups"]["gc"]] == [
        ("serve.py", 0),
        ("worker 1", 1),
        ("child 1", 2),
        ("job.py", 3),
    ]
    assert [one["process"] for one in meta["threads"]] == [0, 1, 2, 3]


def test_arrows_of_a_process(tmp_path):
    """Who started it, and what it started."""
    answers = answers_of(tmp_path, service())
    rows = [row for row, label in enumerate(map(answers.groups["processes"].label, range(7)))
            if label.startswith("child 1")]  # fmt: skip
    told = asked(answers, "slice", group="processes", row=str(rows[0]))
    assert (told["title"], told["whose"], told["ns"] // MS) == ("child 1", "exit 0", 63)
    assert [(one["what"], one["title"], one["start_ns"] // MS) for one in told["links"]] == [
        ("started by", "serve.py", 20),
        ("started", "job.py", 30),
    ]
    other = asked(answers, "slice", group="processes", row=str(told["links"][1]["row"]))
    assert other["title"] == "job.py"
    assert told["args"] == {
        "pid": 102,
        "program": "/app/serve.py --port 1",
        "origin": "fork",
        "site": "/app/service.py:9 start",
    }


def test_a_job(tmp_path):
    """What its worker did meanwhile, who submitted it, who read the result."""
    answers = answers_of(tmp_path, pool())
    assert lives(answers, "jobs") == [
        [],
        [(10, 40, "resize")],
        [(12, 22, "resize"), (30, 50, "resize")],
    ]
    told = asked(answers, "slice", group="jobs", row="2")
    assert (told["title"], told["whose"]) == ("job resize", "two")
    assert told["args"]["exception"] == "ValueError"
    assert [(one["kind"], one["ns"] // MS) for one in told["did"]] == [("computing", 20)]
    assert [(one["what"], one["title"]) for one in told["links"]] == [
        ("submitted by", "MainThread [batch.py]"),
        ("result read by", "QueueManagerThread [batch.py]"),
    ]
    assert (told["links"][0]["row"], told["links"][1]["row"]) == (0, -1)
    assert told["before"] == 1


def test_a_wait_for_a_message(tmp_path):
    """It leads to what wrote the message, at that moment."""
    family = Family("/app/serve.py")
    main = family.first.thread("MainThread", 100).running(0)
    child = family.fork(main, MS, 101, name="worker 1")
    other = family.main(child).running(2 * MS).end(50 * MS)
    main.io(10 * MS, "os.read").running(40 * MS).end(60 * MS)
    family.message(other, 30 * MS, main, 10 * MS, 41 * MS)
    child.ended(51 * MS)
    family.first.ended(61 * MS)
    answers = answers_of(tmp_path, family)
    links = [
        asked(answers, "slice", group="threads", row=str(row))["links"]
        for row, lane in enumerate(answers.groups["threads"].lane)
        if lane >= 0
    ]
    (link,) = [link for found in links for link in found]
    assert (link["what"], link["title"], link["start_ns"] // MS) == (
        *("written by", "MainThread [worker 1]", 30),
    )
    assert answers.groups["threads"].label(link["row"]).startswith("running")


@pytest.mark.parametrize("story", [service, pool])
def test_every_slice_can_be_shown(tmp_path, story):
    answers = answers_of(tmp_path, story())
    for name in ("processes", "jobs", "threads"):
        for row, lane in enumerate(answers.groups[name].lane):
            if lane >= 0:
                told = asked(answers, "slice", group=name, row=str(row))
                assert told["lane"] == lane


def test_parents_of_tasks_are_of_their_process(tmp_path):
    """Numbers of tasks begin anew in each process."""
    family = Family("/app/serve.py")
    main = family.first.thread("MainThread", 100).running(0)
    child = family.fork(main, MS, 101)
    for process, thread, name in (
        (family.first, main, "first"),
        (child, family.main(child).running(MS), "second"),
    ):
        loop = process.loop(thread)
        parent = loop.task(name, name=name, site=f"/app/serve.py:1 {name}")
        work = loop.task("work", site="/app/serve.py:2 work", parent=parent.id)
        parent.ready(2 * MS).running(3 * MS)
        work.ready(3 * MS, by=parent)
        parent.done(4 * MS)
        loop.step(parent, 3 * MS, 4 * MS)
        work.running(5 * MS).done(6 * MS)
        loop.step(work, 5 * MS, 6 * MS)
        thread.end(7 * MS)
        process.ended(8 * MS)
    told = asked(
        answers_of(tmp_path, family), "tasks", coro="work", site="/app/serve.py:2 work"
    )
    assert sorted(one["parent"] for one in told["tasks"]) == ["first", "second"]


def test_shared_file(tmp_path):
    """It has the tiles that the pages ask for, process by process."""
    model = build_model(read_trace(service().write(tmp_path)))
    page = render_html(model).decode()
    (packed,) = re.findall(r'"answers":"([^"]*)"', page)
    told = json.loads(zlib.decompress(base64.b64decode(packed)))
    assert told["slice?group=processes&row=0"]["title"] == "serve.py"
    for key in ("processes/3/", "gil/2/", "threads/1/", "gc/0/"):
        assert f'"{key}' in page
