"""samples/live_service.py under a flight recording: the snapshot leads with a slow moment."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import PROGRAM_TIMEOUT_S, SAMPLES, Recorder


@pytest.mark.broad
def test_the_report_that_blocks(record: Recorder, tmp_path: Path) -> None:
    """The fiftieth report is due after 394 of the 400 requests, and blocks the loop once."""
    # A busy machine has other such moments: each gets its snapshot.
    run = ["-m", "tracer", "run", "--flight", "30s", "--on", "loop>100ms", "--cooldown", "0s"]
    run.append("--snapshots")
    done = subprocess.run(
        [sys.executable, *run, str(tmp_path), str(SAMPLES / "live_service.py"), "400"],
        capture_output=True,
        text=True,
        timeout=PROGRAM_TIMEOUT_S,
        check=True,
    )
    assert done.stdout == "400 requests, 50 questions without an answer\n"
    snapshots = sorted(tmp_path.glob("*.pftrace"))
    reports = [record.tracer("report", str(path), "--json") for path in snapshots]
    leading = [row for one in reports for row in json.loads(one.stdout)["findings"][:1]]
    assert "slow moment" in {each["finding"] for each in leading}
    assert any(each["evidence"]["site"].endswith(" report") for each in leading)
