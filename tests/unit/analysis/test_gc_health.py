"""Collections by generation, and what a trace says about its own trustworthiness."""

import pytest

from tests.support.builder.heap import Heap
from tests.support.builder.trace import TraceBuilder
from tests.support.stories.waits import blocked_loop, killed
from tracer import schema as s
from viewer.analysis.endings import How
from viewer.analysis.gc import GcRow, gc_rows
from viewer.analysis.health import health
from viewer.analysis.spread import Spread, spread_of
from viewer.trace.model import build_model
from viewer.trace.reader import read_trace


@pytest.fixture
def model(tmp_path):
    def model(data: bytes):
        path = tmp_path / "x.pftrace"
        path.write_bytes(data)
        return build_model(read_trace(path))

    return model


def test_gc_that_was_called_for(model):
    trace = TraceBuilder()
    for n, site in enumerate(["/app/a.py:3 f", "", "/app/b.py:9 g", "/app/a.py:3 f"]):
        trace.gc(n * 1_000, n * 1_000 + 10, 100, 2, called_at=site)
    (row,) = gc_rows(model(trace.ended(9_000).data()))
    assert row.calls == (("/app/a.py:3 f", 2), ("/app/b.py:9 g", 1))
    assert (row.pauses.count, row.explicit) == (4, 3)


def test_what_collections_freed(model):
    """Blocks that the collecting thread freed meanwhile, by generation."""
    trace = TraceBuilder()
    heap = Heap(trace)
    trace.gc(1_000, 2_000, trace.pid, 0)
    trace.gc(3_000, 4_000, trace.pid, 2)
    for at, size in ((1_500, 100), (1_600, 200), (2_500, 400), (3_500, 800)):
        heap.free(at, heap.alloc(10 + at // 100, size))
    heap.free(3_600, heap.alloc(50, 1_600), tid=trace.pid + 1)
    rows = gc_rows(model(trace.ended(9_000).data()))
    assert [(row.generation, row.freed_bytes) for row in rows] == [(0, 300), (2, 800)]


def test_gc_by_generation(model):
    """Each generation has its own pauses and sums."""
    trace = TraceBuilder()
    for n, (generation, took) in enumerate([(0, 10), (0, 30), (2, 500), (0, 20)]):
        trace.gc(n * 1_000, n * 1_000 + took, 100, generation, collected=n)
    assert gc_rows(model(trace.ended(9_000).data())) == (
        GcRow(0, Spread(3, 60, 20, 28, 30, 30), 0 + 1 + 3, 0),
        GcRow(2, Spread(1, 500, 500, 500, 500, 500), 2, 0),
    )


def test_percentiles_interpolate():
    """Percentiles are linear between the closest ranks, rounded half up."""
    assert spread_of([10, 20, 30, 41]) == Spread(4, 101, 25, 38, 41, 41)
    assert spread_of([]) == Spread(0, 0, 0, 0, 0, 0)


def test_healthy(model):
    """A complete recording has nothing to confess."""
    state = health(model(blocked_loop().data()))
    assert state.ended
    assert (state.dropped_events, state.lost_bytes, state.unfinished_slices) == (0, 0, 0)
    assert (state.overhead_ns, state.signals) == (150_000, ("tasks", "gc"))


def test_killed(model):
    """A killed program, drops, a disabled hook and open slices are all reported."""
    state = health(model(killed().data()))
    assert not state.ended
    assert [(end.pid, end.how) for end in state.ends] == [(400, How.UNKNOWN)]
    assert (state.dropped_events, state.unfinished_slices) == (7, 3)
    assert state.disabled == (("gc", "no gc.callbacks"),)


def test_drops_are_not_counted_twice(model):
    """The summary at the end repeats the drops reported on the way."""
    trace = killed().ended(10_000, dropped=7, late=2)
    state = health(model(trace.data()))
    assert (state.dropped_events, state.late) == (7, 2)


def test_notes(model):
    """Notes of the recorder are passed on."""
    trace = TraceBuilder()
    trace.instant(trace.tracer, 5, s.NOTE, s.CAT_TRACER, reason="uvloop: no ready queue")
    assert health(model(trace.data())).notes == ("uvloop: no ready queue",)
