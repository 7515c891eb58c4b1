"""The recorder as an API: start and stop recordings, and add events of the program's own.

Imports nothing that a plain `python` has not loaded already; the recorder itself is imported
by the first start().

Calls may come at any time: from a signal handler or finalizer in the middle of another call,
while the interpreter shuts down, in a forked child. They raise only what they document.
"""

import os
import sys
from _thread import RLock

from tracer.errors import TracerError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable
    from types import ModuleType, TracebackType
    from typing import Any

    from tracer.flight_recorder.rings import Flight
    from tracer.recorder import Recording
    from tracer.totals import Totals

    type _Function = Callable[..., Any]
    type _Entered = Callable[[], region | task]

try:
    from tracer._core import counter, kept, log, region, running, task
except Exception:  # no compiler, or another interpreter: programs run, but are not recorded
    from tracer.api_absent import (  # type: ignore[assignment]
        counter,
        kept,
        log,
        region,
        running,
        task,
    )

__all__ = [
    "counter",
    "listen",
    "log",
    "recording",
    "region",
    "start",
    "stop",
    "task",
]

BUFFER_BYTES = 64 << 20
BUFFER_LEAST_BYTES, BUFFER_MOST_BYTES = 1 << 20, 1 << 40
CPU_HZ, CPU_MOST_HZ = 100, 5000
HEAP_RATE_BYTES, HEAP_RATE_MOST_BYTES = 512 << 10, 1 << 30


class _Session:
    """The recording that start() began and stop() ends."""

    __slots__ = ("ends_at_exit", "guard", "running", "starting")

    def __init__(self) -> None:
        self.guard = (
            RLock()
        )  # one start or stop at a time; a signal handler may come in between
        self.starting = False
        self.running: Recording | None = None
        self.ends_at_exit = False

    def forget(self) -> None:
        """For a forked child: the recording is the parent's, and nobody releases the guard."""
        self.guard, self.running, self.starting = RLock(), None, False


# A second import of this module (a reload, a new sys.modules) finds the first one's state.
if "session" not in kept:
    kept["session"] = _Session()
    os.register_at_fork(after_in_child=kept["session"].forget)
_session: _Session = kept["session"]


def start(
    path: "str | os.PathLike[str]",
    *,
    signals: "Iterable[str] | None" = None,
    without: "Iterable[str]" = (),
    buffer_bytes: int = BUFFER_BYTES,
    cpu_hz: int = CPU_HZ,
    heap_rate: int = HEAP_RATE_BYTES,
    force: bool = False,
    argv: bool = True,
    follow: bool = True,
    control: bool = True,
) -> tuple[tuple[str, str], ...]:
    """Begins to record this process into the file, like `tracer run`; from any thread.

    `signals` says what to record: tasks, threads, gc, gil, locks, io, sched, cpu, heap; None
    for everything but heap. `without` says what to leave out. `buffer_bytes` is the memory for
    events that are not written yet (1 MiB to 1 TiB), `cpu_hz` the CPU samples per second of a
    thread's CPU time (1 to 5000), `heap_rate` the bytes from one sampled allocation to the
    next (1 to 1 GiB). `force` replaces a file even if it is not a trace. The trace contains
    sys.argv, with values that look secret masked; with `argv` false, only the first word. With
    `follow`, Python children are recorded, too; see "A family" in tracer/NOTES.md. With
    `control`, the recording answers `tracer ps`, `top`, `metrics`, `snapshot` and `dump`.

    The recording ends with stop(), or when the process exits. Returns (signal, reason) for
    each signal that cannot be recorded here; the trace says the same.

    Raises ValueError for a bad option; TraceFileError, a TracerError, when the file is
    refused; TracerError when a recording runs already, or this interpreter cannot be recorded.
    """
    options = (
        path,
        signals,
        without,
        buffer_bytes,
        cpu_hz,
        heap_rate,
        force,
        argv,
        follow,
        control,
    )
    return tuple(begin(*options).problems())


