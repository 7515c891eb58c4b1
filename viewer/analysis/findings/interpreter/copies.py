"""Values that are built, or cut down, by copying them again and again."""

import math
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from tracer import schema as s
from tracer.units import duration, share, size
from viewer.analysis.findings.basis.facts import Evidence, Facts, Finding
from viewer.trace.heap import Block
from viewer.trace.sites import place_of
from viewer.words import code

# Copies of a few hundred bytes cost nothing. A value of n parts is copied n/2 times over.
_COPY_BYTES, _ALL_BYTES = 4 << 10, 64 << 20
_PAIRS = 16
_MOST = 0.9  # of the pairs are larger copies, and free the one before


class _Way(NamedTuple):
    cuts: bool
    does: str  # the line
    instead: str


_WAYS = (
    _Way(
        False,
        "builds",
        "Collect the parts in a list and join them at the end, or append to a bytearray or an "
        "io.StringIO.",
    ),
    _Way(
        True,
        "takes pieces off",
        "Keep the value and move an index along it, or take slices of a memoryview.",
    ),
)


def thrown_away(
    facts: Facts, process: int, site: str, blocks: Sequence[Block]
) -> Iterator[Finding]:
    """Of the blocks that one line allocates, in order of time."""
    large = [block for block in blocks if block.size >= _COPY_BYTES and not block.resized]
    if sum(block.bytes for block in large) < _ALL_BYTES:
        return
    # A call builds its own value; a method adds to the same one in each of its calls.
    groups = _groups(large, lambda block: block.call or None)
    if sum(len(group) - 1 for group in groups) < _PAIRS:
        groups = _groups(large, lambda block: (block.tid, block.task))
    for way in _WAYS:
        counts = [_copied(group, way.cuts) for group in groups]
        pairs, copies = (sum(column) for column in zip(*counts, strict=True))
        if pairs >= _PAIRS and copies >= _MOST * pairs:
            told = f"{share(copies, pairs)} of the sampled ones"
            yield _finding(facts, process, site, large, way, told)


def _finding(
    facts: Facts, process: int, site: str, large: Sequence[Block], way: _Way, told: str
) -> Finding:
    every = round(sum(block.bytes for block in large))
    start = large[0].start_ns
    took = max(block.end_ns for block in large) - start
    text = (
        f"{code(place_of(site).function, site)} {way.does} a value by copying it again and "
        f"again: {size(every)} were allocated in {duration(took)} for values of at most "
        f"{size(max(block.size for block in large))}, and a copy is thrown away when the next "
        f"is made ({told}). {way.instead}"
    )
    pid = facts.model.pid(process)
    evidence = Evidence(start, took, s.TRACK_HEAP, site=site, pid=pid)
    return Finding("built and thrown away", 0, text, evidence)


def _groups(blocks: Iterable[Block], key: Callable[[Block], Hashable]) -> list[list[Block]]:
    """Those with the same key; what has no key is left out."""
    groups: dict[Hashable, list[Block]] = defaultdict(list)
    for block in blocks:
        if (of := key(block)) is not None:
            groups[of].append(block)
    return list(groups.values())


def _copied(group: list[Block], cuts: bool) -> tuple[int, int]:
    """How many pairs of a block and the next there are; in how many the next is a larger copy,
    or where one `cuts` pieces off, a smaller one. The first is then gone before a third one is
    made."""
    copies = _without_parts(group[::-1])[::-1] if cuts else _without_parts(group)
    ends = [*(block.start_ns for block in copies[2:]), math.inf]
    found = [
        (now.size > then.size if cuts else now.size < then.size) and 0 <= now.end_ns <= end
        for (now, then), end in zip(pairwise(copies), ends, strict=False)
    ]
    return len(found), sum(found)


def _without_parts(blocks: list[Block]) -> list[Block]:
    """Without what is added to a growing value: much less, and then the value goes on."""
    found: list[Block] = []
    for n, block in enumerate(blocks):
        before, then = (found[-1].size if found else 0), blocks[n + 1 : n + 2]
        if not (block.size * 2 < before and then and then[0].size >= before):
            found.append(block)
    return found
