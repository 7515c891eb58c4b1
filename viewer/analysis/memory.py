"""Memory: what the program allocated and did not free, by line, coroutine and region."""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from viewer.analysis.profiles.within import Within
from viewer.analysis.regions import REGION, regions
from viewer.trace.heap import Block, Heap
from viewer.trace.model import Model

NO_SITE = "[no stack]"  # allocated without the GIL, or in a subinterpreter


class MemoryRow(NamedTuple):
    """What was allocated at a line, in a coroutine or in a region.

    All numbers but `samples` are estimates. `live_error` is the standard error of the live
    bytes.
    """

    name: str
    samples: int
    live_bytes: int
    live_error: int
    live_blocks: int
    allocated_bytes: int
    allocated_blocks: int
    grown_bytes: int  # live at the end, less what was live halfway through


class Memory(NamedTuple):
    """`mean_bytes` is 0 where allocations were not recorded, or at different rates."""

    mean_bytes: int
    total: MemoryRow
    sites: tuple[MemoryRow, ...]
    coroutines: tuple[MemoryRow, ...]
    regions: tuple[MemoryRow, ...]


def memory(model: Model) -> Memory | None:
    """None where allocations were not recorded."""
    heap = Heap.of(model)
    if not heap.mean_bytes:
        return None
    means = set(heap.mean_bytes.values())
    return Memory(
        means.pop() if len(means) == 1 else 0,
        _row("", heap, heap.blocks),
        _rows(heap, site_of),
        _rows(heap, _Coroutines(model)) if len(model.owners.task_id) else (),
        tuple(_region_rows(model, heap)),
    )


def site_of(block: Block) -> str:
    """The line of the program's own code."""
    return block.own_line or NO_SITE


class _Coroutines:
    """The coroutine that a block was allocated in, "" outside any task."""

    def __init__(self, model: Model) -> None:
        self.model = model
        owners = model.owners
        self.tasks = {
            (process, id_): task
            for task, (process, id_) in enumerate(
                zip(owners.task_process, owners.task_id, strict=True)
            )
        }

    def __call__(self, block: Block) -> str:
        task = self.tasks.get((block.process, block.task), -1) if block.task else -1
        return self.model.coroutine_of(task) if task >= 0 else ""


def _region_rows(model: Model, heap: Heap) -> Iterable[MemoryRow]:
    names = sorted({each.name for each in regions(model) if each.kind == REGION})
    for name in names:
        where = Within(model, name)
        blocks = [
            block
            for block in heap.blocks
            if where.has(model.pid(block.process), block.tid, block.start_ns)
        ]
        if blocks:
            yield _row(name, heap, blocks)


def _rows(heap: Heap, name_of: Callable[[Block], str]) -> tuple[MemoryRow, ...]:
    """By name: the one with the most live first. What has no name has no row."""
    by_name: dict[str, list[Block]] = defaultdict(list)
    for block in heap.blocks:
        by_name[name_of(block)].append(block)
    rows = [_row(name, heap, found) for name, found in by_name.items() if name]
    return tuple(sorted(rows, key=lambda r: (-r.live_bytes, -r.allocated_bytes, r.name)))


def _row(name: str, heap: Heap, blocks: Sequence[Block]) -> MemoryRow:
    middle_ns = (heap.from_ns + heap.until_ns) // 2
    live = [block for block in blocks if block.end_ns < 0]
    new = [block for block in blocks if block.start_ns >= heap.from_ns]
    before = sum(
        [
            block.bytes
            for block in blocks
            if block.start_ns <= middle_ns and not 0 <= block.end_ns <= middle_ns
        ]
    )
    live_bytes = sum([block.bytes for block in live])
    return MemoryRow(
        name,
        len(blocks),
        round(live_bytes),
        round(math.sqrt(sum(block.variance for block in live))),
        round(sum(block.blocks for block in live)),
        round(sum([block.bytes for block in new])),
        round(sum([block.blocks for block in new])),
        round(live_bytes - before),
    )