def stop() -> "Totals | None":
    """Ends the recording that start() or recording() began, from any thread.

    Returns its totals; or None if there is no such recording: it has ended already, this is a
    forked child, or `tracer run` began it, which also ends it. If the file does not have
    everything that was recorded, for example because the disk is full, one line on stderr and
    the totals' `problem` say so.
    """
    with _session.guard:
        ending, _session.running = _session.running, None
        if ending is None:
            return None
        totals = ending.end()
    ending.await_told()
    if totals is not None and totals.problem and sys.stderr is not None:
        line = f"tracer: cannot write {ending.options.path} to its end: {totals.problem}\n"
        try:  # noqa: SIM105 - plain python has not loaded contextlib
            sys.stderr.write(line)
        except Exception:  # used by the program, or closed
            pass
    return totals


def listen(address: str | None = None, *, token: str | None = None) -> str:
    """Answers HTTP requests about this process with Go's /debug/pprof/; returns the address.

    `address` is `HOST:PORT` or `PORT`; None for 127.0.0.1:6060, or a free port if that is
    taken. An address that other machines can reach needs a `token` of 16 characters or more,
    which every request must carry. A separate process answers from the recording, and ends
    with this one. If nothing is being recorded, each request makes this process record for the
    seconds it asks for.

    Raises ValueError for an address or token that is refused; TracerError when it cannot
    listen there, or this process already listens.
    """
    try:
        from tracer import _core
        from tracer.live import on_demand
    except ImportError as error:
        raise TracerError(f"cannot listen: the C core is missing ({error})") from None
    with _session.guard:
        return on_demand.start(_core, address, token)


class recording:
    """`with tracer.recording(path, …)`: start() and stop() around a block; the same options.

    The end of the block does not stop a recording that began after this one was stopped.
    """

    __slots__ = ("_begun", "_options")

    def __init__(
        self,
        path: "str | os.PathLike[str]",
        *,
        signals: "Iterable[str] | None" = None,
        without: "Iterable[str]" = (),
        buffer_bytes: int = BUFFER_BYTES,
        cpu_hz: int = CPU_HZ,
        heap_rate: int = HEAP_RATE_BYTES,
        force: bool = False,
        argv: bool = True,
        follow: bool = True,
        control: bool = True,
    ) -> None:
        options = (
            path,
            signals,
            without,
            buffer_bytes,
            cpu_hz,
            heap_rate,
            force,
            argv,
            follow,
            control,
        )
        self._options = options
        self._begun: Recording | None = None

    def __enter__(self) -> tuple[tuple[str, str], ...]:
        self._begun = begin(*self._options)
        return tuple(self._begun.problems())

    def __exit__(
        self,
        kind: "type[BaseException] | None",
        value: "BaseException | None",
        traceback: "TracebackType | None",
    ) -> None:
        with _session.guard:
            if _session.running is self._begun:
                stop()


def begin(
    path: "str | os.PathLike[str]",
    signals: "Iterable[str] | None",
    without: "Iterable[str]",
    buffer_bytes: int,
    cpu_hz: int,
    heap_rate: int,
    force: bool,
    argv: bool,
    follow: bool,
    control: bool,
    flight: "Flight | None" = None,
) -> "Recording":
    if sys.is_finalizing():
        raise TracerError("cannot start a recording: the interpreter is shutting down.")
    _end_at_exit()
    with _session.guard:
        if _session.starting:  # this is a signal handler or finalizer
            raise TracerError("cannot start a recording: this thread is starting one.")
        _session.starting = True
        try:
            recorder = _load_recorder()
            known = (*recorder.SIGNALS, *recorder.ON_REQUEST)
            asked = recorder.SIGNALS if signals is None else signals
            wanted = _checked(known, asked, without)
            _check_number("buffer_bytes", buffer_bytes, BUFFER_LEAST_BYTES, BUFFER_MOST_BYTES)
            _check_number("cpu_hz", cpu_hz, 1, CPU_MOST_HZ)
            _check_number("heap_rate", heap_rate, 1, HEAP_RATE_MOST_BYTES)
            shown = () if argv else tuple(sys.argv[:1])
            options = recorder.Options(
                os.fsdecode(path),
                buffer_bytes,
                wanted,
                shown,
                force=force,
                cpu_hz=cpu_hz,
                heap_rate=heap_rate,
                follow=follow,
                control=control,
                names_only=not argv,
                flight=flight,
            )
            begun: Recording = recorder.Recording(options)
            begun.at_end = stop
            try:
                begun.start()
                _session.running = begun
            except RuntimeError as error:
                begun.stop()
                raise TracerError(f"cannot record: {error}.") from None
            except BaseException:  # start() refused, or a signal handler raised
                begun.stop()
                raise
        finally:
            _session.starting = False
    return begun


