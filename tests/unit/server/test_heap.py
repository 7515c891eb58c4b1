"""The page's memory: a tree of sampled allocations, what is live over time, and ranges."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.builder.family import Family
from tests.support.builder.heap import Heap
from tests.support.builder.trace import TraceBuilder
from tests.support.models import model_of
from tests.support.stories.memory import FILL, memory, memory_and_heap
from tests.support.stories.waits import MS, blocked_loop
from tracer import schema as s
from viewer.analysis.findings.basis.facts import Evidence
from viewer.analysis.profiles.profile import Place, Sample
from viewer.server.answers import Answers
from viewer.server.evidence import shown_at
from viewer.server.heap import largest, live
from viewer.server.share import render_html
from viewer.trace.model import Model

TYPES = ["alloc_objects", "alloc_space", "inuse_objects", "inuse_space"]
MOST_STACKS, MOST_BYTES = 2_000, 700_000


def asked(model: Model, name: str, **query: str) -> Any:
    return json.loads(Answers(model).routes[f"api/{name}"](query).body)


def span(from_ms: int, to_ms: int) -> dict[str, str]:
    return {"from": str(from_ms * MS), "to": str(to_ms * MS)}


def told(node: dict[str, Any]) -> dict[str, list[int]]:
    """The functions below a node, with their values."""
    return {child["function"]: child["values"] for child in node["children"]}


def test_tree(tmp_path: Path) -> None:
    """All four numbers of every call add up to those of its caller and what it has itself."""
    found = asked(model_of(tmp_path, memory()), "heap")
    assert found["types"] == TYPES
    assert (found["stacks"], found["rest"], found["samples"]) == (4, 0, 5)
    assert found["mean_bytes"] == 1
    tree = found["tree"]
    assert tree["values"] == [5, 460_000, 2, 300_000]
    assert told(tree) == {
        "main.main": [3, 400_000, 2, 300_000],
        "[no stack]": [1, 10_000, 0, 0],
        "main.handler": [1, 50_000, 0, 0],
    }
    (main,) = (one for one in tree["children"] if one["function"] == "main.main")
    assert told(main) == {"cache.Cache.fill": [3, 400_000, 2, 300_000]}
    assert told(main["children"][0]) == {"json.decoder.decode": [2, 250_000, 1, 150_000]}


@pytest.mark.parametrize(
    ("from_ms", "to_ms", "values"),
    [
        (0, 12, [2, 250_000, 2, 250_000]),
        (12, 20, [0, 0, 1, 150_000]),
        (20, 35, [1, 50_000, 2, 200_000]),
        (20, 65, [2, 200_000, 2, 300_000]),
        (75, 100, [0, 0, 2, 300_000]),
        (0, 100, [5, 460_000, 2, 300_000]),
    ],
)
def test_range(tmp_path: Path, from_ms: int, to_ms: int, values: list[int]) -> None:
    """Allocated in the range; live at its end, whenever it was allocated."""
    found = asked(model_of(tmp_path, memory()), "heap", **span(from_ms, to_ms))
    assert found["tree"]["values"] == values
    assert found["until_ns"] == to_ms * MS


def test_tables_of_a_range(tmp_path: Path) -> None:
    """They say the same as the tree; growth is that since halfway through the range."""
    found = asked(model_of(tmp_path, memory()), "report", **span(20, 66))
    rows = {row["site"]: row for row in found["memory"]["sites"]}
    fill = rows[FILL]
    assert (fill["live_bytes"], fill["allocated_bytes"]) == (300_000, 150_000)
    assert fill["grown_bytes"] == 150_000  # 150 kB at 43 ms
    handler = rows["/app/main.py:21 handler"]
    assert (handler["live_bytes"], handler["allocated_bytes"]) == (0, 50_000)
    assert set(rows) == {FILL, "/app/main.py:21 handler"}
    # What was there before the range was not made in it.
    outlives = {row["site"]: row["allocated_bytes"] for row in found["escape"]["lines"]}
    assert outlives == {FILL: 150_000, "/app/main.py:21 handler": 50_000}


def test_regions_of_a_range_are_unknown(tmp_path: Path) -> None:
    """One that was left before the range may have made what is live at its end."""
    trace = TraceBuilder(signals="heap")
    user = trace.track(s.TRACK_USER, parent=trace.thread("MainThread", trace.pid).track)
    trace.begin(user, 0, "load", s.CAT_USER)
    trace.end(user, 2 * MS)
    Heap(trace).alloc(MS, 1_000, FILL)
    model = model_of(tmp_path, trace.ended(10 * MS))
    (row,) = asked(model, "report")["memory"]["regions"]
    assert (row["region"], row["live_bytes"]) == ("load", 1_000)
    assert asked(model, "report", **span(5, 9))["memory"]["regions"] == []


def test_live_over_time(tmp_path: Path) -> None:
    """The counter as it is; a range begins with the value that it has there."""
    trace, heap = memory_and_heap()
    points = [(10, 150_000), (11, 250_000), (15, 150_000), (60, 300_000)]
    for at, size in points:
        heap.live(at * MS, size)
    model = model_of(tmp_path, trace)
    (whole,) = asked(model, "heap")["live"]
    assert whole == {
        "process": 0,
        "until_ns": 100 * MS,
        "points": [[at * MS, size] for at, size in points],
    }
    (part,) = asked(model, "heap", **span(12, 30))["live"]
    assert part["points"] == [[12 * MS, 250_000], [15 * MS, 150_000]]
    assert part["until_ns"] == 30 * MS


def test_a_process_that_has_ended(tmp_path: Path) -> None:
    """Its line ends with it; a later range has none."""
    family = Family("service.py")
    main = family.first.thread("MainThread").running(0)
    child = family.fork(main, at=10 * MS, pid=101, name="worker-1")
    for trace, at in ((family.first, 5 * MS), (child, 20 * MS)):
        heap = Heap(trace, since=at)
        heap.alloc(at + 1, 1_000, FILL)
        heap.live(at + 2, 1_000)
    family.ended(main, child, at=40 * MS, status=0)
    main.running(50 * MS).end(90 * MS)
    model = model_of(tmp_path, family)
    ends = [one["until_ns"] for one in asked(model, "heap")["live"]]
    assert ends[0] == 90 * MS
    assert 20 * MS < ends[1] <= 40 * MS
    later = asked(model, "heap", **span(60, 80))["live"]
    assert [(one["process"], one["points"]) for one in later] == [(0, [[60 * MS, 1_000]])]


def test_many_values_are_thinned(tmp_path: Path) -> None:
    """The largest one stays, and the last."""
    trace = TraceBuilder(signals="heap")
    trace.thread("MainThread", trace.pid)
    heap = Heap(trace)
    for n in range(5_000):
        heap.live(1 + n, 9_999 if n == 2_345 else n % 100)
    model = model_of(tmp_path, trace)  # killed: nobody says what is live at the end
    points = live(model, model.start_ns, model.end_ns)[0]
    assert len(points) <= 1_000
    assert points == sorted(points)
    assert (model.start_ns + 2_346, 9_999) in points
    assert points[-1] == (model.start_ns + 5_000, 99)


def test_small_stacks_are_together() -> None:
    """A stack counts by its largest part of any total."""
    samples = [
        Sample((Place("a"),), (1, 900)),
        Sample((Place("b"),), (98, 50)),
        Sample((Place("c"),), (1, 49)),
        Sample((Place("d"),), (0, 1)),
    ]
    shown, rest = largest(samples, 2)
    assert [(one.frames[0].function, one.values) for one in shown] == [
        ("b", (98, 50)),
        ("a", (1, 900)),
        ("[2 smaller stacks]", (1, 50)),
    ]
    assert rest == 2
    assert largest(samples, 4) == (samples, 0)


@pytest.mark.broad
def test_a_shared_file_stays_small(tmp_path: Path) -> None:
    """5,000 stacks of a depth of 20 that have little in common; nothing of the sum is lost."""
    trace = TraceBuilder(signals="heap")
    trace.thread("MainThread", trace.pid)
    heap = Heap(trace)
    for n in range(5_000):
        stack = [f"/app/m{n % 7}.py:{k} f{n >> k}_{k}" for k in range(20)]
        heap.alloc(1 + n, 1_000, *stack)
    model = model_of(tmp_path, trace.ended(6_000))
    found = asked(model, "heap")
    assert (found["stacks"], found["rest"]) == (5_000, 5_000 - MOST_STACKS)
    assert sum(child["values"][1] for child in found["tree"]["children"]) == 5_000_000
    assert len(render_html(model)) < MOST_BYTES


def test_source(tmp_path: Path) -> None:
    """The lines of a function with the same four numbers, of the range."""
    model = model_of(tmp_path, memory())
    query = {"of": "heap", "function": "cache.Cache.fill", "file": "/app/cache.py"}
    (line,) = asked(model, "source", **query)["lines"]
    assert line == {
        "line": 7,
        "text": "",
        "own": [1, 150_000, 1, 150_000],
        "values": [3, 400_000, 2, 300_000],
    }
    (line,) = asked(model, "source", **query, **span(0, 12))["lines"]
    assert (line["own"], line["values"]) == ([], [2, 250_000, 2, 250_000])


def test_not_recorded(tmp_path: Path) -> None:
    model = model_of(tmp_path, blocked_loop())
    found = asked(model, "heap")
    assert (found["tree"]["values"], found["live"], found["samples"]) == ([0] * 4, [], 0)
    report = asked(model, "report")
    assert report["memory"] is None
    assert "tracer run --heap" in report["why_not"]["memory"]


def test_a_finding_leads_there(tmp_path: Path) -> None:
    model = model_of(tmp_path, memory())
    evidence = Evidence(0, MS, s.TRACK_HEAP, site=FILL, pid=model.pid(0))
    groups = Answers(model).groups
    assert shown_at(model, groups, evidence) == {"page": "memory", "sel": ""}


def test_a_collection_says_what_it_freed(tmp_path: Path) -> None:
    """Where allocations were recorded, and only then."""
    trace = memory()
    trace.gc(80 * MS, 95 * MS, trace.pid, 2)  # the block without a stack is freed in it
    model = model_of(tmp_path, trace)
    assert asked(model, "slice", group="gc", row="0")["args"]["freed_bytes"] == 10_000
    without = TraceBuilder(signals="gc")
    without.thread("MainThread", without.pid)
    without.gc(1, 2, without.pid)
    args = asked(model_of(tmp_path, without.ended(9)), "slice", group="gc", row="0")["args"]
    assert "freed_bytes" not in args
