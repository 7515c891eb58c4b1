"""A trace with sampled allocations, for profiles and reports: all by hand."""

from tests.support.builder.heap import Heap
from tests.support.builder.trace import TraceBuilder
from tests.support.stories.waits import MS

FILL, DECODE = "/app/cache.py:7 Cache.fill", "/usr/lib/python3.13/json/decoder.py:345 decode"
LOOP = "/app/main.py:3 main"


def memory(mean_bytes: int = 1) -> TraceBuilder:
    """The trace of `memory_and_heap`."""
    return memory_and_heap(mean_bytes)[0]


def memory_and_heap(mean_bytes: int = 1) -> tuple[TraceBuilder, Heap]:
    """A cache keeps 300 of 400 kB, half of that from the second half on; the task `handler`
    uses 50 kB for a while; 10 kB are allocated without a stack."""
    trace = TraceBuilder(signals="tasks,gc,heap")
    main = trace.thread("MainThread", trace.pid)
    loop = trace.loop(main)
    task = loop.task("handler", site="/app/main.py:20 handler")
    task.ready(MS).running(30 * MS).done(40 * MS)
    loop.step(task, 30 * MS, 40 * MS)
    heap = Heap(trace, mean_bytes=mean_bytes)
    heap.alloc(10 * MS, 150_000, DECODE, FILL, LOOP)
    heap.free(15 * MS, heap.alloc(11 * MS, 100_000, DECODE, FILL, LOOP))
    heap.free(38 * MS, heap.alloc(31 * MS, 50_000, "/app/main.py:21 handler", task=task.id))
    heap.alloc(60 * MS, 150_000, FILL, LOOP)
    heap.free(90 * MS, heap.alloc(70 * MS, 10_000))
    return trace.ended(100 * MS), heap
