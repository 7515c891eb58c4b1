"""Jobs that are entered into a scheduler before all that it has."""

import sched
import sys
import time
import types
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.recordings import record_here
from tests.support.validator.strict import read_strict
from tracer import schema as s

HERE = f"{__file__}:"


def entered(main: Callable[[], None], path: Path) -> list[tuple[int, str]]:
    record_here(main, path)
    trace = read_strict(path.read_bytes())
    return [
        (int(str(event.args[s.ARG_SOONER])), str(event.args[s.ARG_SITE]))
        for event in trace.events
        if event.name == s.ENTERED_FIRST
    ]


def sooner() -> None:
    jobs = sched.scheduler(time.monotonic, time.sleep)
    for due in (7_000.0, 9_000.0, 8_000.0, 5_000.5):
        jobs.enterabs(due, 1, print)


def relative() -> None:
    jobs = sched.scheduler(lambda: 0.0)
    jobs.enter(60, 1, print)
    jobs.enter(2.0, 1, print)


def later() -> None:
    jobs = sched.scheduler(time.monotonic, time.sleep)
    for due in (5.0, 7.0, 5.0, 5.0 - 1e-6):
        jobs.enterabs(due, 1, print)


def odd() -> None:
    """Times that are no numbers of seconds."""
    jobs = sched.scheduler(lambda: 0.0)
    jobs.enterabs(float("inf"), 1, print)
    jobs.enterabs(7.0, 1, print)
    other = sched.scheduler(lambda: 0.0)
    other.enterabs(float("nan"), 1, print)
    other.enterabs(7.0, 1, print)
    whole = sched.scheduler(lambda: 0.0)
    whole.enterabs(20_000_000_000, 1, print)
    whole.enterabs(10_000_000_000, 1, print)


def test_it_comes_first(tmp_path: Path) -> None:
    line = sooner.__code__.co_firstlineno + 3
    found = entered(sooner, tmp_path / "t.pftrace")
    assert found == [(1_999_500_000_000, f"{HERE}{line} sooner")]


def test_by_a_delay(tmp_path: Path) -> None:
    line = relative.__code__.co_firstlineno + 3
    found = entered(relative, tmp_path / "t.pftrace")
    assert found == [(58_000_000_000, f"{HERE}{line} relative")]


@pytest.mark.parametrize("main", [later, odd])
def test_what_is_not_told(main: Callable[[], None], tmp_path: Path) -> None:
    assert not entered(main, tmp_path / "t.pftrace")


@pytest.mark.parametrize("scheduler", [None, object(), types.SimpleNamespace(enterabs=print)])
def test_a_module_of_the_same_name(
    scheduler: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = types.ModuleType("sched")
    vars(own)["scheduler"] = scheduler
    monkeypatch.setitem(sys.modules, "sched", own)
    path = tmp_path / "t.pftrace"
    record_here(lambda: None, path)
    names = {event.name for event in read_strict(path.read_bytes()).events}
    assert s.HOOK_DISABLED not in names
