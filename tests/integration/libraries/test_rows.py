"""Each row of the tables of waits is a function of the installed package. Where a release that
came after the last check has renamed one, that is said, and nothing fails."""

import json
import subprocess
import sys

import pytest

from tests.conftest import PROGRAM_TIMEOUT_S


@pytest.mark.broad
def test_the_installed_versions_have_each_function_and_its_variable() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.table_rows"],
        capture_output=True,
        text=True,
        timeout=4 * PROGRAM_TIMEOUT_S,  # it imports all packages: five seconds of CPU time
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["lacks"] == []
    assert found["rows"] > 200
    if found["others_lack"]:
        pytest.skip(f"other versions than those checked lack: {found['others_lack']}")
