"""What goes wrong in pools goes wrong in the same way while they are recorded."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import PROGRAM_TIMEOUT_S, Recorder
from tests.support.family import START_METHODS

pytestmark = pytest.mark.broad

PROGRAM = Path(__file__).parents[2] / "support" / "programs" / "pool_faults.py"


@pytest.mark.parametrize("method", START_METHODS)
def test_same_outcomes(record: Recorder, method: str) -> None:
    """Exceptions with remote tracebacks, cancelled and unpicklable jobs, killed workers."""
    plain = subprocess.run(
        [sys.executable, str(PROGRAM), method],
        capture_output=True,
        text=True,
        timeout=PROGRAM_TIMEOUT_S,
        check=True,
    )
    record(PROGRAM, method, options=("--no-cpu",))
    assert record.stdout == plain.stdout
    assert len(plain.stdout.splitlines()) > 30
