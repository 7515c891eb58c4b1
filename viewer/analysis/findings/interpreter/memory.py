"""Memory that a line or a process keeps, more and more of it; that only the collector frees;
and copies."""

import math
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from tracer import schema as s
from tracer.units import duration, share, size
from viewer.analysis.findings.basis.facts import NOT_ITS_FAULT, Evidence, Facts, Finding
from viewer.analysis.findings.basis.hot import hot
from viewer.analysis.findings.basis.words import at
from viewer.analysis.findings.interpreter.growth import Counts, counts_of, growing, of_process
from viewer.analysis.gc import Collectors
from viewer.analysis.ledger.resource import window
from viewer.analysis.memory import NO_SITE, site_of
from viewer.trace.columns import THREAD_RUNNING
from viewer.trace.heap import Block, Heap
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
            yield _thrown_away(facts, process, site, large, way, told)


def _thrown_away(
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
    live = sum([block.bytes for block in blocks if block.end_ns < 0])
    return live, sum([block.bytes for block in blocks])


def _growing(
    facts: Facts, process: int, site: str, blocks: Sequence[Block]
) -> Iterator[Finding]:
    live = [block for block in blocks if block.end_ns < 0]
    if len(live) < _SAMPLES:
        return
    # Of what is older than the trace only that is known which still lived: it is no growth.
    owner = facts.model.trace.processes[process]
    start, end = max(blocks[0].start_ns, owner.start_ns), owner.end_ns
    before, took = _live_at(blocks, start - 1), end - start
    live_bytes = sum(block.bytes for block in live) - before
    if live_bytes < _LIVE_BYTES or took < _GROWS_NS:
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
    if sum([block.bytes for block in freed]) < _CYCLES_BYTES // _MOSTLY:
        return  # too little, whoever freed it
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


# Imports take less, and a program that loads its data is done with it at some time.
_GROWS_BYTES = 100_000_000
# One that makes what it needs is never done: a thread that runs no loop computes nine tenths
# of the time, or reads a file or a pipe itself. Nor does one count of which half of the CPU
# samples are in imports: libraries for numbers are large, and a child imports them anew.
_COMPUTES = 9, 10
_READS = ("io.", "open", "os.read", "os.pread", "mmap", "sqlite3.")
_HALF = 2
_FEWEST = 10  # samples
_STEP = (
    "Record with `tracer run --heap` to see which line keeps it: a list, a cache without "
    "bound, a queue that nobody empties."
)


def memory_grows(facts: Facts) -> Iterator[Finding]:
    """The resident memory of a process grows and grows."""
    if Heap.of(facts.model).mean_bytes:
        return
    for process, every in counts_of(facts, of_process(facts, s.COUNTER_RSS)).items():
        counts = growing(every, _GROWS_BYTES)
        if counts and not _makes_what_it_needs(facts, process, counts[0][0], counts[-1][0]):
            yield _of_process(facts, process, counts)


def _makes_what_it_needs(facts: Facts, process: int, since: int, until: int) -> bool:
    """Whether a thread computes or loads all the time, for nobody who asks now and then."""
    stacks = _stacks(facts, process, since, until)
    if sum(map(facts.importing.__getitem__, stacks)) * _HALF > len(stacks) >= _FEWEST:
        return True
    for thread, of in enumerate(facts.model.thread_process):
        if of != process or thread in facts.ledger.thread_of_loop:
            continue
        split = facts.split(thread, window(since, until))
        own_ns = until - since - split.of(NOT_ITS_FAULT)
        reads_ns = sum(
            ns
            for call, ns in split.calls.items()
            if call >= 0 and facts.call(call)[0].startswith(_READS)
        )
        if (split.states[THREAD_RUNNING] + reads_ns) * _COMPUTES[1] >= own_ns * _COMPUTES[0]:
            return True
    return False


def _stacks(facts: Facts, process: int, since: int, until: int) -> list[int]:
    """Those of the CPU samples of a process in a time."""
    model = facts.model
    tids = {
        track.tid
        for track, of in zip(model.threads, model.thread_process, strict=True)
        if of == process
    }
    return [stack for tid in tids for stack in facts.stacks(tid, [(since, until)])]


def _of_process(facts: Facts, process: int, counts: Counts) -> Finding:
    model, (since, first), (until, last) = facts.model, counts[0], counts[-1]
    functions, total = hot(facts.hot_places, _stacks(facts, process, since, until))
    most = functions[0] if functions and total >= _FEWEST else None
    where, site = "", ""
    if most is not None and most.samples * _HALF >= total:
        site = most.site
        where = (
            f" Meanwhile {share(most.samples, total)} of {total} CPU samples were in "
            f"{code(most.function, site)}."
        )
    text = (
        f"Memory grows all the time: from {size(first)} ({at(facts, since)}) to {size(last)} "
        f"({duration(until - since)} later).{where}"
    )
    evidence = Evidence(since, until - since, "", site=site, pid=model.pid(process))
    return Finding("growing global", 0, text, evidence, _STEP)
