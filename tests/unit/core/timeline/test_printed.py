"""What a thread did at a line: the first text for a pipe, a job before all others."""

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


def test_a_job_is_so_much_sooner() -> None:
    script = Script([])
    script.add(300 * MS, "ENTERED_FIRST", b=20 * MS)
    trace = read_strict(script.data())
    (found,) = (event for event in trace.events if event.name == s.ENTERED_FIRST)
    assert found.args[s.ARG_SOONER] == 20 * MS
    assert trace.tracks[found.track].tid == MAIN
