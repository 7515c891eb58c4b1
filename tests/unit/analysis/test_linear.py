"""Whatever the shape of a trace: four times as long takes four times as many operations.

Operations are counted, not timed: turns of loops, calls, resumed generators, of the Python
makes of the sweeps too. The C makes do the same work.
"""

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.support.stories.shapes import SHAPES
from tests.support.validator.rules import validate
from viewer.analysis.report import build_report
from viewer.analysis.tasks import By
from viewer.analysis.why.asked import Asked
from viewer.analysis.why.worst import worst_waits
from viewer.trace.engine import in_python
from viewer.trace.model import build_model
from viewer.trace.reader import Trace, read_trace

pytestmark = pytest.mark.broad

SMALL, TIMES = 800, 4
# All who wait times all who ran is bounded: from here on the bound is reached. And from here
# on a wait is long enough to be explained: of smaller traces, some tables are never made.
LEAST = {"coroutines_ready_at_once": 4_000, "threads_at_once": 4_000, "dropped": 4_000}
# Sorting and bisection add a logarithm, which calls of C do not show; tables that double add
# a little. All with all would be 16 times as much.
MOST = 1.25

_EVENTS = sys.monitoring.events
_COUNTED = _EVENTS.JUMP | _EVENTS.PY_START | _EVENTS.PY_RESUME
_TOOL = sys.monitoring.PROFILER_ID


def operations(work: Callable[[], object]) -> int:
    """How many turns of loops, calls and resumptions some work takes."""
    count = 0

    def called(*_: object) -> None:
        nonlocal count
        count += 1

    sys.monitoring.use_tool_id(_TOOL, "operations")
    try:
        for event in (_EVENTS.JUMP, _EVENTS.PY_START, _EVENTS.PY_RESUME):
            sys.monitoring.register_callback(_TOOL, event, called)
        sys.monitoring.set_events(_TOOL, _COUNTED)
        work()
    finally:
        sys.monitoring.set_events(_TOOL, 0)
        sys.monitoring.free_tool_id(_TOOL)
    return count


def report(trace: Trace) -> None:
    build_report(build_model(trace), By.CORO)


def why(trace: Trace) -> None:
    worst_waits(build_model(trace), 5, Asked())


def trace_of(shape: str, events: int, tmp_path: Path) -> Trace:
    data = SHAPES[shape](events).data()
    validate(data)
    file = tmp_path / f"{events}.trace"
    file.write_bytes(data)
    return read_trace(file)._replace(engine=in_python())


@pytest.mark.parametrize("shape", SHAPES)
def test_time_grows_with_the_trace(shape: str, tmp_path: Path) -> None:
    size = LEAST.get(shape, SMALL)
    small, large = (trace_of(shape, size * times, tmp_path) for times in (1, TIMES))
    longer = len(large.events.time_ns) / len(small.events.time_ns)
    for work in (build_model, report, why):
        counts = [operations(partial(work, trace)) for trace in (small, large)]
        assert counts[1] <= counts[0] * longer * MOST, (shape, counts, longer)


def test_what_is_not_linear_is_found() -> None:
    """Pairs of all with all are far beyond what is allowed."""

    def pairs(n: int) -> int:
        return sum(1 for _ in range(n) for _ in range(n))

    few, many = (operations(partial(pairs, n)) for n in (100, 100 * TIMES))
    assert many > few * TIMES * MOST * 2
