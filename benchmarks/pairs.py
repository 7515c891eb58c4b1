"""Traced and untraced runs of one workload, interleaved in one process.

Every round runs each arm once, in a shuffled order, and yields ratios within that round; the
table shows their medians. Two untraced arms compared with each other give the noise floor.
CPU time, not wall time. `main` is the main thread while it works; `process` adds every other
thread, the writer among them, until the last byte is in the file.
"""

from __future__ import annotations

import gc
import gzip
import random
import statistics
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import override

from benchmarks.workloads import Workload

OFF, OFF_AGAIN, ON, VIZTRACER = "off", "off again", "on", "viztracer"
HEAP = "heap"  # nothing but sampled allocations
WRAPPED = "wrapped"  # … of which none is due
BUFFER_BYTES = 64 << 20
FEWEST_EVENTS = 1000  # per run; below, a cost per event would be noise divided by little
VIZTRACER_ENTRIES = 2_000_000


@dataclass
class Cost:
    """CPU time of one run, in ns."""

    main_ns: int = 0
    process_ns: int = 0


@dataclass
class Recorded:
    """What the traced runs wrote."""

    events: int = 0
    dropped: int = 0
    raw_bytes: int = 0
    gzip_bytes: int = 0


@dataclass
class Comparison:
    """All rounds of one workload."""

    workload: Workload
    amount: int
    rounds: list[dict[str, Cost]] = field(default_factory=list)
    recorded: Recorded = field(default_factory=Recorded)

    def ratio(self, arm: str, clock: str) -> float:
        """Median over the rounds of the arm's CPU time over the untraced one's."""
        ratios: list[float] = [
            getattr(costs[arm], clock) / getattr(costs[OFF], clock) for costs in self.rounds
        ]
        return statistics.median(ratios)

    def unit_ns(self, arm: str) -> float:
        """Least main-thread CPU time of a unit: other programs only ever add to it."""
        return min(costs[arm].main_ns for costs in self.rounds) / self.amount

    def off_ms(self) -> float:
        return statistics.median(costs[OFF].process_ns for costs in self.rounds) / 1e6

    def ns_per_event(self) -> float | None:
        """Median extra main-thread CPU time per event; None where there are hardly any."""
        if self.recorded.events < FEWEST_EVENTS * len(self.rounds):
            return None
        extra = (costs[ON].main_ns - costs[OFF].main_ns for costs in self.rounds)
        return statistics.median(extra) / (self.recorded.events / len(self.rounds))


class Untraced:
    """Nothing around the run."""

    def start(self) -> None: ...
    def stop(self) -> None: ...
    def finish(self, recorded: Recorded | None) -> None: ...


class Traced(Untraced):
    """One recording around the run; `finish` adds up what it wrote."""

    signals: tuple[str, ...] = ()  # all that are recorded unless asked otherwise
    heap_rate = 512 << 10

    def __init__(self) -> None:
        from tracer.recorder import SIGNALS, Options, Recording

        self.directory = tempfile.TemporaryDirectory(prefix="benchmark")
        self.path = Path(self.directory.name) / "run.pftrace"
        options = Options(
            path=str(self.path),
            buffer_bytes=BUFFER_BYTES,
            signals=self.signals or tuple(SIGNALS),
            heap_rate=self.heap_rate,
            argv=(),
            force=True,
        )
        self.recording = Recording(options)

    @override
    def start(self) -> None:
        self.recording.start()

    @override
    def stop(self) -> None:
        self.totals = self.recording.stop()

    @override
    def finish(self, recorded: Recorded | None) -> None:
        assert self.totals is not None
        if recorded is not None:
            data = self.path.read_bytes()
            recorded.events += self.totals.events
            recorded.dropped += self.totals.dropped
            recorded.raw_bytes += len(data)
            recorded.gzip_bytes += len(gzip.compress(data, compresslevel=6))
        self.directory.cleanup()


class Sampled(Traced):
    """Only allocations."""

    signals = ("heap",)


class Wrapped(Sampled):
    """The wrappers around the allocators alone."""

    heap_rate = 1 << 50


class Viztracer(Untraced):
    """The peer, recording functions and tasks into its memory; nothing is saved."""

    def __init__(self) -> None:
        from viztracer import VizTracer

        self.peer = VizTracer(log_async=True, verbose=0, tracer_entries=VIZTRACER_ENTRIES)

    @override
    def start(self) -> None:
        self.peer.start()

    @override
    def stop(self) -> None:
        self.peer.stop()

    @override
    def finish(self, recorded: Recorded | None) -> None:
        self.peer.clear()


ARMS: dict[str, type[Untraced]] = {
    OFF: Untraced,
    OFF_AGAIN: Untraced,
    ON: Traced,
    HEAP: Sampled,
    WRAPPED: Wrapped,
    VIZTRACER: Viztracer,
}


def run_once(workload: Workload, amount: int, arm: str, recorded: Recorded | None) -> Cost:
    """One run in a clean heap. Arming, done once a program, is not counted; flushing is.

    `recorded` None: what was written is of no interest, and reading it would be counted.
    """
    around = ARMS[arm]()
    gc.collect()
    around.start()
    process_ns, main_ns = time.process_time_ns(), time.thread_time_ns()
    workload.run(amount)
    main_ns = time.thread_time_ns() - main_ns
    around.stop()
    cost = Cost(main_ns, time.process_time_ns() - process_ns)
    around.finish(recorded)
    return cost


def compare(workload: Workload, arms: list[str], rounds: int, scale: float) -> Comparison:
    """All rounds of a workload; the first, unrecorded run only warms it up."""
    amount = max(64, int(workload.amount * scale))
    comparison = Comparison(workload, amount)
    shuffled = random.Random(workload.name)
    run_once(workload, amount, OFF, Recorded())
    for _ in range(rounds):
        order = shuffled.sample(arms, len(arms))
        comparison.rounds.append(
            {arm: run_once(workload, amount, arm, comparison.recorded) for arm in order}
        )
    return comparison
