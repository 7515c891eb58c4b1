"""What is allocated and kept, by line, coroutine and region; as rows and as profiles."""

import math
from pathlib import Path

import pytest

from tests.support.builder.heap import Heap
from tests.support.builder.trace import TraceBuilder
from tests.support.models import model_of
from tests.support.stories.memory import FILL, memory
from tests.support.stories.waits import MS, blocked_loop
from tracer import schema as s
from tracer.units import size
from viewer.analysis.memory import NO_SITE
from viewer.analysis.memory import memory as memory_of
from viewer.analysis.profiles.waits import PROFILES
from viewer.analysis.profiles.within import within


def test_lines(tmp_path: Path) -> None:
    """The user's line is meant, also where a library allocates; the most live come first."""
    found = memory_of(model_of(tmp_path, memory()))
    assert found is not None
    assert found.mean_bytes == 1
    rows = [
        (row.name, row.samples, row.live_bytes, row.grown_bytes, row.allocated_bytes)
        for row in found.sites
    ]
    assert rows == [
        (FILL, 3, 300_000, 150_000, 400_000),
        ("/app/main.py:21 handler", 1, 0, 0, 50_000),
        (NO_SITE, 1, 0, 0, 10_000),
    ]
    total = found.total
    assert (total.live_bytes, total.live_blocks) == (300_000, 2)
    assert (total.allocated_bytes, total.allocated_blocks) == (460_000, 5)
    assert total.live_error == 0


def test_coroutines(tmp_path: Path) -> None:
    """What is allocated outside any task is nobody's."""
    found = memory_of(model_of(tmp_path, memory()))
    assert found is not None
    (row,) = found.coroutines
    assert (row.name, row.allocated_bytes) == ("handler", 50_000)


def test_regions(tmp_path: Path) -> None:
    trace = TraceBuilder(signals="heap")
    thread = trace.thread("MainThread", trace.pid)
    user = trace.track(s.TRACK_USER, parent=thread.track)
    trace.begin(user, 10, "load", s.CAT_USER)
    trace.end(user, 20)
    heap = Heap(trace)
    heap.alloc(5, 1_000, FILL)
    heap.alloc(15, 2_000, FILL)
    heap.alloc(25, 4_000, FILL)
    model = model_of(tmp_path, trace.ended(100))
    found = memory_of(model)
    assert found is not None
    (row,) = found.regions
    assert (row.name, row.live_bytes) == ("load", 2_000)
    profile = PROFILES["heap"](model, within(model, "load"))
    assert profile.total == 2_000


def test_older_blocks(tmp_path: Path) -> None:
    """A flight recording knows what was there when it began: live, not allocated in it."""
    trace = TraceBuilder(signals="heap", start_ns=1_000)
    trace.thread("MainThread", trace.pid)
    heap = Heap(trace, since=-900)
    old = heap.alloc(-500, 4_000, FILL)
    heap.alloc(-400, 2_000, FILL)
    heap.alloc(50, 1_000, FILL)
    heap.free(20, old)
    model = model_of(tmp_path, trace.ended(100))
    found = memory_of(model)
    assert found is not None
    (row,) = found.sites
    assert (row.live_bytes, row.allocated_bytes) == (3_000, 1_000)
    profile = PROFILES["allocs"](model)
    assert profile.total == 1_000
    assert PROFILES["heap"](model).total == 3_000


def test_samples_stand_for_others(tmp_path: Path) -> None:
    """With the probability p of being sampled, a block stands for 1/p; the error follows."""
    trace = TraceBuilder(signals="heap")
    heap = Heap(trace, mean_bytes=1 << 19)
    heap.alloc(5, 100, FILL)
    heap.alloc(6, 1 << 20, FILL)
    model = model_of(tmp_path, trace.ended(100))
    found = memory_of(model)
    assert found is not None
    small, large = (1 / -math.expm1(-size / (1 << 19)) for size in (100, 1 << 20))
    (row,) = found.sites
    assert row.live_blocks == round(small + large)
    assert row.live_bytes == round(100 * small + (1 << 20) * large)
    variance = 100**2 * small * (small - 1) + (1 << 40) * large * (large - 1)
    assert row.live_error == round(math.sqrt(variance))
    (comment,) = PROFILES["heap"](model).comments
    assert comment == (
        f"estimated from 2 samples, one every {size(1 << 19)}; standard error of the "
        f"{size(row.live_bytes)} in use: {size(row.live_error)}"
    )


def test_without_the_signal(tmp_path: Path) -> None:
    model = model_of(tmp_path, blocked_loop())
    assert memory_of(model) is None
    profile = PROFILES["heap"](model)
    assert (profile.samples, profile.total) == ((), 0)
    assert profile.comments == ("allocations were not recorded: tracer run --heap",)


@pytest.mark.parametrize(("type_", "first"), [("heap", "inuse"), ("allocs", "alloc")])
def test_profiles(tmp_path: Path, type_: str, first: str) -> None:
    """Both have Go's four types; the last is shown first."""
    profile = PROFILES[type_](model_of(tmp_path, memory()))
    assert profile.types[-2:] == ((f"{first}_objects", "count"), (f"{first}_space", "bytes"))
    assert profile.period == ("space", "bytes", 1)
    at = {name: i for i, (name, _) in enumerate(profile.types)}
    sums = {
        name: sum(sample.values[i] for sample in profile.samples) for name, i in at.items()
    }
    assert sums == {
        "alloc_objects": 5,
        "alloc_space": 460_000,
        "inuse_objects": 2,
        "inuse_space": 300_000,
    }
    largest = profile.samples[0]
    assert largest.frames[0].function.endswith("decode") == (type_ == "allocs")
    (of_task,) = (sample for sample in profile.samples if "coroutine" in dict(sample.labels))
    assert of_task.values[at["alloc_space"]] == 50_000


def test_events_were_dropped(tmp_path: Path) -> None:
    """A free may be among them: the profile says so."""
    trace = memory()
    trace.instant(
        trace.tracer, 50 * MS, s.EVENTS_DROPPED, s.CAT_TRACER, count=1, since_ns=1, tid=1
    )
    _, comment = PROFILES["heap"](model_of(tmp_path, trace)).comments
    assert "dropped" in comment
