"""What outlives the call that made it: the sampled blocks, by the line that allocated them."""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from viewer.analysis.memory import site_of
from viewer.trace.heap import Block, Heap
from viewer.trace.model import Model


class EscapeRow(NamedTuple):
    """What a line allocated, and when it was freed. All numbers but `samples` are estimates.

    The blocks that were freed within the call, those that outlived it, and those of which the
    trace does not tell are all of them. `share` is that of the second among the first two,
    None without any; `share_error` is its standard error. `p50_ns` and `p99_ns` are
    lifetimes: None where so many are not freed that the block is among them.
    """

    site: str
    samples: int
    allocated_bytes: int
    blocks: int
    within_blocks: int
    outlived_blocks: int
    unknown_blocks: int
    outlived_bytes: int
    share: float | None
    share_error: float
    p50_ns: int | None
    p99_ns: int | None
    live_bytes: int


class Escape(NamedTuple):
    total: EscapeRow
    lines: tuple[EscapeRow, ...]  # the one from which the most bytes outlive their call first


def escape(model: Model) -> Escape | None:
    """None where allocations were not recorded."""
    heap = Heap.of(model)
    if not heap.mean_bytes:
        return None
    # Of a block that was resized only the last one counts: it is one object.
    blocks = [block for block in heap.allocated if not block.resized]
    by_site: dict[str, list[Block]] = defaultdict(list)
    for block in blocks:
        by_site[site_of(block)].append(block)
    rows = [_row(site, found) for site, found in by_site.items()]
    rows.sort(key=lambda row: (-row.outlived_bytes, -row.allocated_bytes, row.site))
    return Escape(_row("", blocks), tuple(rows))


def _row(site: str, blocks: Sequence[Block]) -> EscapeRow:
    known = [block for block in blocks if block.outlived is not None]
    gone = [block for block in known if block.outlived]
    within = sum([block.blocks for block in known if not block.outlived])
    outlived = sum([block.blocks for block in gone])
    count = sum([block.blocks for block in blocks])
    p50_ns, p99_ns = _lifetimes(blocks, count, 0.5, 0.99)
    share = outlived / (within + outlived) if within + outlived else None
    return EscapeRow(
        site,
        len(blocks),
        round(sum([block.bytes for block in blocks])),
        round(count),
        round(within),
        round(outlived),
        round(count - within - outlived),
        round(sum([block.bytes for block in gone])),
        share,
        _error(share, known),
        p50_ns,
        p99_ns,
        round(sum([block.bytes for block in blocks if block.end_ns < 0])),
    )


def _error(share: float | None, blocks: Iterable[Block]) -> float:
    """Of a share that blocks of different weights give."""
    if share is None:
        return 0.0
    total = spread = 0.0
    for block in blocks:
        total += block.blocks
        spread += block.blocks * (block.blocks - 1) * (bool(block.outlived) - share) ** 2
    return math.sqrt(spread) / total


def _lifetimes(blocks: Sequence[Block], count: float, *parts: float) -> Iterator[int | None]:
    """By part how long so many of the blocks live at most; a block that was not freed lives
    on."""
    freed = sorted(
        [
            (block.end_ns - block.start_ns, block.blocks)
            for block in blocks
            if block.end_ns >= 0
        ]
    )
    for part in parts:
        left = part * count
        for lasted, times in freed:
            left -= times
            if left <= 0:
                yield lasted
                break
        else:
            yield None
