"""Memory of a process that grows all the time, where its allocations were not recorded."""

from collections.abc import Iterator

from tracer import schema as s
from tracer.units import duration, share, size
from viewer.analysis.findings.basis.facts import NOT_ITS_FAULT, Evidence, Facts, Finding
from viewer.analysis.findings.basis.hot import hot
from viewer.analysis.findings.basis.words import at
from viewer.analysis.findings.interpreter.growth import Counts, counts_of, growing, of_process
from viewer.analysis.ledger.resource import window
from viewer.trace.columns import THREAD_RUNNING
from viewer.trace.heap import Heap
from viewer.words import code

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
            yield _finding(facts, process, counts)


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


def _finding(facts: Facts, process: int, counts: Counts) -> Finding:
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
