"""What a recording is to contain, and where it goes: the table of signals, and the options.

It imports nothing that a plain `python` has not loaded already.
"""

from tracer.processes.family import MOST_BYTES, MOST_FILES
from tracer.signals import (
    DEFAULT_CPU_HZ,
    DEFAULT_HEAP_RATE,
    cpu,
    gc,
    gil,
    heap,
    io,
    locks,
    loops,
    sched,
    threads,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from tracer.flight_recorder.rings import Flight
    from tracer.signals import Disarm, Tool

SIGNALS: "dict[str, Callable[[ModuleType, Tool], Disarm]]" = {
    "tasks": loops.arm,
    "threads": threads.arm,
    "gc": gc.arm,
    "gil": gil.arm,
    "locks": locks.arm,
    "io": io.arm,
    "sched": sched.arm,
    "cpu": cpu.arm,
}
# Recorded only when asked for.
ON_REQUEST: "dict[str, Callable[[ModuleType, Tool], Disarm]]" = {"heap": heap.arm}
DEFAULT_BUFFER_BYTES = 64 << 20
DEFAULT_IO_THRESHOLD_US = 20
DEFAULT_STACK_DEPTH = 32


class Options:
    """What to record, and where to write it."""

    __slots__ = (
        "argv",
        "buffer_bytes",
        "control",
        "cpu_hz",
        "flight",
        "follow",
        "force",
        "heap_rate",
        "heap_seed",
        "hold",
        "io_threshold_us",
        "most_bytes",
        "most_files",
        "names_only",
        "path",
        "profiles",
        "says",
        "signals",
        "stack_depth",
    )

    def __init__(
        self,
        path: str,
        buffer_bytes: int = DEFAULT_BUFFER_BYTES,
        signals: tuple[str, ...] = tuple(SIGNALS),
        argv: tuple[str, ...] = (),
        force: bool = False,
        cpu_hz: int = DEFAULT_CPU_HZ,
        io_threshold_us: int = DEFAULT_IO_THRESHOLD_US,
        stack_depth: int = DEFAULT_STACK_DEPTH,
        hold: bool = False,
        heap_rate: int = DEFAULT_HEAP_RATE,
        heap_seed: int = 0,
        follow: bool = True,
        most_bytes: int = MOST_BYTES,
        most_files: int = MOST_FILES,
        control: bool = True,
        names_only: bool = False,
        says: str = "",
        profiles: tuple[str, ...] = (),
        flight: "Flight | None" = None,
    ) -> None:
        self.path = path  # of a flight recording, its ring, once it has begun
        self.flight = flight  # keep the last seconds only
        self.buffer_bytes = buffer_bytes
        self.signals = signals
        self.argv = argv  # the program's, including secrets; empty: sys.argv
        self.cpu_hz = cpu_hz  # CPU samples per second of a thread's CPU time, 1 to 5000
        self.io_threshold_us = io_threshold_us  # shorter calls and waits are not written
        self.stack_depth = stack_depth  # frames of a wait's stack, 1 to 64
        self.force = force  # replace a file that is not a trace
        self.heap_rate = heap_rate  # bytes from one sampled allocation to the next, on average
        self.heap_seed = heap_seed  # of these samples; 0: a random one
        self.follow = follow  # child processes record themselves, too …
        self.most_bytes = most_bytes  # … until all together have written this much …
        self.most_files = most_files  # … and are so many, the first one included
        self.control = control  # answer those who ask while it runs
        self.names_only = names_only  # of children's command lines, too
        self.says = says  # what a line on stderr calls the file at the end; "": there is none
        self.profiles = profiles  # types to write beside the trace at the end
        self.hold = hold  # until begin(), keep the trace that `path` has
