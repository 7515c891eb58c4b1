"""The Perfetto UI opens our traces without any error, and the tracks are there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

pytest.importorskip(
    "playwright",
    reason="needs playwright: python3 -m uv run --all-groups pytest tests/browser",
)

from tests.browser.perfetto_ui import NEEDS_CHROMIUM, OpenedTrace, open_in_ui
from tests.conftest import SAMPLES, Recorder
from tests.support.packets import Packets, loop_skeleton
from tests.support.stories.memory import memory_and_heap
from tests.support.stories.waits import profiled
from tracer import schema

# Where the pictures of the last run are kept, when set
SCREENSHOTS = os.environ.get("TRACER_SCREENSHOTS")

pytestmark = NEEDS_CHROMIUM


def keep_picture(opened: OpenedTrace, name: str) -> None:
    if SCREENSHOTS:
        Path(SCREENSHOTS).mkdir(parents=True, exist_ok=True)
        opened.page.screenshot(path=Path(SCREENSHOTS) / f"{name}.png")


@pytest.mark.invalid_traces
def test_every_kind_of_track_is_drawn(tmp_path: Path) -> None:
    """Loop, counter, tasks, lanes, GC and threads, in the order NOTES.md draws them."""
    packets = Packets()
    tracks = loop_skeleton(packets)
    packets.chunk(0)
    packets.instant(0, tracks["tracer"], schema.RECORDING, args={schema.ARG_SCHEMA: 1})
    packets.instant(0, tracks["thread"], schema.THREAD_START)
    packets.begin(0, tracks["running"], "main()", flows=(1,))
    packets.begin(0, tracks["task1"], schema.RUNNING, flows=(2,))
    packets.count(0, tracks["queue"], 2)
    packets.begin(3_000_000, tracks["task2"], schema.READY, ends=(2,))
    for lane in ("lane1", "lane2"):
        packets.begin(4_000_000, tracks[lane], f"in {lane}", category=schema.CAT_LIFETIME)
        packets.begin(4_000_000, tracks[lane], schema.READY)
    packets.begin(5_000_000, tracks["gc"], schema.GC_PREFIX + "2")
    packets.end(6_000_000, tracks["gc"])
    packets.end(9_000_000, tracks["running"])
    trace = packets.write(tmp_path / "hand.pftrace")
    with open_in_ui(trace, expand=".*") as opened:
        keep_picture(opened, "hand_made")
        assert opened.trouble() == []
        drawn = opened.tracks()
    loop = drawn.index("asyncio loop @MainThread")
    assert drawn[loop + 1 : loop + 7] == [
        "running task",
        "ready queue length",
        "Tasks",
        "Task-1 main()",
        "Task-2 worker()",
        "handler()",
    ]
    assert {"MainThread 4242", "GC", "tracer"} <= set(drawn)


@pytest.mark.invalid_traces
def test_trouble_is_noticed(tmp_path: Path) -> None:
    """A trace with an import error gets the badge this file looks for."""
    packets = Packets()
    loop_skeleton(packets)
    for at in (500, 100):  # the second clock snapshot goes back
        packets.chunk(at)
        packets.begin(at + 100, 8, schema.READY)
    with open_in_ui(packets.write(tmp_path / "hand.pftrace")) as opened:
        assert any("import" in line for line in opened.trouble())


def test_recorded_sample_opens_clean(record: Recorder) -> None:
    """A real recording: no badge, no script error, the culprit's track on screen."""
    trace = record(SAMPLES / "blocked_loop.py")
    with open_in_ui(trace, expand=".*", pin=schema.TRACK_RUNNING_TASK) as opened:
        keep_picture(opened, "blocked_loop")
        assert opened.trouble() == []
        drawn = opened.tracks()
    assert drawn[0] == schema.TRACK_RUNNING_TASK
    assert any("render_report" in name for name in drawn)


def test_samples_give_a_flame_graph(tmp_path: Path) -> None:
    """CPU samples are beside the slices, and selecting them shows where the time went."""
    trace = tmp_path / "samples.pftrace"
    trace.write_bytes(profiled().data())
    with open_in_ui(trace, expand=".*") as opened:
        opened.page.get_by_text("Perf Sample Flamegraph").wait_for()
        keep_picture(opened, "samples")
        assert opened.trouble() == []
        drawn = opened.tracks()
    assert {"MainThread Callstacks 600", "worker Callstacks 601"} <= set(drawn)


def test_allocations_open_clean(tmp_path: Path) -> None:
    """The counter of what is live is drawn as one, above its allocations."""
    builder, heap = memory_and_heap()
    heap.live(10_000_000, 150_000)
    heap.live(60_000_000, 300_000)
    trace = tmp_path / "heap.pftrace"
    trace.write_bytes(builder.data())
    with open_in_ui(trace, expand=".*") as opened:
        keep_picture(opened, "heap")
        assert opened.trouble() == []
        drawn = opened.tracks()
    assert {schema.TRACK_HEAP, schema.COUNTER_HEAP_LIVE} <= set(drawn)
