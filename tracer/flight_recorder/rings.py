"""A flight recording: the last seconds of a program, in a ring of files.

FOLDER/PID-START.ring has the files of one process (core/output/segments.h says what they are);
a process that is killed leaves them. Snapshots go beside it. Imports nothing that a plain
`python` has not loaded already.
"""

import os
import sys
import time

from tracer.errors import TraceFileError
from tracer.flight_recorder import triggers
from tracer.output import discard
from tracer.units import duration, plural

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType
    from typing import Any

    from tracer.totals import Totals

RING = ".ring"
BODY = ".body"
PARTIAL = ".pftrace.partial"  # a snapshot that is being written
LEAST_SECONDS, MOST_SECONDS = 1, 86_400
LEAST_BYTES, MOST_BYTES = 1 << 20, 1 << 40
MOST_KEEP = 1000
KEEP = 20
COOLDOWN_SECONDS = 10.0  # from one snapshot of a trigger to the next, at least


class Flight:
    """How a flight recording is made, by this process and the children that follow it."""

    __slots__ = (
        "cooldown",
        "folder",
        "keep",
        "most_bytes",
        "on",
        "on_event",
        "seconds",
        "triggers",
    )

    def __init__(
        self,
        folder: str,
        seconds: float,
        most_bytes: int,
        keep: int,
        on: tuple[str, ...] = (),
        on_event: "Callable[[dict[str, Any]], object] | None" = None,
        cooldown: float = COOLDOWN_SECONDS,
    ) -> None:
        self.folder = os.path.abspath(folder)
        self.seconds = seconds  # how far back a snapshot reaches
        self.most_bytes = most_bytes  # of a ring on disk
        self.on = on  # conditions for snapshots
        self.on_event = on_event  # called with what one of them has seen
        self.triggers = triggers.parse(on)
        self.keep = keep  # snapshots of triggers, and rings of dead processes
        self.cooldown = cooldown  # seconds from one such snapshot to the next, at least

    @property
    def window_ns(self) -> int:
        return int(self.seconds * 1e9)

    @property
    def cooldown_ns(self) -> int:
        return int(self.cooldown * 1e9)

    def trigger_at_end(self) -> tuple[str, str, str]:
        """Why a snapshot is to be taken as the program ends, by which trigger, and what that
        has seen; "" if none is."""
        if triggers.EXCEPTION in self.on and getattr(sys, "last_exc", None) is not None:
            name = type(sys.last_exc).__name__
            return f"{triggers.EXCEPTION} ({name})", triggers.EXCEPTION, name
        if triggers.EXIT in self.on:
            return triggers.EXIT, triggers.EXIT, "the program ends"
        return "", "", ""

    def tell(self, moment: "dict[str, Any]") -> None:
        """What a trigger has seen, to the logger `tracer` and to `on_event`."""
        line = line_of(moment)
        logging: Any = sys.modules.get("logging")
        try:
            if logging is not None:
                logging.getLogger("tracer").warning("%s", line)
            elif sys.stderr is not None:  # what the logger would do
                sys.stderr.write(f"tracer: {line}\n")
        finally:
            if self.on_event is not None:
                self.on_event(moment)

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

    @staticmethod
    def remove_ring(ring: str) -> None:
        for name in _files(ring):
            discard(f"{ring}/{name}")
        try:  # noqa: SIM105 - plain python has not loaded contextlib
            os.rmdir(ring)
        except OSError:
            pass

    def set_triggers(self, core: "ModuleType") -> None:
        core.set_triggers(self.triggers, self.keep, self.cooldown_ns, _library())

    @staticmethod
    def place_of(core: "ModuleType", thread: int, depth: int) -> tuple[str, str]:
        """Where the thread of that ident is now: the innermost line of the program, else of an
        installed package (as core/output/places.c), and its frames, the innermost first."""
        lines: list[str] = []
        sites: dict[bool, str] = {}  # whether it is a package's -> the innermost
        frame, is_step = sys._current_frames().get(thread), True
        while frame is not None and len(lines) < depth:
            code = frame.f_code
            path = core.shown_text(code.co_filename)
            lines.append(f"{path}:{frame.f_lineno} {core.shown_text(code.co_qualname)}")
            is_package = "-packages/" in path
            if is_step and (is_package or not path.startswith((_library(), "<frozen"))):
                sites.setdefault(is_package, lines[-1])
            is_step = is_step and code.co_qualname not in _RUNNERS
            frame = frame.f_back
        return sites.get(False) or sites.get(True) or "".join(lines[:1]), "\n".join(lines)

    def _clear(self, core: "ModuleType") -> None:
        """Leaves the newest rings of dead processes, and removes snapshots that these did
        not finish."""
        names = os.listdir(self.folder)
        rings = [f"{self.folder}/{name}" for name in names if name.endswith(RING)]
        dead = [ring for ring in rings if is_dead(core, ring)]
        dead.sort(key=_changed_ns)
        for ring in dead[: -self.keep or None]:
            self.remove_ring(ring)
        if len(dead) == len(rings):
            for name in names:
                if name.endswith(PARTIAL):
                    discard(f"{self.folder}/{name}")


