"""Of too many calls the longest are looked at, and some of those that last equally long."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.engines import ENGINES
from tests.support.finding import MS, SIGNALS
from tests.support.models import model_of
from viewer.analysis.resources.reading import Reading
from viewer.analysis.resources.waits import longest_rows
from viewer.trace.columns import IO


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("lasting", "most", "kept"),
    [
        ([10] * 12, 20, range(12)),
        ([10] * 12, 4, [0, 3, 6, 9]),
        ([10] * 12, 5, [0, 3, 6, 9]),
        ([10] * 11 + [35], 4, [11]),
        ([1] * 12, 4, []),
    ],
)
def test_of_too_many_the_longest(tmp_path, engine, lasting, most, kept):
    trace = TraceBuilder(signals=SIGNALS)
    thread, at, begins = trace.thread("MainThread").native(0), MS, []
    for ms in lasting:
        thread.io(at, "socket.recv").native(at + ms * MS)
        begins.append(at)
        at += ms * MS + MS
    thread.end(at)
    model = model_of(tmp_path, trace.ended(at + MS), engine)
    rows = longest_rows(Reading(model), (IO,), 5 * MS, most)
    origin = model.states.start_ns[rows[0]] - begins[kept[0]] if kept else 0
    assert [model.states.start_ns[row] for row in rows] == [origin + begins[n] for n in kept]
