"""Allocations of real programs: which blocks, from where, and when they are freed.

With a mean of one byte every block is sampled, so what these tests say is exact.
"""

import asyncio
import ctypes
import gc
import os
import sys
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FunctionType

import pytest

from tests.support.recordings import record_here
from tests.support.validator.heap import Block, HeapSummary
from tests.support.validator.rules import Summary

pytestmark = pytest.mark.skipif(
    not getattr(sys, "_is_gil_enabled", lambda: True)(), reason="it needs a GIL"
)
SIGNALS = ("heap", "gc", "tasks", "gil")
KEPT: list[object] = []
# MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT: what is used, not all that other tests have mapped.
ALL_FROM_NOW_ON = 1 | 2 | 4
HEADER = sys.getsizeof(b"")  # of bytes, whose contents follow it
BODY = 967


@pytest.fixture(autouse=True)
def _nothing_kept() -> Iterator[None]:
    yield
    KEPT.clear()


def record(function: Callable[[], object], directory: Path, rate: int = 1) -> HeapSummary:
    return recorded(function, directory, rate)[1]


def recorded(
    function: Callable[[], object], directory: Path, rate: int = 1
) -> tuple[Summary, HeapSummary]:
    path = directory / "t.pftrace"
    summary, totals = record_here(function, path, signals=SIGNALS, heap_rate=rate)
    assert not totals.dropped
    return summary, summary.heap[os.getpid()]


def made_in(heap: HeapSummary, function: object, size: int = 0) -> list[Block]:
    """The blocks that a function made itself, of a size or of any."""
    assert isinstance(function, FunctionType)
    end = f" {function.__qualname__}"
    return [
        block for block in heap.blocks if block.site.endswith(end) and size in (0, block.bytes)
    ]


class Node:
    __slots__ = (
        "a",
        "b",
        "c",
        "d",
        "e",
        "f",
        "g",
        "h",
        "other",
    )  # no other block has its size


def test_every_block_is_known_by_size_and_place(tmp_path: Path) -> None:
    """Blocks from pymalloc and from malloc are counted once each."""

    def objects() -> None:
        KEPT.append([Node() for _ in range(100)])

    def texts() -> None:
        KEPT.extend([bytes(1000) for _ in range(100)])

    def large() -> None:
        KEPT.extend([bytes(100_000) for _ in range(10)])

    def run() -> None:
        objects()
        texts()
        large()

    heap = record(run, tmp_path)
    assert heap.mean_bytes == 1
    size = sys.getsizeof(Node())
    assert len(made_in(heap, objects, size)) == 100
    assert len(made_in(heap, texts, sys.getsizeof(bytes(1000)))) == 100
    blocks = made_in(heap, large, HEADER + 100_000)
    assert len(blocks) == 10
    assert all(block.end_ns is None for block in blocks)
    assert all(block.tid == os.getpid() for block in blocks)
    assert "run" in blocks[0].stack.split("\n")[1]


def test_a_freed_block_ends(tmp_path: Path) -> None:
    def churn() -> None:
        for _ in range(50):
            bytes(3000)

    heap = record(churn, tmp_path)
    blocks = made_in(heap, churn, HEADER + 3000)
    assert len(blocks) == 50
    assert all(block.end_ns is not None for block in blocks)
    assert all(block.freed_by == os.getpid() for block in blocks)


def test_growth_frees_the_old_and_takes_the_new(tmp_path: Path) -> None:
    """Of a list that grew, one block is left, of the size that it has."""

    def grow() -> None:
        items: list[None] = []
        for _ in range(10_000):
            items.append(None)  # noqa: PERF401 - it shall grow
        KEPT.append(items)

    heap = record(grow, tmp_path)
    left = [block.bytes for block in made_in(heap, grow) if block.end_ns is None]
    grown = sys.getsizeof(KEPT[0]) - sys.getsizeof([])
    assert [size for size in left if size > 1000] == [grown]
    assert len(made_in(heap, grow)) > 20


def test_a_shrunk_block_counts_once(tmp_path: Path) -> None:
    """A large block that becomes small comes from malloc still: one wrapper counts it."""

    def shrink() -> None:
        items = [None] * 10_000
        del items[10:]
        KEPT.append(items)

    heap = record(shrink, tmp_path)
    # At other lines the interpreter may allocate for itself.
    line = f":{shrink.__code__.co_firstlineno + 2} "
    made = [block for block in made_in(heap, shrink) if line in block.site]
    left = [block.bytes for block in made if block.end_ns is None]
    assert left == [sys.getsizeof(KEPT[0]) - sys.getsizeof([])]


def test_another_thread_frees(tmp_path: Path) -> None:
    def make() -> None:
        KEPT.append(bytes(50_000))

    def drop() -> None:
        KEPT.clear()

    def run() -> None:
        make()
        thread = threading.Thread(target=drop)
        thread.start()
        thread.join()

    (block,) = made_in(record(run, tmp_path), make, HEADER + 50_000)
    assert block.end_ns is not None
    assert block.freed_by not in (0, os.getpid())


def test_a_threads_own_allocations(tmp_path: Path) -> None:
    """The thread's stack has its names, though the main thread waits without a pause."""
    ready = threading.Event()

    def make() -> None:
        KEPT.append(bytes(50_000))
        ready.set()

    def run() -> None:
        thread = threading.Thread(target=make)
        thread.start()
        thread.join()

    (block,) = made_in(record(run, tmp_path), make, HEADER + 50_000)
    assert block.tid != os.getpid()


