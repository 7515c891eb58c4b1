"""Memory that grows, and garbage in cycles; and what looks alike but is neither."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.builder.heap import Heap
from tests.support.builder.trace import TraceBuilder
from tests.support.models import model_of
from viewer.analysis.findings import Facts, Finding
from viewer.analysis.findings.memory import memory_findings

SECOND = 1_000_000_000
MB = 1_000_000
KEEP, OTHER = "/app/cache.py:7 keep", "/app/main.py:3 main"


def findings(
    tmp_path: Path,
    story: Callable[[TraceBuilder, Heap], object],
    end: int = 2 * SECOND,
    since: int = 0,
) -> list[Finding]:
    trace = TraceBuilder(signals="gc,heap", start_ns=200 * SECOND)
    trace.thread("MainThread", trace.pid)
    story(trace, Heap(trace, since=since))
    return list(memory_findings(Facts(model_of(tmp_path, trace.ended(end)))))


def grows(_trace: TraceBuilder, heap: Heap, *, start: int = 0, size: int = MB) -> None:
    """20 blocks of equal distance, until two seconds."""
    for n in range(20):
        heap.alloc(start + 1 + n * (2 * SECOND - start) // 20, size, KEEP, OTHER)


def test_growing(tmp_path: Path) -> None:
    (found,) = findings(tmp_path, grows)
    assert (found.finding, found.severity_ns) == ("growing memory", 0)
    assert "`keep` (cache.py:7) allocates memory that is kept" in found.text
    assert "20.0 MB ± 0 B after 2.00 s, 100 % of what it allocated there" in found.text
    assert found.evidence.site == KEEP


def test_growing_from_some_moment_on(tmp_path: Path) -> None:
    """What the program did before its first allocation there does not count."""
    (found,) = findings(tmp_path, lambda t, h: grows(t, h, start=SECOND // 2))
    assert "after 1.50 s" in found.text


def full_cache(_trace: TraceBuilder, heap: Heap) -> None:
    """Grows for half of the time, then each new block replaces an old one."""
    kept = [heap.alloc(1 + n * SECOND // 20, MB, KEEP) for n in range(20)]
    for n, old in enumerate(kept):
        now = SECOND + n * SECOND // 20
        heap.alloc(now, MB, KEEP)
        heap.free(now + 1, old)


def loaded_once(_trace: TraceBuilder, heap: Heap) -> None:
    for n in range(30):
        heap.alloc(1 + n, MB, KEEP)


def used_and_freed(_trace: TraceBuilder, heap: Heap) -> None:
    for n in range(40):
        heap.free(n * SECOND // 20 + 9, heap.alloc(n * SECOND // 20 + 1, MB, KEEP))


@pytest.mark.parametrize(
    "story",
    [
        full_cache,
        loaded_once,
        used_and_freed,
        lambda t, h: grows(t, h, size=100_000),
        lambda t, h: grows(t, h, start=3 * SECOND // 2),
    ],
    ids=["full cache", "loaded once", "freed", "little", "not for long"],
)
def test_not_growing(tmp_path: Path, story: Callable[[TraceBuilder, Heap], object]) -> None:
    assert findings(tmp_path, story) == []


def survivors(_trace: TraceBuilder, heap: Heap) -> None:
    """Of the blocks from before the snapshot, those are known that still lived."""
    kept = [heap.alloc((n - 20) * 5 * SECOND, MB, KEEP) for n in range(20)]
    for n, old in enumerate(kept):
        now = n * SECOND // 10
        heap.alloc(now, MB, KEEP)
        heap.free(now + 1, old)


def test_a_snapshot_of_a_full_cache(tmp_path: Path) -> None:
    assert findings(tmp_path, survivors, since=-101 * SECOND) == []


def cycles(trace: TraceBuilder, heap: Heap, *, by_collector: int = 20, tid: int = 0) -> None:
    """20 blocks; so many are freed in a collection, the others at once."""
    trace.gc(SECOND, SECOND + 1000, trace.pid, 2, collected=20)
    for n in range(20):
        block = heap.alloc(1 + n, MB, KEEP)
        heap.free(SECOND + n if n < by_collector else 100 + n, block, tid=tid)


def test_cycles(tmp_path: Path) -> None:
    (found,) = findings(tmp_path, cycles)
    assert found.finding == "garbage in cycles"
    assert "`keep` (cache.py:7) allocates what only the garbage collector frees" in found.text
    assert "20.0 MB, 100 % of what was freed, half of it after 1.00 s or more" in found.text


@pytest.mark.parametrize(
    "story",
    [lambda t, h: cycles(t, h, by_collector=9), lambda t, h: cycles(t, h, tid=t.pid + 1)],
    ids=["mostly by itself", "by another thread"],
)
def test_no_cycles(tmp_path: Path, story: Callable[[TraceBuilder, Heap], object]) -> None:
    assert findings(tmp_path, story) == []
