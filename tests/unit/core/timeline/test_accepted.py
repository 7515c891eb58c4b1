"""A connection that had waited becomes an instant on the thread that accepted it."""

from tests.support.records import MAIN, Script
from tests.support.validator.strict import read_strict
from tracer import _core
from tracer import schema as s

MS = 1_000_000


def test_it_tells_since_when() -> None:
    script = Script([])
    kind = _core.RECORD_KINDS["ACCEPTED"]
    script.records.append((MAIN, 300 * MS, kind, 0, 8080, 250, 0, b""))
    trace = read_strict(script.data())
    (found,) = (event for event in trace.events if event.name == s.ACCEPTED_LATE)
    assert found.time_ns == 300 * MS
    assert found.args == {s.ARG_SINCE: 50 * MS, s.ARG_PORT: 8080}
    assert trace.tracks[found.track].tid == MAIN
