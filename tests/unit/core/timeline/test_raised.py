"""An exception that reached the program's code becomes an instant on its thread."""

import pytest

from tests.support.records import MAIN, Script
from tests.support.validator.strict import read_strict
from tracer import _core
from tracer import schema as s

MS = 1_000_000


@pytest.mark.parametrize(
    ("off_ms", "omitted", "more"),
    [
        (0, 0, {}),
        (0, 7, {s.ARG_OMITTED: 7}),
        (100, 7, {s.ARG_OMITTED: 7, s.ARG_SINCE: 200 * MS}),
    ],
)
def test_it_names_its_class(off_ms: int, omitted: int, more: dict[str, int]) -> None:
    """And what is missing before it: so many others, or all since a time."""
    script = Script([])
    name = _core.intern("OSError", "")[0]
    script.add(300 * MS, "RAISED", 0, off_ms << 32 | name, omitted)
    trace = read_strict(script.data())
    (found,) = (event for event in trace.events if event.name == s.RAISED)
    assert found.time_ns == 300 * MS
    assert found.args == {s.ARG_EXCEPTION: "OSError", **more}
    assert trace.tracks[found.track].tid == MAIN


def test_an_answer_has_a_status() -> None:
    script = Script([])
    script.add(300 * MS, "RAISED", 0, 429, 3, flag=1)
    trace = read_strict(script.data())
    (found,) = (event for event in trace.events if event.name == s.ERROR_RESPONSE)
    assert found.args == {s.ARG_STATUS: 429, s.ARG_OMITTED: 3}
