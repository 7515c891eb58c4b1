"""TRACER in the environment arms a program that imports tracer."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import PROGRAM_TIMEOUT_S


def armed(folder: Path, variable: str, program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder,
        env=os.environ | {"TRACER": variable},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PROGRAM_TIMEOUT_S,
        check=False,
    )


def test_armed_by_the_environment(tmp_path: Path) -> None:
    """A program that imports tracer; not the command line that reads what it leaves."""
    patient = "import tracer.recorder; tracer.recorder._TOLD_MS = 60_000"  # at the end
    done = armed(
        tmp_path, "flight=5s,dir=ring,on=exit,on=loop>1s", f"{patient}; print('done')"
    )
    (path,) = (tmp_path / "ring").iterdir()
    assert (done.stdout, done.stderr) == (
        "done\n",
        f"tracer: exit: the program ends -> {path}\n",
    )
    command = [sys.executable, "-m", "tracer", "report", str(path), "--json"]
    env = os.environ | {"TRACER": "flight=5s,dir=mine,on=exit"}
    report = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, check=True)
    assert json.loads(report.stdout)["trace"]["flight"]["reason"] == "exit"
    assert not (tmp_path / "mine").exists()


@pytest.mark.parametrize(
    ("variable", "said"),
    [
        ("flight=soon", "flight=soon: not a time such as 30s or 5m"),
        ("on=loop>1s", "on is for a flight recording: add flight=30s"),
        ("fright=30s", "'fright' is not one of flight, dir, size, on, cooldown, listen"),
        ("flight=5s,on=loop>abc", "'abc' is not a limit such as 100ms or 5s"),
        ("flight=5s,dir=/proc/x", "cannot write into '/proc/x'"),
    ],
)
def test_a_mistake_in_the_environment(tmp_path: Path, variable: str, said: str) -> None:
    """One line, and the program runs on."""
    done = armed(tmp_path, variable, "import tracer; print('done')")
    assert (done.returncode, done.stdout) == (0, "done\n")
    assert done.stderr.startswith(f"tracer: TRACER={variable!r}: ")
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
