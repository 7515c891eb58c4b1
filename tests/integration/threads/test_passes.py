"""How often the recorder's own thread wakes: memory is written at each of its passes."""

from itertools import pairwise

from tests.conftest import Recorder
from tests.support.validator.strict import read_strict
from tracer import schema as s

MS = 1_000_000
CALM_NS = 150 * MS  # between two passes where little happens …
ROUNDING_NS = 50_000  # … but for what the clock's line is off
SLEEP = "import time\nprint(time.monotonic_ns())\ntime.sleep(2)\nprint(time.monotonic_ns())\n"


def test_an_idle_program_is_looked_at_less_often(record: Recorder) -> None:
    """A busy machine only ever makes the gaps longer."""
    trace = read_strict(record(SLEEP).read_bytes())
    began_ns, ended_ns = map(int, record.stdout.split())
    found = [
        event.time_ns
        for event in trace.events
        if event.counter is not None and trace.tracks[event.track].name == s.COUNTER_RSS
    ]
    # What was written of the start may still count as much, and the end comes when it wants.
    calm = [ns for ns in found if began_ns + 500 * MS < ns < ended_ns - 250 * MS]
    assert found
    assert all(after - ns >= CALM_NS - ROUNDING_NS for ns, after in pairwise(calm))
