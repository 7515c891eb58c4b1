"""What the process that answers HTTP may have the program do: collect garbage, and record for
some seconds while nothing else is recorded.

Called on a thread of the core's own (core/requests.c). Imports nothing that a plain `python`
has not loaded already.
"""

import os
from _thread import get_native_id

from tracer.errors import TracerError
from tracer.flight_recorder.rings import Flight
from tracer.live import listening
from tracer.processes import children
from tracer.recorder import Options, Recording

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

MOST_BYTES = 256 << 20  # of a recording on disk
_LONGER_S = 5.0  # than the seconds that were asked for: until the snapshot is written
_GIVE_UP_S = 60  # after these seconds nobody asks for it any more
_PATIENCE_S = 5  # while the program starts or stops a recording
RUNS = "The program has begun a recording of its own. Ask again."
_THREAD = "tracer"  # as a trace calls the one that obeys
# In core.kept: the recording that a request began. recorder.py ends it, too.
_KEY = "on demand"


def start(core: "ModuleType", address: str | None, token: str | None) -> str:
    """As listening.start(), and heeds what the process asks for."""
    where = listening.start(core, address, token)
    requests = core.kept["listening"].requests
    try:
        core.await_requests(requests, lambda request: obey(core, request))
    except OSError:  # no thread: such requests fail, with a sentence
        return where
    if "request forks" not in core.kept:
        core.kept["request forks"] = True
        os.register_at_fork(after_in_child=lambda: core.kept.pop(_KEY, None))
        children.register(core)
    return where


def obey(core: "ModuleType", request: str) -> int | None:
    """Does it, and answers; returns after how many ms to give up what it began, -1: never,
    None: when it was to be given up before."""
    number, _, rest = request.partition(" ")
    if number == "0":
        _give_up(core)
        return -1
    word, _, argument = rest.partition(" ")
    patience_ms, why_not = None, ""
    try:
        patience_ms = _REQUESTS[word](core, argument)
    except TracerError as error:
        why_not = str(error)
    except BaseException as error:
        why_not = f"The program cannot do that ({type(error).__name__})."
    listener = core.kept.get("listening")
    if listener is not None:
        listener.answer(int(number), why_not)
    return patience_ms


def _collect(core: "ModuleType", _argument: str) -> None:
    import gc

    core.name_thread(get_native_id(), _THREAD)
    gc.collect()


def _record(core: "ModuleType", argument: str) -> int:
    """SECONDS SIGNALS FOLDER: the most important signal first, the folder a private one."""
    seconds, signals, folder = argument.split(" ", 2)
    guard = core.kept["session"].guard
    if not guard.acquire(timeout=_PATIENCE_S):
        raise TracerError(RUNS)
    try:
        if core.kept.get("recording") is not None or core.is_recording():
            raise TracerError(RUNS)
        flight = Flight(folder, float(seconds) + _LONGER_S, MOST_BYTES, 1)
        options = Options(
            "", signals=tuple(signals.split(",")), follow=False, control=False, flight=flight
        )
        recording = Recording(options)
        core.kept[_KEY] = recording
        _end_at_exit(core)
        try:
            recording.start()
            core.name_thread(get_native_id(), _THREAD)
            main = options.signals[0]  # without the others, the answer says less
            if main in dict(recording.problems()):
                reason = dict(recording.problems())[main]
                raise TracerError(f"The signal {main} is not recorded here: {reason}.")
        except BaseException:
            core.kept.pop(_KEY, None)
            recording.stop()
            raise
    finally:
        guard.release()
    return int((float(seconds) + _GIVE_UP_S) * 1000)


def _keep(core: "ModuleType", path: str) -> int:
    """Makes a trace of it, which ends it."""
    if core.kept.get(_KEY) is None:
        raise TracerError(RUNS)
    try:
        core.snapshot(os.fsencode(path), "")
    finally:
        _end(core, "")
    return -1


def _end(core: "ModuleType", _argument: str) -> int:
    recording = core.kept.pop(_KEY, None)
    if recording is not None:
        recording.stop()
    return -1


def _give_up(core: "ModuleType") -> None:
    """Nobody asks any more: what the process that is gone has left is removed, too."""
    recording = core.kept.get(_KEY)
    _end(core, "")
    if recording is not None:
        folder = recording.options.flight.folder
        for path in (folder, os.path.dirname(folder)):
            try:  # noqa: SIM105 - plain python has not loaded contextlib
                os.rmdir(path)
            except OSError:  # it has more in it
                pass


_REQUESTS: "dict[str, Callable[[ModuleType, str], int | None]]" = {
    "collect": _collect,
    "record": _record,
    "keep": _keep,
    "end": _end,
}


def _end_at_exit(core: "ModuleType") -> None:
    if "on demand at exit" not in core.kept:
        core.kept["on demand at exit"] = True
        import atexit

        atexit.register(_end, core, "")
