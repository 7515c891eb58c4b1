"""Samples with --heap: those who keep memory, and leave garbage, are found by name."""

from __future__ import annotations

import json
import sys

import pytest

from tests.conftest import SAMPLES, Recorder

pytestmark = pytest.mark.skipif(
    not getattr(sys, "_is_gil_enabled", lambda: True)(), reason="it needs a GIL"
)


def test_who_keeps_it(record: Recorder) -> None:
    """The log has 115 samples on average, the cache 92, the nodes 180, the upload 79: enough
    for certain."""
    trace = record(SAMPLES / "heap_growth.py", options=("--heap",))
    process = record.tracer("report", str(trace), "--json")
    assert process.returncode == 0, process.stderr
    answer = json.loads(process.stdout)
    of_memory = (
        "growing global",
        "garbage that only the collector frees",
        "built and thrown away",
    )
    found = {
        (row["finding"], row["evidence"]["site"].split()[-1])
        for row in answer["findings"]
        if row["finding"] in of_memory
    }
    assert found == {
        ("growing global", "remember"),
        ("growing global", "answer"),
        ("garbage that only the collector frees", "Node.__init__"),
        ("built and thrown away", "upload"),
    }
    live = {row["site"].split()[-1]: row for row in answer["memory"]["sites"]}
    # The truth is 60 MB; six standard errors are 34 MB.
    assert (
        abs(live["remember"]["live_bytes"] - 60_000_000)
        < 6 * live["remember"]["live_error_bytes"]
    )
    assert live["render"]["live_bytes"] == 0


@pytest.mark.broad
def test_who_leaves_garbage(record: Recorder) -> None:
    """300 documents of 4,000 nodes, each of which knows its parent: 130 samples on average."""
    trace = record(SAMPLES / "gc_storm.py", options=("--heap",))
    process = record.tracer("report", str(trace), "--json", "--section", "findings")
    assert process.returncode == 0, process.stderr
    found = {
        row["evidence"]["site"].split()[-1]
        for row in json.loads(process.stdout)["findings"]
        if row["finding"] == "garbage that only the collector frees"
    }
    assert "Node.__init__" in found
    assert found <= {"Node.__init__", "parse"}
