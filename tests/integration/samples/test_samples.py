"""Every sample: recorded, accepted by Perfetto, and reported with Perfetto's own numbers."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import SAMPLES, Recorder
from tests.support.programs.ready_times import ready_times
from tests.support.samples import Samples
from tests.support.trace_processor import import_errors, open_trace
from tracer import schema

NAMES = sorted(path.name for path in SAMPLES.glob("*.py"))
ARGUMENTS = {"live_service.py": ("300",)}  # requests, of 3,000
NS_PER_MS = 1_000_000


def report(record: Recorder, trace: Path, *options: str) -> dict[str, Any]:
    process = record.tracer("report", str(trace), "--json", *options)
    assert process.returncode == 0, process.stderr
    answer: dict[str, Any] = json.loads(process.stdout)
    return answer


@pytest.mark.default(
    "blocked_loop.py",
    "lock_convoy.py",
    "io_mix.py",
)
@pytest.mark.parametrize("name", NAMES)
def test_sample_agrees_with_perfetto(record: Recorder, sample: Samples, name: str) -> None:
    """There is no import error, and per-task ready times equal trace_processor's to the ns."""
    trace, _ = sample(name, *ARGUMENTS.get(name, ()))
    rows = [
        row
        for row in report(record, trace, "--by", "task")["tasks"]
        if row["ready_ns"]["count"]
    ]
    # By number: before 3.13 a task gets its name after it was made, and the slice that
    # Perfetto is asked for may be written by then.
    ours = {row["task"]: row["ready_ns"] for row in rows}
    with open_trace(trace) as tp:
        assert import_errors(tp) == []
        theirs = ready_times(tp)
    assert all(row["least"] >= 0 for row in theirs), "a sample's tasks all end"
    assert sorted(row["task"] for row in theirs) == sorted(ours)
    assert len(ours) == len(rows)
    for row in theirs:
        mine = ours[row["task"]]
        exact = {key: row[key] for key in ("count", "total", "max")}
        assert {key: mine[key] for key in exact} == exact, row["name"]
        for key in ("p50", "p99"):  # whole ns: the interpolated value, rounded
            assert abs(mine[key] - row[key]) <= 0.5 + 1e-6, (row["name"], key)


def test_blocked_loop_names_the_culprit(record: Recorder, sample: Samples) -> None:
    """The report blames render_report for what the program measured itself.

    They differ by the time between the program's reading of its clock and the recorder's,
    twice for each of ten blocks: microseconds, and how long the kernel takes the CPU there.
    """
    trace, said = sample("blocked_loop.py")
    measured = re.search(r"worst ([\d.]+) ms, total ([\d.]+) ms", said)
    assert measured is not None, said
    total_ms = float(measured[2])
    found = report(record, trace, "--by", "task")
    (heartbeat,) = (row for row in found["tasks"] if row["names"][-1] == "heartbeat")
    (main,) = (row for row in found["threads"] if row["name"] == "MainThread")
    taken_ms = main["states"].get("preempted", 0) / NS_PER_MS
    blamed = [entry for entry in heartbeat["delayed_by"] if "render_report" in entry["who"]]
    assert blamed == heartbeat["delayed_by"][:1], "the culprit comes first, once"
    assert abs(blamed[0]["ns"] / NS_PER_MS - total_ms) <= 10 + taken_ms


@pytest.mark.broad
def test_pipeline_shows_what_each_side_awaits(sample: Samples) -> None:
    """Producers wait in Queue.put, consumers for store tasks, those for the semaphore."""
    trace, _ = sample("pipeline.py")
    with open_trace(trace) as tp:
        names = {row["name"] for row in tp.query("SELECT DISTINCT name FROM slice")}
    awaited = {name for name in names if name.startswith(schema.AWAIT_PREFIX)}
    assert {"await Queue.put", "await sleep"} <= awaited
    assert any(name.startswith(schema.AWAIT_TASK_PREFIX + "store-") for name in awaited)
    assert any("Semaphore" in name for name in awaited)


@pytest.mark.broad
def test_gc_storm_counts_every_collection(record: Recorder, sample: Samples) -> None:
    """One GC slice per collection the program saw, of each generation."""
    trace, said = sample("gc_storm.py")
    seen = {
        f"{schema.GC_PREFIX}{gen}": int(count)
        for gen, count in re.findall(r"gen(\d): (\d+) collections", said)
    }
    rows = report(record, trace)["gc"]
    recorded = {f"{schema.GC_PREFIX}{row['generation']}": row["count"] for row in rows}
    # The recording begins before the program counts and ends after it.
    assert all(seen[name] <= recorded[name] <= seen[name] + 30 for name in seen), (
        seen,
        recorded,
    )
    assert sum(row["collected"] for row in rows) > 100_000


@pytest.mark.broad
def test_task_leak_shows_who_never_returned(sample: Samples) -> None:
    """As many tasks end cancelled as the program counted, each while awaiting a future."""
    trace, said = sample("task_leak.py")
    leaked = re.search(r"^(\d+) of \d+ tasks are waiting", said, re.MULTILINE)
    assert leaked is not None, said
    with open_trace(trace) as tp:
        (row,) = tp.query(
            f"SELECT COUNT(*) AS count FROM slice WHERE name = '{schema.CANCELLED}'"
            f" AND category = '{schema.CAT_TASK}'"
        )
    assert row["count"] == int(leaked[1])
