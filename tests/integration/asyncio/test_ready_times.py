"""Tests the SQL that checks our report, on a trace whose ready times are known."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.packets import Packets, loop_skeleton
from tests.support.programs.ready_times import ready_times
from tests.support.trace_processor import open_trace
from tracer import schema

pytestmark = pytest.mark.invalid_traces

OWN, LANE = 8, 10


def test_ready_times_of_own_tracks_and_lanes(tmp_path: Path) -> None:
    """A task on its own track and two that shared a lane each get their own percentiles."""
    packets = Packets()
    loop_skeleton(packets)
    packets.chunk(0)
    now = 0
    lives = [(OWN, 1, [3, 8, 1, 20, 7]), (LANE, 300, [5]), (LANE, 301, [0, 10])]
    for track, task, waits in lives:
        about = {"task": task, "name": f"Task-{task}", "coro": "f", "site": "a.py:1 f"}
        if track == LANE:
            packets.begin(now, track, f"Task-{task}", category=schema.CAT_LIFETIME, args=about)
        for nth, wait in enumerate(waits):
            first = {"args": about} if track == OWN and nth == 0 else {}
            packets.begin(now, track, schema.READY, category=schema.CAT_TASK, **first)
            now += wait
            packets.state(now, track, schema.RUNNING, category=schema.CAT_TASK)
            now += 2
            packets.end(now, track)
        if track == LANE:
            packets.end(now, track)
    with open_trace(packets.write(tmp_path / "hand.pftrace")) as tp:
        rows = [
            (r["task"], r["name"], r["count"], r["total"], r["max"], r["p50"], r["p99"])
            for r in ready_times(tp)
        ]
    assert [row[:5] for row in rows] == [
        (1, "Task-1", 5, 39, 20),
        (300, "Task-300", 1, 5, 5),
        (301, "Task-301", 2, 10, 10),
    ]
    assert [row[5:] for row in rows] == [
        (7, pytest.approx(19.52)),
        (5, 5),
        (5, pytest.approx(9.9)),
    ]
