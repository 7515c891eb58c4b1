"""Flight recordings: the last seconds, and traces of them while the program goes on.

Imports nothing that a plain `python` has not loaded already.
"""

import os

from tracer import api
from tracer.errors import TraceFileError
from tracer.flight_recorder.rings import COOLDOWN_SECONDS, KEEP, Flight, check
from tracer.output import cannot_write, is_trace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

FLIGHT_SECONDS, FLIGHT_BYTES = 30.0, 64 << 20


def flight(
    folder: "str | os.PathLike[str]",
    *,
    seconds: float = FLIGHT_SECONDS,
    max_bytes: int = FLIGHT_BYTES,
    on: "Iterable[str]" = (),
    on_event: "Callable[[dict[str, Any]], object] | None" = None,
    keep: int = KEEP,
    cooldown: float = COOLDOWN_SECONDS,
    signals: "Iterable[str] | None" = None,
    without: "Iterable[str]" = (),
    buffer_bytes: int = api.BUFFER_BYTES,
    cpu_hz: int = api.CPU_HZ,
    argv: bool = True,
    follow: bool = True,
    control: bool = True,
) -> tuple[tuple[str, str], ...]:
    """Begins a flight recording: the folder always has the last `seconds` of this process, in
    at most `max_bytes` (1 MiB to 1 TiB). snapshot() makes a trace of them.

    When the process is killed, its files stay: `tracer report FOLDER` reads them. Those of
    `keep` dead processes are kept. When it ends by itself, they are removed.

    `on` are conditions, such as "loop>100ms", on which a snapshot is taken; the newest `keep`
    stay. After each, there is none for `cooldown` seconds: what meets a condition then is
    counted. `on_event` is called with a dict that says what was seen, on a thread of its own.
    See docs/production.md. The other options, what it returns, what ends it, and what it
    raises are those of start().
    """
    check(seconds, max_bytes, keep, cooldown)
    kept_seconds = Flight(
        os.fsdecode(folder), seconds, max_bytes, keep, tuple(on), on_event, cooldown
    )
    options = (
        "",
        signals,
        without,
        buffer_bytes,
        cpu_hz,
        api.HEAP_RATE_BYTES,
        False,
        argv,
        follow,
    )
    return tuple(api.begin(*options, control, kept_seconds).problems())


def snapshot(
    path: "str | os.PathLike[str] | None" = None, *, reason: str = ""
) -> "str | None":
    """Writes a trace of the last seconds of a flight recording, or of everything that another
    recording has so far, and returns its path. None if nothing is being recorded.

    Without a path it goes into the folder of the flight recording, or beside the trace. The
    recording goes on meanwhile; the call takes about a tenth of a second. `reason` is shown by
    `tracer report`. Raises TraceFileError when the file cannot be written.
    """
    try:
        from tracer import _core
    except ImportError:
        return None
    if "on demand" in _core.kept:  # not the program's recording
        return None
    name = "" if path is None else os.path.abspath(os.fsdecode(path))
    if name and os.path.exists(name) and not (os.path.isfile(name) and is_trace(name)):
        raise TraceFileError(f"{name!r} exists and is not a trace. Choose another name.")
    try:
        return _core.snapshot(os.fsencode(name), reason)
    except OSError as error:
        raise cannot_write(name or "a snapshot", error) from None


def dump(path: "str | os.PathLike[str] | None" = None) -> "str | None":
    """Writes a trace as snapshot() does, with the stacks of all threads at this moment.

    `tracer dump PATH` then shows what each thread and task did when this was called: its stack
    or chain of awaits, what it waited for, since when and behind whom. None if nothing is
    being recorded.
    """
    try:
        from tracer import _core
    except ImportError:
        return None
    _core.mark_stacks()
    return snapshot(path, reason="dump")
