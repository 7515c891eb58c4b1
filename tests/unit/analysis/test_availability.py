"""How soon loops answer: windows without a moment of more than 10 ms, and histograms."""

import json

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS
from tests.support.models import model_of
from tracer import schema as s
from viewer.analysis.availability import BOUNDS_NS, Bucket, latency
from viewer.analysis.report import build_report
from viewer.analysis.tasks import By
from viewer.render.json.report import render_json
from viewer.render.text.histogram import latency as render
from viewer.render.text.tables import Style


def busy(*steps, until=1_000 * MS, waits=0):
    """A loop that is idle but for steps (start, end), in ms; then runs who waited."""
    trace = TraceBuilder()
    loop = trace.loop(trace.thread("MainThread"))
    at = 0
    for start, end in steps:
        loop.select(at, start * MS)
        loop.callback("tick", "/app/a.py:1 tick", start * MS, end * MS)
        at = end * MS
    if waits:
        task = loop.task("waits", site="/app/a.py:5 waits").ready(at - waits * MS)
        loop.step(task.running(at).done(at + MS), at, at + MS)
        at += MS
    loop.select(at, until)
    return trace.ended(until)


@pytest.mark.parametrize(
    ("steps", "waits", "available"),
    [
        pytest.param([], 0, 10, id="idle"),
        pytest.param([(150, 160)], 0, 10, id="10 ms exactly"),
        pytest.param([(150, 161)], 0, 9, id="11 ms"),
        pytest.param([(199, 210)], 0, 9, id="bad until the end of a window"),
        pytest.param([(150, 210)], 0, 9, id="only the start of the next"),
        pytest.param([(150, 211)], 0, 8, id="into the next"),
        pytest.param([(150, 450)], 0, 6, id="four windows"),
        pytest.param([(10, 15), (15, 20), (20, 25)], 0, 10, id="steps one after another"),
        pytest.param([(10, 15), (15, 20), (20, 25)], 15, 9, id="a task waits for all"),
        pytest.param([(980, 1_000)], 0, 9, id="at the end"),
    ],
)
def test_windows(tmp_path, steps, waits, available):
    """A window counts if no moment in it had to wait longer than 10 ms."""
    (row,) = latency(model_of(tmp_path, busy(*steps, waits=waits))).loops
    assert (row.windows, row.available, row.unknown) == (10, available, 0)


@pytest.mark.parametrize(
    ("stopped", "windows", "available"),
    [
        pytest.param([(200, 700)], 5, 5, id="whole windows"),
        pytest.param([(250, 650)], 7, 7, id="parts of windows count as far as it ran"),
        pytest.param([(220, 650)], 7, 6, id="it was silent before it stopped"),
        pytest.param([(210, 300), (300, 699)], 7, 7, id="twice"),
        pytest.param([(200, None)], 2, 2, id="for good"),
    ],
)
def test_a_loop_that_does_not_run(tmp_path, stopped, windows, available):
    """Between two runs of a loop nobody is kept waiting by it."""
    trace = TraceBuilder()
    loop = trace.loop(trace.thread("MainThread"))
    at, end = 0, 1_000
    for stop, start in stopped:
        # the loop says nothing for 20 ms before it stops where the gap begins at 200 ms
        loop.select(at * MS, (200 if stop == 220 else stop) * MS)
        trace.instant(loop.running, stop * MS, s.LOOP_STOPPED, s.CAT_LOOP)
        if start is None:
            break
        trace.instant(loop.running, start * MS, s.LOOP_STARTED, s.CAT_LOOP)
        at = start
    else:
        loop.select(at * MS, end * MS)
    loop.callback("last", "/app/a.py:1 last", end * MS, end * MS + 1)
    (row,) = latency(model_of(tmp_path, trace.ended(end * MS + 2))).loops
    assert (row.windows, row.available) == (windows, available)


def test_gap_of_the_loop_itself(tmp_path):
    """Between two slices the loop does not answer either."""
    trace = TraceBuilder()
    loop = trace.loop(trace.thread("MainThread"))
    loop.select(0, 120 * MS)
    loop.select(180 * MS, 300 * MS)
    (row,) = latency(model_of(tmp_path, trace.ended(300 * MS))).loops
    assert (row.windows, row.available) == (3, 2)


def test_short_life(tmp_path):
    """A loop that lived less than a window has one."""
    (row,) = latency(model_of(tmp_path, busy(until=20 * MS))).loops
    assert (row.windows, row.available) == (1, 1)


def test_dropped_events(tmp_path):
    """Windows with a loss are unknown, not good and not bad."""
    trace = busy((150, 190))
    trace.instant(
        trace.tracer, 420 * MS, s.EVENTS_DROPPED, s.CAT_TRACER,
        count=7, since_ns=trace.start_ns + 350 * MS,
    )  # fmt: skip
    (row,) = latency(model_of(tmp_path, trace)).loops
    assert (row.windows, row.available, row.unknown) == (8, 7, 2)


def delays():
    """Tasks that waited 1 µs, 3 µs twice, 30 µs, and 200 s."""
    trace = TraceBuilder()
    loop = trace.loop(trace.thread("MainThread"))
    for ns in (1_000, 3_000, 4_999, 30_000):
        loop.task("quick", site="/app/a.py:1 quick").ready(0).running(ns).done(ns)
    loop.task("slow", site="/app/a.py:9 slow").ready(0).running(200_000 * MS).done(
        200_000 * MS
    )
    return trace.ended(200_001 * MS)


def test_histogram(tmp_path):
    """Buckets of 1-2-5, empty ones between the others too, the longest delay first."""
    slow, quick = latency(model_of(tmp_path, delays())).coroutines
    assert (slow.coro, slow.buckets) == ("slow", (Bucket(BOUNDS_NS[-1], -1, 1),))
    assert (quick.coro, quick.count) == ("quick", 4)
    assert quick.buckets == (
        Bucket(1_000, 2_000, 1),
        Bucket(2_000, 5_000, 2),
        Bucket(5_000, 10_000, 0),
        Bucket(10_000, 20_000, 0),
        Bucket(20_000, 50_000, 1),
    )


def test_text(tmp_path):
    """Bars in proportion; one coroutine is left for --top."""
    report = build_report(model_of(tmp_path, delays()), By.CORO)
    text = render(report, 1, Style(80, base="/app"))
    assert text.splitlines() == [
        "Scheduling latency",
        "",
        "  slow  a.py:9: ready 1 time",
        f"        100 s or more          1  {'█' * 40}",
        "",
        "  … and 1 coroutine more (--top)",
    ]
    lines = render(report, 2, Style(80, base="/app")).splitlines()
    assert lines[6:9] == [
        f"         1 µs to 2 µs          1  {'█' * 20}",
        f"         2 µs to 5 µs          2  {'█' * 40}",
        "        5 µs to 10 µs          0",
    ]


def test_json(tmp_path):
    """Integers; no upper bound is null."""
    report = build_report(model_of(tmp_path, delays()), By.CORO, ("latency",))
    body = json.loads(render_json(report, ("latency",)))["latency"]
    assert body["loops"] == []
    assert body["coroutines"][0] == {
        "coro": "slow", "site": "/app/a.py:9 slow", "via": "", "count": 1,
        "ready_ns": [{"from": 100_000_000_000, "to": None, "count": 1}],
    }  # fmt: skip
