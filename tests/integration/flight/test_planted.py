"""A hundred slow moments at known times, under a flight recording with four triggers."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import PROGRAM_TIMEOUT_S
from viewer.analysis.findings import Facts, find
from viewer.analysis.flight import flight_of
from viewer.trace.model import build_model
from viewer.trace.reader import read_trace

PROGRAM = Path(__file__).parents[2] / "support" / "programs" / "planted.py"
COUNT = 100
FUNCTIONS = {"loop": "last", "lock": "contended_lock", "gil": "wait_for_gil", "region": "last"}


@dataclass(frozen=True)
class Planted:
    """What the program says of itself: each moment, and what it was told."""

    moments: list[dict[str, Any]]
    told: list[dict[str, Any]]
    snapshots: int
    suppressed: int


def plant(folder: Path, cooldown: str, *conditions: str) -> Planted:
    command = [sys.executable, str(PROGRAM), str(folder / "ring"), str(COUNT), cooldown]
    done = subprocess.run(
        [*command, *conditions],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=PROGRAM_TIMEOUT_S * 5,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    *moments, last = map(json.loads, done.stdout.splitlines())
    return Planted(moments, **last)


def leading(path: Path) -> tuple[str, str, str]:
    """What the report of a snapshot leads with: the trigger, kind of finding, and line."""
    model = build_model(read_trace(path))
    first, flight = find(Facts(model))[0], flight_of(model)
    assert flight is not None
    return flight.trigger, first.finding, first.evidence.site


@pytest.mark.stress
def test_each_leads_its_snapshot(tmp_path: Path) -> None:
    """Without a cooldown each of them has a snapshot, which begins with its cause. A machine
    that is busy may add moments of its own."""
    conditions = ("loop>100ms", "lock>100ms", "gil>100ms", "region planted>100ms")
    planted = plant(tmp_path, "0", *conditions)
    assert len(planted.moments) == COUNT
    assert planted.snapshots == len(planted.told)
    for moment in planted.moments:
        inside = [
            each
            for each in planted.told
            if each["trigger"] == moment["condition"]
            and moment["begin_ns"] <= each["ns"] - each["duration_ns"]
            and each["ns"] <= moment["end_ns"]
        ]
        kind = moment["condition"].partition(">")[0].partition(" ")[0]
        site = f"{PROGRAM}:{moment['line']} {FUNCTIONS[kind]}"
        found = [leading(Path(each["path"])) for each in inside]
        assert (moment["condition"], "slow moment", site) in found


@pytest.mark.stress
def test_each_has_a_snapshot_or_is_counted(tmp_path: Path) -> None:
    """With a cooldown; and these conditions are met by nothing but what is planted."""
    planted = plant(tmp_path, "1", "lock>100ms", "region planted>100ms")
    sure = sum(moment["is_sure"] for moment in planted.moments)
    assert 1 < planted.snapshots < COUNT
    assert sure <= planted.snapshots + planted.suppressed <= COUNT