# What calls the steps of a loop: its callers are no part of a step.
_RUNNERS = ("Handle._run", "BaseEventLoop.run_forever", "Runner.run", "unrolled_run")


def _library() -> str:
    return os.__file__.rpartition("/")[0] + "/"


def line_of(moment: "dict[str, Any]") -> str:
    """Which trigger, what it saw for how long, the user's line, behind whom, and the trace."""
    parts = [f"{moment['trigger']}: "]
    if moment["what"] and not moment["duration_ns"]:
        parts.append(moment["what"])
    elif moment["what"]:
        so_far = " so far" if moment["lasts"] else ""
        parts.append(f"{moment['what']} for {duration(moment['duration_ns'])}{so_far}")
    else:
        unit = " bytes" if moment["trigger"].startswith("rss") else ""
        parts.append(f"{moment['value']:,}{unit}" if moment["value"] else "received")
    if moment["site"]:
        parts.append(f" at {moment['site']}")
    if moment["behind"]:
        parts.append(f", behind {moment['behind']}")
    if moment["suppressed"]:
        parts.append(f"; {moment['suppressed']:,} more since the last snapshot")
    if moment["error"]:
        parts.append(f"; no snapshot: {os.strerror(moment['error'])}")
    else:
        parts.append(f" -> {moment['path']}")
    return "".join(parts)


def check(seconds: float, max_bytes: int, keep: int, cooldown: float) -> None:
    """Raises ValueError for numbers that no flight recording can have."""
    for name, value, least, most in (
        ("seconds", seconds, LEAST_SECONDS, MOST_SECONDS),
        ("max_bytes", max_bytes, LEAST_BYTES, MOST_BYTES),
        ("keep", keep, 1, MOST_KEEP),
        ("cooldown", cooldown, 0, MOST_SECONDS),
    ):
        kinds = (int, float) if name in ("seconds", "cooldown") else int
        if not isinstance(value, kinds) or not least <= value <= most:
            raise ValueError(f"{name} must be a number from {least} to {most}, not {value!r}")


def flight_of(settings: dict[str, str], folder: str) -> Flight | None:
    """What `tracer run` has asked for; None: a recording of everything."""
    window_ms = int(settings.get("flight_ms", "0"))
    if not window_ms:
        return None
    on = tuple(bytes.fromhex(settings.get("on", "")).decode().splitlines())
    return Flight(
        folder,
        window_ms / 1000,
        int(settings["flight_bytes"]),
        KEEP,
        on,
        cooldown=int(settings.get("cooldown_ms", COOLDOWN_SECONDS * 1000)) / 1000,
    )


def summary(totals: "Totals") -> str:
    """One line about a recording that has ended."""
    line = f"flight recording ended after {duration(totals.duration_ns)}"
    if totals.suppressed:
        moments = plural(totals.suppressed, "more moment")
        line += f", {moments} met a condition during the cooldown"
    if not totals.snapshots:
        return f"{line}, without a snapshot"
    count, last = plural(totals.snapshots, "snapshot"), totals.snapshot
    if not os.path.exists(last):  # whoever asked for it moved it
        return f"{line}, {count}"
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
