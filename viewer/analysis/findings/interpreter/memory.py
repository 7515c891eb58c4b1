"""Memory that a line keeps, more and more of it; that only the collector frees; and copies."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise

from tracer import schema as s
from tracer.units import duration, share, size
from viewer.analysis.findings.basis.facts import Evidence, Facts, Finding
from viewer.analysis.findings.interpreter.copies import thrown_away
from viewer.analysis.gc import Collectors
from viewer.analysis.memory import NO_SITE, site_of
from viewer.trace.heap import Block, Heap
from viewer.trace.sites import place_of
from viewer.words import code

_SECOND = 1_000_000_000
# A site grows when its live memory does so in three of four parts of a second or more, and at
# the end: a full cache, or data that was loaded once, does not. Fewer samples prove nothing.
_PARTS, _GROWING, _GROWS_NS = 8, 6, _SECOND
_SAMPLES, _LIVE_BYTES = 16, 8 << 20
_CYCLES_BYTES = 16 << 20
_MOSTLY = 2  # half of what was freed there


def memory_findings(facts: Facts) -> Iterator[Finding]:
    """From sampled allocations, where these were recorded."""
    by_site: dict[tuple[int, str], list[Block]] = defaultdict(list)
    for block in Heap.of(facts.model).blocks:
        by_site[block.process, site_of(block)].append(block)
    collectors = Collectors.of(facts.model)
    for (process, site), blocks in sorted(
        by_site.items(), key=_kept_and_allocated, reverse=True
    ):
        if site != NO_SITE and len(blocks) >= _SAMPLES:
            yield from _growing(facts, process, site, blocks)
            yield from _cycles(facts, process, site, blocks, collectors)
            yield from thrown_away(facts, process, site, blocks)


def _kept_and_allocated(of: tuple[tuple[int, str], list[Block]]) -> tuple[float, float]:
    """Memory costs no time to rank findings by: the site with most of it leads."""
    _, blocks = of
    live = sum(block.bytes for block in blocks if block.end_ns < 0)
    return live, sum(block.bytes for block in blocks)


def _growing(
    facts: Facts, process: int, site: str, blocks: Sequence[Block]
) -> Iterator[Finding]:
    live = [block for block in blocks if block.end_ns < 0]
    # Of what is older than the trace only that is known which still lived: it is no growth.
    owner = facts.model.trace.processes[process]
    start, end = max(blocks[0].start_ns, owner.start_ns), owner.end_ns
    before, took = _live_at(blocks, start - 1), end - start
    live_bytes = sum(block.bytes for block in live) - before
    if len(live) < _SAMPLES or live_bytes < _LIVE_BYTES or took < _GROWS_NS:
        return
    at = [start + took * n // _PARTS for n in range(1, _PARTS + 1)]
    amounts = [before, *(_live_at(blocks, time_ns) for time_ns in at)]
    grows = [after > before for before, after in pairwise(amounts)]
    if sum(grows) < _GROWING or not any(grows[-2:]):
        return
    error = sum(block.variance for block in live) ** 0.5
    every = round(sum(block.bytes for block in blocks))
    text = (
        f"{code(place_of(site).function, site)} allocates memory that is kept, more and more "
        f"of it: {size(round(live_bytes))} ± {size(round(error))} after {duration(took)}, "
        f"{share(round(live_bytes), every)} of what it allocated there. "
        "Find who keeps it: a list, a cache without bound, a callback that is never removed."
    )
    yield Finding("growing global", 0, text, _evidence(facts, process, site, start, took))


def _live_at(blocks: Sequence[Block], time_ns: int) -> float:
    return sum(
        block.bytes
        for block in blocks
        if block.start_ns <= time_ns and not 0 <= block.end_ns <= time_ns
    )


def _cycles(
    facts: Facts,
    process: int,
    site: str,
    blocks: Sequence[Block],
    collectors: Collectors,
) -> Iterator[Finding]:
    freed = [block for block in blocks if block.end_ns >= 0]
    by_collector = [block for block in freed if collectors.freed(block)]
    amount = round(sum(block.bytes for block in by_collector))
    if (
        len(by_collector) < _SAMPLES
        or amount < _CYCLES_BYTES
        or len(by_collector) * _MOSTLY < len(freed)
    ):
        return
    kept = sorted(block.end_ns - block.start_ns for block in by_collector)
    part = share(len(by_collector), len(freed))
    text = (
        f"{code(place_of(site).function, site)} allocates what only the garbage collector "
        f"frees: {size(amount)}, {part} of what was freed, half of it after "
        f"{duration(kept[len(kept) // 2])} or more. The objects refer to each other in a "
        "circle: cut it when they are done with, or make one of the references weak."
    )
    first = by_collector[0]
    yield Finding(
        "garbage that only the collector frees",
        0,
        text,
        _evidence(facts, process, site, first.start_ns, first.end_ns - first.start_ns),
    )


def _evidence(
    facts: Facts, process: int, site: str, start_ns: int, duration_ns: int
) -> Evidence:
    pid = facts.model.pid(process)
    return Evidence(start_ns, duration_ns, s.TRACK_HEAP, site=site, pid=pid)
