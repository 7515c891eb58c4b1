"""What the program is asked to do: when it gives up a recording, and who ends one."""

from queue import SimpleQueue
from types import ModuleType
from typing import Any

import pytest

from tracer.live import on_demand
from viewer.endpoints.demands import Demands, NotDone


class Answers:
    """What the process that answers HTTP is told."""

    def __init__(self) -> None:
        self.told: list[tuple[int, str]] = []

    def answer(self, number: int, why_not: str) -> None:
        self.told.append((number, why_not))


def test_other_requests_leave_the_time_limit_of_a_recording() -> None:
    """Neither a collection nor a refused or unknown request changes it; an end does."""
    core: Any = ModuleType("core")
    answers = Answers()
    core.kept = {"listening": answers}
    core.name_thread = lambda _thread, _name: None
    assert on_demand.obey(core, "1 collect") is None
    assert on_demand.obey(core, "2 keep /nowhere") is None
    assert on_demand.obey(core, "3 odd") is None
    assert on_demand.obey(core, "4 end") == -1
    assert answers.told[:2] == [(1, ""), (2, on_demand.RUNS)]
    assert answers.told[3] == (4, "")


def test_a_recording_that_fails_is_ended() -> None:
    """The program may have begun it all the same, when it was late to say so."""
    said: list[str] = []
    answers: SimpleQueue[bytes] = SimpleQueue()

    def say(line: str) -> None:
        said.append(line.split()[1])
        answers.put(f"{len(said)} {'' if said[-1] == 'end' else 'No.'}".encode())

    demands = Demands(say, answers)
    with pytest.raises(NotDone, match="No"), demands.recording(1, "sched"):
        raise AssertionError("it does not begin")
    demands.close()
    assert said == ["record", "end"]
