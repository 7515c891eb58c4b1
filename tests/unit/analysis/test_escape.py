"""What outlives its call, by line: shares, lifetimes, and what is not known."""

import math
from pathlib import Path

from tests.support.builder.heap import Heap
from tests.support.builder.trace import TraceBuilder
from tests.support.models import model_of
from viewer.analysis.escape import EscapeRow, escape

PARSE, KEEP = "/app/parse.py:7 parse", "/app/cache.py:3 keep"


def rows(tmp_path: Path, trace: TraceBuilder) -> dict[str, EscapeRow]:
    found = escape(model_of(tmp_path, trace.ended(10_000)))
    assert found is not None
    return {row.site: row for row in found.lines}


def test_shares_and_lifetimes(tmp_path: Path) -> None:
    """Three of four blocks are freed within their calls; one is returned, and lives on."""
    trace = TraceBuilder(signals="heap")
    heap = Heap(trace)
    for n, (lives, returned) in enumerate(
        [(10, False), (20, False), (30, False), (900, True)]
    ):
        block = heap.alloc(100 * n, 1000, PARSE, call=1 + n)
        heap.free(100 * n + lives, block, returned=returned)
    heap.ended(9_000)
    row = rows(tmp_path, trace)[PARSE]
    assert (row.within_blocks, row.outlived_blocks, row.unknown_blocks) == (3, 1, 0)
    assert (row.share, row.share_error) == (0.25, 0.0)
    assert (row.p50_ns, row.p99_ns) == (20, 900)
    assert (row.allocated_bytes, row.outlived_bytes, row.live_bytes) == (4000, 1000, 0)


def test_what_is_not_freed(tmp_path: Path) -> None:
    """At the end one call still runs; the other has returned, so its block outlived it."""
    trace = TraceBuilder(signals="heap")
    heap = Heap(trace)
    heap.alloc(10, 1000, KEEP, call=1)
    heap.alloc(20, 2000, KEEP, call=2)
    heap.free(50, heap.alloc(30, 500, KEEP, call=2), returned=False)
    heap.ended(9_000, 2)
    row = rows(tmp_path, trace)[KEEP]
    assert (row.within_blocks, row.outlived_blocks, row.unknown_blocks) == (1, 1, 1)
    assert (row.outlived_bytes, row.live_bytes) == (1000, 3000)
    assert (row.p50_ns, row.p99_ns) == (None, None)


def test_the_end_was_not_heard(tmp_path: Path) -> None:
    """Of a program that was killed it is not known which calls ran."""
    trace = TraceBuilder(signals="heap")
    heap = Heap(trace)
    heap.alloc(10, 1000, KEEP, call=1)
    heap.free(50, heap.alloc(30, 500, KEEP))
    row = rows(tmp_path, trace)[KEEP]
    assert (row.share, row.unknown_blocks) == (None, 2)


def test_a_block_that_grows_is_one(tmp_path: Path) -> None:
    trace = TraceBuilder(signals="heap")
    heap = Heap(trace)
    heap.free(20, heap.alloc(10, 1000, KEEP, call=1), returned=False, resized=True)
    heap.free(90, heap.alloc(20, 2000, KEEP, call=1), returned=True)
    heap.ended(9_000)
    row = rows(tmp_path, trace)[KEEP]
    assert (row.samples, row.share, row.allocated_bytes) == (1, 1.0, 2000)


def test_small_blocks_stand_for_more(tmp_path: Path) -> None:
    """A small block that outlives its call and a large one that does not."""
    trace = TraceBuilder(signals="heap")
    heap = Heap(trace, mean_bytes=1 << 19)
    heap.free(50, heap.alloc(10, 100, KEEP, call=1), returned=True)
    heap.free(50, heap.alloc(20, 1 << 20, KEEP, call=1), returned=False)
    heap.ended(9_000)
    small, large = (1 / -math.expm1(-size / (1 << 19)) for size in (100, 1 << 20))
    row = rows(tmp_path, trace)[KEEP]
    assert row.share == small / (small + large)
    spread = small * (small - 1) * (1 - row.share) ** 2 + large * (large - 1) * row.share**2
    assert math.isclose(row.share_error, math.sqrt(spread) / (small + large))


def test_the_line_with_most_that_escapes_first(tmp_path: Path) -> None:
    trace = TraceBuilder(signals="heap")
    heap = Heap(trace)
    heap.free(50, heap.alloc(10, 9000, PARSE, call=1), returned=False)
    heap.free(50, heap.alloc(20, 1000, KEEP, call=2), returned=True)
    heap.ended(9_000)
    assert list(rows(tmp_path, trace)) == [KEEP, PARSE]
