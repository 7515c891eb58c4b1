"""The sampler under everything at once. TRACER_STRESS_SECONDS makes it long."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import PROJECT

SECONDS = float(os.environ.get("TRACER_STRESS_SECONDS", "6"))
pytestmark = pytest.mark.stress


@pytest.mark.parametrize("hz", [2000, 5000])
def test_stress(tmp_path: Path, hz: int) -> None:
    """No crash occurs, the trace is valid, all work is done, nearly every stack walked."""
    trace = tmp_path / "stress.pftrace"
    words = ["-W", "ignore::DeprecationWarning", "-m", "tests.support.programs.sampler_stress"]
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", *words, str(SECONDS), str(hz), str(trace)],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=SECONDS * 10 + 120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["samples"] > 50 * said["cpu_s"]  # a kernel may look at timers every 10 ms
    assert said["dying"]
    assert said["in_tasks"]
    assert set(said["rounds"]) == {
        "recursion", "generators", "dying_code", "exceptions", "in_c", "loops",
        "short_threads", "forks", "tracebacks",
    }  # fmt: skip
    assert said["broken"] <= 3 + said["samples"] / 1000
