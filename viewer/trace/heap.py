"""The sampled allocations of a trace: each block, from where it was allocated to its end."""

import math
from dataclasses import dataclass, replace
from typing import NamedTuple, Self

from tracer import schema as s
from viewer.trace.model import Model
from viewer.trace.reader import Trace
from viewer.trace.told import Told


@dataclass(slots=True)
class Block:
    """A sampled block. `end_ns` is -1 while it is not freed; `stack` is "" where unknown."""

    process: int
    tid: int
    task: int  # its number in the process, 0 none
    start_ns: int
    end_ns: int
    size: int  # bytes
    count: float  # how many blocks of this size it stands for, itself included
    site: str  # innermost line outside the standard library
    stack: str
    freed_by: int = 0  # tid
    call: int = 0  # number of the call whose line made it; 0 unknown
    # Whether that call had returned when the block was freed, or when the recording ended.
    outlived: bool | None = None
    resized: bool = False  # a larger or smaller block took its place

    @property
    def bytes(self) -> float:
        """How many bytes it stands for."""
        return self.size * self.count

    @property
    def variance(self) -> float:
        """Of these bytes, as an estimate."""
        return self.size * self.size * self.count * (self.count - 1)


class Heap(NamedTuple):
    """`mean_bytes` between two samples, by process: empty where allocations were not recorded.
    The blocks are in order of time. Some may be older than the range: they were there when it
    began."""

    mean_bytes: dict[int, int]
    blocks: tuple[Block, ...]
    from_ns: int
    until_ns: int

    @classmethod
    def of(cls, model: Model) -> Self:
        """The allocations of a model, found once."""
        return model.derive(
            cls, lambda: cls(*_read(model.trace), model.start_ns, model.end_ns)
        )

    def within(self, from_ns: int, until_ns: int) -> Self:
        """What was there in [from_ns, until_ns); a block that is freed later is live."""
        blocks = (
            block if block.end_ns < until_ns else replace(block, end_ns=-1, outlived=None)
            for block in self.blocks
            if block.start_ns < until_ns and not 0 <= block.end_ns < from_ns
        )
        return self._replace(blocks=tuple(blocks), from_ns=from_ns, until_ns=until_ns)

    @property
    def allocated(self) -> list[Block]:
        """The blocks that were not there when the range began."""
        return [block for block in self.blocks if block.start_ns >= self.from_ns]


def _read(trace: Trace) -> tuple[dict[int, int], tuple[Block, ...]]:
    means: dict[int, int] = {}
    blocks: list[Block] = []
    open_: dict[tuple[int, int], Block] = {}
    running: set[tuple[int, int]] = set()
    ended: set[int] = set()
    noted, take = trace.instants(trace.events.category, s.CAT_HEAP), trace.engine.take
    told, text = Told(trace, noted), trace.text
    alloc, free = map(trace.symbol, (s.ALLOC, s.FREE))
    numbers = (s.ARG_BLOCK, s.ARG_BYTES, s.ARG_TID, s.ARG_TASK, s.ARG_CALL, s.ARG_RESIZED)
    each = zip(
        take(trace.events.name, noted, -1),
        trace.engine.gather(noted, trace.events.track, trace.track_process),
        take(trace.events.time_ns, noted, -1),
        *(told.numbers(name, 0) for name in numbers),
        told.numbers(s.ARG_RETURNED, -1),
        told.numbers(s.ARG_MEAN_BYTES, 0),
        told.strings(s.ARG_SITE),
        told.strings(s.ARG_STACK),
        strict=True,
    )
    for name, process, at_ns, id_, size, tid, task, call, *more in each:
        resized, returned, mean, site, stack = more
        key = process, id_
        if name == alloc:
            if not (per := means.get(process)):
                continue
            count = 1 / -math.expm1(-max(size, 1) / per)
            block = open_[key] = Block(
                process, tid, task, at_ns, -1, size, count, text(site), text(stack), call=call
            )
            blocks.append(block)
        elif name == free:
            if key in open_:
                block = open_.pop(key)
                block.end_ns, block.freed_by = at_ns, tid
                block.outlived = bool(returned) if returned >= 0 else None
                block.resized = bool(resized)
        elif (what := text(name)) == s.SAMPLING:
            means[process] = mean
        elif what == s.STILL_RUNS:
            running.add((process, call))
        elif what == s.SAMPLING_ENDED:
            ended.add(process)
    for block in open_.values():
        if (
            block.call
            and block.process in ended
            and (block.process, block.call) not in running
        ):
            block.outlived = True
    return means, tuple(blocks)