def test_what_the_collector_frees_ends_in_a_collection(tmp_path: Path) -> None:
    def cycles() -> None:
        for _ in range(20):
            one, two = Node(), Node()
            one.other, two.other = two, one  # type: ignore[attr-defined]

    def run() -> None:
        gc.disable()
        cycles()
        gc.collect()
        gc.enable()

    summary, heap = recorded(run, tmp_path)
    blocks = made_in(heap, cycles, sys.getsizeof(Node()))
    assert len(blocks) == 40
    assert len({block.end_ns for block in blocks} - {None}) == 40
    assert summary.names["GC gen2"] >= 1


def test_a_tasks_allocations_have_its_number(tmp_path: Path) -> None:
    async def make() -> None:
        await asyncio.sleep(0)
        KEPT.append(bytes(50_000))

    summary, heap = recorded(lambda: asyncio.run(make()), tmp_path)
    (block,) = made_in(heap, make, HEADER + 50_000)
    coro = summary.tasks[os.getpid(), block.task].coro
    assert coro.endswith("make")


def test_names_of_code_that_has_died(tmp_path: Path) -> None:
    """A code object that dies before the writer looks keeps its name in the trace."""

    def run() -> None:
        for n in range(20):
            space: dict[str, object] = {"kept": KEPT}
            exec(f"def made_{n}():\n kept.append(bytes(9000))\nmade_{n}()", space)

    heap = record(run, tmp_path)
    sites = [block.site for block in heap.blocks if block.bytes == HEADER + 9000]
    assert sites == [f"<string>:2 made_{n}" for n in range(20)]


@pytest.mark.parametrize("rate", [1 << 12, 1 << 16])
def test_samples_stand_for_what_was_not_sampled(rate: int, tmp_path: Path) -> None:
    """Six standard errors: it fails by chance once in 10^8 runs."""

    def small() -> None:
        KEPT.extend([Node() for _ in range(100_000)])

    def large() -> None:
        for _ in range(20_000):
            bytes(BODY)

    def run() -> None:
        small()
        large()

    heap = record(run, tmp_path, rate)
    size = sys.getsizeof(Node())
    for function, of, count in ((small, size, 100_000), (large, HEADER + BODY, 20_000)):
        blocks = made_in(heap, function, of)
        weight = blocks[0].weight
        error = (count * (weight - 1)) ** 0.5
        assert abs(len(blocks) * weight - count) < 6 * error
    assert all(block.end_ns is None for block in made_in(heap, small, size))
    assert all(block.end_ns is not None for block in made_in(heap, large, HEADER + BODY))


def test_tracemalloc_begins_and_ends_meanwhile(tmp_path: Path) -> None:
    """It wraps our wrappers, and gives them back."""

    def before() -> None:
        KEPT.append(bytes(50_000))

    def during() -> None:
        KEPT.append(bytes(60_000))

    def after() -> None:
        KEPT.append(bytes(70_000))

    def run() -> None:
        before()
        tracemalloc.start()
        during()
        KEPT.pop(0)
        tracemalloc.stop()
        after()

    heap = record(run, tmp_path)
    (first,) = made_in(heap, before, HEADER + 50_000)
    assert first.end_ns is not None
    assert (
        len(made_in(heap, during, HEADER + 60_000))
        == len(made_in(heap, after, HEADER + 70_000))
        == 1
    )


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # pytest may have threads
def test_a_forked_child_goes_on(tmp_path: Path) -> None:
    """The child frees what the parent's recording knows, and records nothing."""

    def make() -> None:
        KEPT.append(bytes(50_000))

    def run() -> None:
        make()
        child = os.fork()
        if not child:
            KEPT.clear()
            bytes(50_000)
            os._exit(7)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7

    (block,) = made_in(record(run, tmp_path), make, HEADER + 50_000)
    assert block.end_ns is None


def test_two_recordings(tmp_path: Path) -> None:
    """The second one does not know the blocks of the first."""

    def first() -> None:
        KEPT.append(bytes(50_000))

    def second() -> None:
        KEPT.clear()
        KEPT.append(bytes(60_000))

    one = record(first, tmp_path)
    two = record(second, tmp_path)
    assert made_in(one, first, HEADER + 50_000)[0].end_ns is None
    assert not [block for block in two.blocks if block.bytes == HEADER + 50_000]
    assert len(made_in(two, second, HEADER + 60_000)) == 1


@pytest.mark.broad
def test_recordings_with_locked_memory(tmp_path: Path) -> None:
    """The kernel takes back no page that the program has locked. Numbers come twice, and a
    short recording has nothing of a longer one before."""
    libc = ctypes.CDLL(None)
    if libc.mlockall(ALL_FROM_NOW_ON):
        pytest.skip("memory may not be locked here")

    def first() -> None:
        KEPT.extend(bytes(50_000) for _ in range(100))

    def second() -> None:
        before = [*KEPT]
        KEPT.clear()
        KEPT.extend(bytes(60_000) for _ in range(1000))
        before.clear()

    try:
        record(first, tmp_path)
        blocks = record(second, tmp_path).blocks
        for _ in range(2):
            record(first, tmp_path)  # what it says is checked
    finally:
        libc.munlockall()
    ends = [block.end_ns for block in blocks if block.bytes == HEADER + 60_000]
    assert ends == [None] * 1000
