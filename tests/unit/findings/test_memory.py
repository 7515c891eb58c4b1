"""Memory that grows, and garbage of the collector; and what looks alike but is neither."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.builder.heap import Heap
from tests.support.builder.trace import TraceBuilder
from tests.support.models import model_of
from viewer.analysis.findings import Facts, Finding
from viewer.analysis.findings.interpreter.memory import memory_findings

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
    assert (found.finding, found.severity_ns) == ("growing global", 0)
    assert "`keep` (cache.py:7) allocates memory that is kept" in found.text
    assert "20.0 MB ± 0 B after 2.00 s, 100 % of what it allocated there" in found.text
    assert found.evidence.site == KEEP


def test_growing_from_some_moment_on(tmp_path: Path) -> None:
    """What the program did before its first allocation there does not count."""
    (found,) = findings(tmp_path, lambda t, h: grows(t, h, start=SECOND // 2))
    assert "after 1.50 s" in found.text


def two_grow(_trace: TraceBuilder, heap: Heap) -> None:
    """The second line allocates more."""
    for n in range(20):
        heap.alloc(1 + n * SECOND // 10, MB, OTHER)
        heap.alloc(2 + n * SECOND // 10, 2 * MB, KEEP)


def test_who_keeps_the_most_leads(tmp_path: Path) -> None:
    assert [found.evidence.site for found in findings(tmp_path, two_grow)] == [KEEP, OTHER]


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
    assert found.finding == "garbage that only the collector frees"
    assert "`keep` (cache.py:7) allocates what only the garbage collector frees" in found.text
    assert "20.0 MB, 100 % of what was freed, half of it after 1.00 s or more" in found.text


@pytest.mark.parametrize(
    "story",
    [lambda t, h: cycles(t, h, by_collector=9), lambda t, h: cycles(t, h, tid=t.pid + 1)],
    ids=["mostly by itself", "by another thread"],
)
def test_no_cycles(tmp_path: Path, story: Callable[[TraceBuilder, Heap], object]) -> None:
    assert findings(tmp_path, story) == []


def some(heap: Heap, count: int, size: int, *, first: int = 1, last: int = 2 * SECOND) -> None:
    """So many blocks of equal distance that are kept."""
    for n in range(count):
        heap.alloc(first + n * (last - first) // count, size, KEEP)


def parts(heap: Heap, *grow: int) -> None:
    """Four blocks in each of these eighths of two seconds."""
    for part in (0, *grow):
        for n in range(4):
            heap.alloc(1 + part * SECOND // 4 + n, MB, KEEP)


@pytest.mark.parametrize(
    ("hit", "miss"),
    [
        (lambda h: some(h, 16, MB), lambda h: some(h, 15, MB)),
        (lambda h: some(h, 16, 8 << 16), lambda h: some(h, 16, (8 << 16) - 1)),
        (lambda h: some(h, 32, MB, first=SECOND), lambda h: some(h, 32, MB, first=SECOND + 1)),
        (lambda h: parts(h, 1, 2, 3, 4, 6), lambda h: parts(h, 1, 2, 3, 6)),
        (lambda h: parts(h, 1, 2, 3, 4, 6), lambda h: parts(h, 1, 2, 3, 4, 5)),
    ],
    ids=["samples", "8 MiB", "a second", "six of eight", "one of the last two"],
)
def test_thresholds_of_growth(
    tmp_path: Path, hit: Callable[[Heap], object], miss: Callable[[Heap], object]
) -> None:
    """Each is met exactly, and missed by one."""
    (found,) = findings(tmp_path, lambda _trace, heap: hit(heap))
    assert found.finding == "growing global"
    assert findings(tmp_path, lambda _trace, heap: miss(heap)) == []


def freed(trace: TraceBuilder, heap: Heap, by_collector: int, size: int, others: int) -> None:
    trace.gc(SECOND, SECOND + 1000, trace.pid, 2)
    blocks = [heap.alloc(1 + n, size, KEEP) for n in range(by_collector + others)]
    for n, block in enumerate(blocks):
        heap.free(SECOND + n if n < by_collector else 1000 + n, block)


@pytest.mark.parametrize(
    ("hit", "miss"),
    [
        ((16, 2 << 20, 0), (15, 2 << 20, 0)),
        ((16, 1 << 20, 0), (16, (1 << 20) - 1, 0)),
        ((16, 1 << 20, 16), (16, 1 << 20, 17)),
    ],
    ids=["samples", "16 MiB", "half"],
)
def test_thresholds_of_garbage(
    tmp_path: Path, hit: tuple[int, int, int], miss: tuple[int, int, int]
) -> None:
    """Each is met exactly, and missed by one."""
    (found,) = findings(tmp_path, lambda trace, heap: freed(trace, heap, *hit))
    assert found.finding == "garbage that only the collector frees"
    assert findings(tmp_path, lambda trace, heap: freed(trace, heap, *miss)) == []


def test_garbage_outside_a_collection(tmp_path: Path) -> None:
    """Freed by the thread that collects, a moment after it has."""

    def story(trace: TraceBuilder, heap: Heap) -> None:
        trace.gc(SECOND, SECOND + 1000, trace.pid, 2)
        for n in range(20):
            heap.free(SECOND + 1001 + n, heap.alloc(1 + n, MB, KEEP))

    assert findings(tmp_path, story) == []
