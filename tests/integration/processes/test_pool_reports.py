"""What report and why say of pools: faults are found, and waits lead into the worker."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Recorder

pytestmark = pytest.mark.broad

PROGRAM = Path(__file__).parents[2] / "support" / "programs" / "pool_findings.py"


def told(record: Recorder, fault: str, *command: str) -> Any:
    trace = record(PROGRAM, fault, options=("--no-cpu",))
    return json.loads(record.tracer(*command, str(trace), "--json").stdout)


@pytest.mark.parametrize(
    ("fault", "finding", "words"),
    [
        ("pickling", "pickling", ("8 jobs of `give`", "carried 40.0 MB each")),
        ("waiting", "idle workers", ("2 workers", "Pickling the jobs took")),
        ("large", "pool too large", ("30 jobs",)),
    ],
)
def test_findings(record: Recorder, fault: str, finding: str, words: tuple[str, ...]) -> None:
    """The fault is the one finding about pools, in these words."""
    report = told(record, fault, "report")
    pools = ("pickling", "idle workers", "pool too large")
    found = [row for row in report["findings"] if row["finding"] in pools]
    assert [row["finding"] for row in found] == [finding]
    for word in words:
        assert word in found[0]["text"]


def test_waits_lead_into_the_worker(record: Recorder) -> None:
    """A wait for a result is a job in a child, which was asleep; all parts add up."""
    waits = told(record, "asleep", "why", "--thread", "MainThread", "--worst", "20")["waits"]
    for subject, child in (("Future.result", "Process-"), ("Pool.imap", "PoolWorker-")):
        (wait,) = [one for one in waits if one["subject"] == subject]
        assert sum(cause["ns"] for cause in wait["causes"]) == wait["ns"]
        (job,) = [cause for cause in wait["causes"] if cause["kind"] == "job"]
        assert job["who"].startswith("sleep [")
        assert child in job["who"]
        assert sum(part["ns"] for part in job["parts"]) == job["ns"]
        assert "sleep" in [part["kind"] for part in job["parts"]]
