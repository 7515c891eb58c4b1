"""The first text for a pipe becomes an instant on the thread that printed it."""

from tests.support.records import MAIN, Script
from tests.support.validator.strict import read_strict
from tracer import schema as s

MS = 1_000_000


def test_it_is_an_instant() -> None:
    script = Script([])
    script.add(300 * MS, "PRINTED")
    trace = read_strict(script.data())
    (found,) = (event for event in trace.events if event.name == s.PRINTED)
    assert found.time_ns == 300 * MS
    assert trace.tracks[found.track].tid == MAIN
