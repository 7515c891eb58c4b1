"""The sampled allocations of a trace: each block, from where it was allocated to its end."""

import math
from dataclasses import dataclass, replace
from typing import NamedTuple, Self

from tracer import schema as s
from viewer.trace.model import Model
from viewer.trace.reader import Trace, number_of


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
    events = trace.events
    means: dict[int, int] = {}
    blocks: list[Block] = []
    open_: dict[tuple[int, int], Block] = {}
    running: set[tuple[int, int]] = set()
    ended: set[int] = set()
    for i in trace.instants(events.category, s.CAT_HEAP):
        name, args = trace.text(events.name[i]), trace.args(i)
        process = trace.track_process[events.track[i]]
        key = process, number_of(args, s.ARG_BLOCK)
        if name == s.SAMPLING:
            means[process] = number_of(args, s.ARG_MEAN_BYTES)
        elif name == s.ALLOC and means.get(process):
            size = number_of(args, s.ARG_BYTES)
            block = open_[key] = Block(
                process,
                number_of(args, s.ARG_TID),
                number_of(args, s.ARG_TASK),
                events.time_ns[i],
                -1,
                size,
                1 / -math.expm1(-max(size, 1) / means[process]),
                str(args.get(s.ARG_SITE, "")),
                str(args.get(s.ARG_STACK, "")),
                call=number_of(args, s.ARG_CALL),
            )
            blocks.append(block)
        elif name == s.FREE and key in open_:
            block = open_.pop(key)
            block.end_ns, block.freed_by = events.time_ns[i], number_of(args, s.ARG_TID)
            returned = args.get(s.ARG_RETURNED)
            block.outlived = bool(returned) if returned is not None else None
            block.resized = bool(args.get(s.ARG_RESIZED))
        elif name == s.STILL_RUNS:
            running.add((process, number_of(args, s.ARG_CALL)))
        elif name == s.SAMPLING_ENDED:
            ended.add(process)
    for block in open_.values():
        if (
            block.call
            and block.process in ended
            and (block.process, block.call) not in running
        ):
            block.outlived = True
    return means, tuple(blocks)
