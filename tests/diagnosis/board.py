"""The scoreboard: records each case, and says whether its report names the fault first."""

import json
import os
import re
import subprocess
import sys
from contextlib import nullcontext
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from tests.diagnosis.wanted import WANTED, Wanted
from tests.diagnosis.wanted_async import ASYNC
from tests.diagnosis.wanted_common import COMMON
from tests.diagnosis.wanted_consumers import CONSUMERS
from tests.diagnosis.wanted_databases import DATABASES
from tests.diagnosis.wanted_drawn import DRAWN
from tests.diagnosis.wanted_fresh import FRESH
from tests.diagnosis.wanted_general import GENERAL
from tests.diagnosis.wanted_loops import LOOPS
from tests.diagnosis.wanted_path import PATH
from tests.diagnosis.wanted_reported import REPORTED
from tests.diagnosis.wanted_services import SERVICES
from tests.diagnosis.wanted_stdlib import STDLIB
from tests.diagnosis.wanted_sync import SYNC
from tests.diagnosis.wanted_threaded import THREADED
from tests.diagnosis.wanted_unseen import UNSEEN
from tests.support.servers import postgres, redis

CASES = Path(__file__).parent / "cases"
PROJECT = Path(__file__).parents[2]
_TIMEOUT_S = 60
_SERVERS = {"PG_URL": postgres, "REDIS_URL": redis}


@dataclass(frozen=True, slots=True)
class Verdict:
    """`place` of the right finding, from 0 on; -1 when it is missing. A healthy program is
    right at 0 when nothing was found."""

    name: str
    place: int
    found: tuple[tuple[str, str], ...]  # finding, text


def names() -> list[str]:
    return sorted(path.stem for path in CASES.glob("*.py"))


def missing(name: str) -> str:
    """The package that a case needs and that is not installed; "" when it can run."""
    needs = wanted(name).needs
    return next((need for need in needs if find_spec(need) is None), "")


def wanted(name: str) -> Wanted:
    known = (
        WANTED
        | SYNC
        | ASYNC
        | LOOPS
        | STDLIB
        | SERVICES
        | GENERAL
        | FRESH
        | COMMON
        | DATABASES
        | CONSUMERS
        | DRAWN
        | PATH
        | REPORTED
        | THREADED
        | UNSEEN
    )
    return known.get(name, Wanted("")) if name.startswith("ok_") else known[name]


def record(name: str, trace: Path) -> None:
    """Runs a case in the directory of the trace."""
    command = [sys.executable, "-m", "tracer", "run", "--no-profile", "-o", str(trace)]
    path = os.pathsep.join([str(PROJECT), os.environ.get("PYTHONPATH", "")])
    needs = wanted(name).server
    with _SERVERS[needs]() if needs else nullcontext("") as url:
        subprocess.run(
            [*command, str(CASES / f"{name}.py")],
            cwd=trace.parent,
            env=os.environ | {"PYTHONPATH": path, needs or "_": url},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=_TIMEOUT_S,
            check=False,
        )


def judge(name: str, trace: Path) -> Verdict:
    done = subprocess.run(
        [sys.executable, "-m", "tracer", "report", "--json", str(trace)],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    )
    told = json.loads(done.stdout)["findings"]
    found = tuple((one["finding"], one["text"]) for one in told)
    return Verdict(name, _place(wanted(name), found), found)


def _place(want: Wanted, found: tuple[tuple[str, str], ...]) -> int:
    if not want.finding:
        return 0 if not found else -1
    kinds = want.finding.split("|")
    for place, (kind, text) in enumerate(found):
        if kind in kinds and all(re.search(said, text) for said in want.says):
            return place
    return -1
