"""What is said of a task besides its states becomes an instant on the thread that saw it."""

import pytest

from tests.support.records import MAIN, Script
from tests.support.validator.strict import read_strict
from tracer import _core
from tracer import schema as s

MS = 1_000_000


@pytest.mark.parametrize(("flag", "name"), [(0, s.UNASKED), (1, s.REFUSED)])
def test_it_names_the_task(flag: int, name: str) -> None:
    script = Script([])
    kind = _core.RECORD_KINDS["TASK_TOLD"]
    script.records.append((MAIN, 300 * MS, kind, flag, 7, 0, 0, b""))
    trace = read_strict(script.data())
    (found,) = (event for event in trace.events if event.name == name)
    assert found.time_ns == 300 * MS
    assert found.args == {s.ARG_TASK: 7}
    assert trace.tracks[found.track].tid == MAIN