def _load_recorder() -> "ModuleType":
    try:
        from tracer import recorder
    except Exception as error:  # nobody knows beforehand what an interpreter lacks
        raise TracerError(f"cannot record on this interpreter: {error}.") from None
    return recorder


def _checked(
    known: "Iterable[str]", signals: "Iterable[str]", without: "Iterable[str]"
) -> tuple[str, ...]:
    wanted = set(signals)
    unwanted = set(without)
    unknown = sorted(map(repr, (wanted | unwanted).difference(known)))
    if unknown:
        raise ValueError(
            f"no such signal: {', '.join(unknown)}. The signals are: {', '.join(known)}"
        )
    return tuple(name for name in known if name in wanted - unwanted)


def _check_number(name: str, value: int, least: int, most: int) -> None:
    if not isinstance(value, int) or not least <= value <= most:
        raise ValueError(f"{name} must be an int from {least} to {most}, not {value!r}")


def _end_at_exit() -> None:
    if _session.ends_at_exit:
        return
    _session.ends_at_exit = True
    import atexit

    atexit.register(_end)


def _end() -> None:
    stop()
    if "end of a child" in kept:
        kept["end of a child"]()


# --- decorators: _core calls this for region(…)(function) ---

_GENERATOR, _COROUTINE, _ASYNC_GENERATOR = 0x20, 0x80, 0x200  # bits of co_flags
_ANNOTATIONS = "__annotate__" if sys.version_info >= (3, 14) else "__annotations__"
_COPIED = (
    *("__module__", "__name__", "__qualname__", "__doc__", "__type_params__"),
    _ANNOTATIONS,
)


def _plain(entered: "_Entered", function: "_Function") -> "_Function":
    def wrapper(*args: object, **kwargs: object) -> object:
        if running:
            with entered():
                return function(*args, **kwargs)
        if kwargs:
            return function(*args, **kwargs)
        return function(*args)  # without a dict, which is most of this wrapper's cost

    return wrapper


def _coroutine(entered: "_Entered", function: "_Function") -> "_Function":
    async def wrapper(*args: object, **kwargs: object) -> object:
        with entered():
            return await function(*args, **kwargs)

    return wrapper


def _generator(entered: "_Entered", function: "_Function") -> "_Function":
    def wrapper(*args: object, **kwargs: object) -> "Generator[Any, Any, Any]":
        with entered():
            return (yield from function(*args, **kwargs))

    return wrapper


_WRAPPERS = {_GENERATOR: _generator, _COROUTINE: _coroutine}


def decorate(entered: "_Entered", function: "_Function") -> "_Function":
    """Wraps a function: each call is in a region or task of its own, a new `entered()`.

    Raises TypeError for an async generator function.
    """
    flags = getattr(getattr(function, "__code__", None), "co_flags", 0)
    if flags & _ASYNC_GENERATOR:
        raise TypeError(
            f"cannot decorate the async generator function {function!r}: "
            "use the region or task inside it"
        )
    wrap = next((each for bit, each in _WRAPPERS.items() if flags & bit), _plain)
    wrapper: Any = wrap(entered, function)
    for attribute in _COPIED:
        try:  # noqa: SIM105 - plain python has not loaded contextlib
            setattr(wrapper, attribute, getattr(function, attribute))
        except Exception:  # a callable object may lack it, or have something else instead
            pass
    wrapper.__dict__.update(getattr(function, "__dict__", {}))
    wrapper.__wrapped__ = function
    return wrapper  # type: ignore[no-any-return]
