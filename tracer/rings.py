"""A flight recording: the last seconds of a program, in a ring of files.

FOLDER/PID-START.ring has the files of one process (core/output/segments.h says what they are);
a process that is killed leaves them. Snapshots go beside it. Imports nothing that a plain
`python` has not loaded already.
"""

import os
import time

from tracer.errors import TraceFileError
from tracer.output import discard
from tracer.units import duration, plural

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType

    from tracer.totals import Totals

RING = ".ring"
BODY = ".body"
PARTIAL = ".pftrace.partial"  # a snapshot that is being written
LEAST_SECONDS, MOST_SECONDS = 1, 86_400
LEAST_BYTES, MOST_BYTES = 1 << 20, 1 << 40
MOST_KEEP = 1000
KEEP = 20


class Flight:
    """How a flight recording is made, by this process and the children that follow it."""

    __slots__ = ("folder", "keep", "most_bytes", "on", "seconds")

    def __init__(
        self,
        folder: str,
        seconds: float,
        most_bytes: int,
        keep: int,
        on: tuple[str, ...] = (),
    ) -> None:
        self.folder = os.path.abspath(folder)
        self.seconds = seconds  # how far back a snapshot reaches
        self.most_bytes = most_bytes  # of a ring on disk
        self.on = on  # conditions
        self.keep = keep  # snapshots of triggers, and rings of dead processes

    @property
    def window_ns(self) -> int:
        return int(self.seconds * 1e9)

    def make_ring(self, core: "ModuleType") -> str:
        """A new folder for the files of this process. Raises TraceFileError."""
        ring = f"{self.folder}/{os.getpid()}-{time.monotonic_ns()}{RING}"
        try:
            os.makedirs(self.folder, exist_ok=True)
            self._clear(core)
            os.mkdir(ring)
        except OSError as error:
            raise TraceFileError(
                f"cannot write into {self.folder!r}: {error.strerror}. "
                "Choose another folder for the flight recording."
            ) from None
        return ring

    def _clear(self, core: "ModuleType") -> None:
        """Leaves the newest rings of dead processes, and removes snapshots that these did
        not finish."""
        names = os.listdir(self.folder)
        rings = [f"{self.folder}/{name}" for name in names if name.endswith(RING)]
        dead = [ring for ring in rings if is_dead(core, ring)]
        dead.sort(key=_changed_ns)
        for ring in dead[: -self.keep or None]:
            remove_ring(ring)
        if len(dead) == len(rings):
            for name in names:
                if name.endswith(PARTIAL):
                    discard(f"{self.folder}/{name}")


def check(seconds: float, max_bytes: int, keep: int) -> None:
    """Raises ValueError for numbers that no flight recording can have."""
    for name, value, least, most in (
        ("seconds", seconds, LEAST_SECONDS, MOST_SECONDS),
        ("max_bytes", max_bytes, LEAST_BYTES, MOST_BYTES),
        ("keep", keep, 1, MOST_KEEP),
    ):
        kinds = (int, float) if name == "seconds" else int
        if not isinstance(value, kinds) or not least <= value <= most:
            raise ValueError(f"{name} must be a number from {least} to {most}, not {value!r}")


def flight_of(settings: dict[str, str], folder: str) -> Flight | None:
    """What `tracer run` has asked for; None: a recording of everything."""
    window_ms = int(settings.get("flight_ms", "0"))
    if not window_ms:
        return None
    return Flight(folder, window_ms / 1000, int(settings["flight_bytes"]), KEEP)


def summary(totals: "Totals") -> str:
    """One line about a recording that has ended."""
    line = f"flight recording ended after {duration(totals.duration_ns)}"
    if not totals.snapshots:
        return f"{line}, without a snapshot"
    count, last = plural(totals.snapshots, "snapshot"), totals.snapshot
    return f"{line}, {count}, the last one {last}. Next: tracer report {last}"


def _changed_ns(path: str) -> int:
    try:
        return os.stat(path).st_mtime_ns
    except OSError:  # gone
        return 0


def _files(ring: str) -> list[str]:
    try:
        return sorted(os.listdir(ring))
    except OSError:
        return []


def is_dead(core: "ModuleType", ring: str) -> bool:
    """Whether nobody writes the ring any more: its newest body is not locked."""
    bodies = [name for name in _files(ring) if name.endswith(BODY)]
    if not bodies:
        pid = os.path.basename(ring).partition("-")[0]
        return not os.path.exists(f"/proc/{pid}")
    try:
        fd = os.open(f"{ring}/{bodies[-1]}", os.O_RDWR | os.O_CLOEXEC)
    except OSError:  # it goes on, or is another user's
        return False
    try:
        return core.lock_file(fd)  # type: ignore[no-any-return]
    finally:
        os.close(fd)


def remove_ring(ring: str) -> None:
    for name in _files(ring):
        discard(f"{ring}/{name}")
    try:  # noqa: SIM105 - plain python has not loaded contextlib
        os.rmdir(ring)
    except OSError:
        pass
