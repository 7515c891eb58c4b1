"""Sampled allocations of a trace made by hand.

heap = Heap(trace, mean_bytes=1)
block = heap.alloc(1_000, 4096, "/app/a.py:3 f", "/app/a.py:9 main")
heap.free(2_000, block)
"""

from tests.support.builder.encoding import Arg
from tests.support.builder.trace import TraceBuilder
from tests.support.builder.wire import message
from tracer import schema as s


class Heap:
    """The track `heap`. With a mean of one byte a block stands for itself alone."""

    def __init__(
        self, trace: TraceBuilder, *, mean_bytes: int = 1, tid: int = 0, since: int = 0
    ) -> None:
        self.trace, self.tid, self.blocks = trace, tid or trace.pid, 0
        self.track = trace.track(s.TRACK_HEAP)
        self.counter = 0
        trace.instant(self.track, since, s.SAMPLING, s.CAT_HEAP, mean_bytes=mean_bytes)

    def alloc(
        self, at: int, size: int, *stack: str, tid: int = 0, task: int = 0, call: int = 0
    ) -> int:
        """The number of a block, allocated there; `stack` has the innermost frame first."""
        self.blocks += 1
        args: dict[str, Arg] = {
            s.ARG_BLOCK: self.blocks,
            s.ARG_BYTES: size,
            s.ARG_TID: tid or self.tid,
        }
        if task:
            args[s.ARG_TASK] = task
        if call:
            args[s.ARG_CALL] = call
        if stack:
            args |= {s.ARG_SITE: stack[0], s.ARG_STACK: "\n".join(stack)}
        self.trace.instant(self.track, at, s.ALLOC, s.CAT_HEAP, **args)
        return self.blocks

    def free(
        self,
        at: int,
        block: int,
        *,
        tid: int = 0,
        returned: bool | None = None,
        resized: bool = False,
    ) -> None:
        args: dict[str, Arg] = {s.ARG_BLOCK: block, s.ARG_TID: tid or self.tid}
        if returned is not None:
            args[s.ARG_RETURNED] = returned
        if resized:
            args[s.ARG_RESIZED] = True
        self.trace.instant(self.track, at, s.FREE, s.CAT_HEAP, **args)

    def live(self, at: int, size: int) -> None:
        """The counter."""
        if not self.counter:
            name = s.COUNTER_HEAP_LIVE
            self.counter = self.trace.track(name, message(s.TRACK_COUNTER, b""))
        self.trace.counter(self.counter, at, size)

    def ended(self, at: int, *running: int) -> None:
        """Sampling ends; these calls have not returned."""
        for call in running:
            self.trace.instant(self.track, at, s.STILL_RUNS, s.CAT_HEAP, **{s.ARG_CALL: call})
        self.trace.instant(self.track, at, s.SAMPLING_ENDED, s.CAT_HEAP)
