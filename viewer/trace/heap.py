"""The sampled allocations of a trace: each block, from where it was allocated to its end."""

import math
from array import array
from functools import cache, partial
from operator import mul
from typing import NamedTuple, Self

from tracer import schema as s
from viewer.trace.model import Model
from viewer.trace.reader import Trace
from viewer.trace.sites import head
from viewer.trace.told import Told


class Block(NamedTuple):
    """A sampled block. `end_ns` is -1 while it is not freed; `stack` is "" where unknown."""

    process: int
    tid: int
    task: int  # its number in the process, 0 none
    start_ns: int
    end_ns: int
    size: int  # bytes
    blocks: float  # how many blocks of this size it stands for, itself included
    bytes: float  # how many it stands for
    site: str  # innermost line outside the standard library
    stack: str
    own_line: str  # of the program's own code; "" where unknown
    freed_by: int  # tid
    call: int  # number of the call whose line made it; 0 unknown
    # Whether that call had returned when the block was freed, or when the recording ended.
    outlived: bool | None
    resized: bool  # a larger or smaller block took its place

    @property
    def variance(self) -> float:
        """Of these bytes, as an estimate."""
        return self.size * self.size * self.blocks * (self.blocks - 1)


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
            block if block.end_ns < until_ns else block._replace(end_ns=-1, outlived=None)
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
    made, rates, end_of = list[int](), list[int](), array("i")  # by block, the first two notes
    open_: dict[tuple[int, int], int] = {}
    running: set[tuple[int, int]] = set()
    ended: set[int] = set()
    noted, take = trace.instants(trace.events.category, s.CAT_HEAP), trace.engine.take
    told, text = Told(trace, noted), trace.text
    alloc, free = map(trace.symbol, (s.ALLOC, s.FREE))
    process = trace.engine.gather(noted, trace.events.track, trace.track_process)
    at_ns, name = take(trace.events.time_ns, noted, -1), take(trace.events.name, noted, -1)
    calls, mean = told.numbers(s.ARG_CALL, 0), told.numbers(s.ARG_MEAN_BYTES, 0)
    keys = zip(process, told.numbers(s.ARG_BLOCK, 0), strict=True)
    for note, (what, key) in enumerate(zip(name, keys, strict=True)):
        if what == alloc:
            if per := means.get(key[0]):
                open_[key] = len(made)
                made.append(note)
                rates.append(per)
                end_of.append(-1)
        elif what == free:
            if (block := open_.pop(key, -1)) >= 0:
                end_of[block] = note
        elif (said := text(what)) == s.SAMPLING:
            means[key[0]] = mean[note]
        elif said == s.STILL_RUNS:
            running.add((key[0], calls[note]))
        elif said == s.SAMPLING_ENDED:
            ended.add(key[0])

    @cache
    def count_of(size: int, per: int) -> float:
        return 1 / -math.expm1(-max(size, 1) / per)

    @cache
    def place_of(site: int, stack: int) -> tuple[str, str, str]:
        return text(site), text(stack), head(text(stack)) or text(site)

    begun, over = memoryview(array("i", made)), memoryview(end_of)
    tid = told.numbers(s.ARG_TID, 0)
    of, call = take(process, begun, -1).tolist(), take(calls, begun, 0).tolist()
    sizes = take(told.numbers(s.ARG_BYTES, 0), begun, 0).tolist()
    counts = [*map(count_of, sizes, rates)]
    sites, stacks = (take(told.strings(kind), begun, -1) for kind in (s.ARG_SITE, s.ARG_STACK))
    returned = take(told.numbers(s.ARG_RETURNED, -1), over, -1)
    outlived = [None if known < 0 else known > 0 for known in returned]
    for block in open_.values():
        if call[block] and of[block] in ended and (of[block], call[block]) not in running:
            outlived[block] = True
    blocks = zip(
        of,
        take(tid, begun, 0),
        take(told.numbers(s.ARG_TASK, 0), begun, 0),
        take(at_ns, begun, -1),
        take(at_ns, over, -1),
        sizes,
        counts,
        map(mul, sizes, counts),
        *zip(*map(place_of, sites, stacks), strict=True),
        take(tid, over, 0),
        call,
        outlived,
        map(bool, take(told.numbers(s.ARG_RESIZED, 0), over, 0)),
        strict=True,
    )
    return means, tuple(map(partial(tuple.__new__, Block), blocks))
