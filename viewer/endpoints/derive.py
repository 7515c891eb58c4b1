"""One answer from a trace, in a process of its own that may take its time and may die.

The first half runs in that process, the second half starts it.
"""

import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import BoundedSemaphore

from viewer.endpoints.limits import (
    ANSWER_BYTES,
    DERIVATIONS,
    DERIVE_BYTES,
    DERIVE_S,
    QUEUE_S,
    TRACE_BYTES,
)

_ROOT = Path(__file__).parents[2]
_CODE = (
    "import sys; sys.path.insert(0, sys.argv[1]); "
    "from viewer.endpoints.derive import derive; derive(sys.argv[2])"
)
_LOWEST = 19  # the nice value
_SAID_BYTES = 1000  # of what a failing process says


@dataclass(frozen=True, slots=True)
class Order:
    """What to make. Times are CLOCK_MONOTONIC, as in the trace; 0 is its begin or its end."""

    what: str  # "profile", "text", "goroutines", "page", "trace"
    trace: str
    type: str = ""  # of a profile
    from_ns: int = 0
    until_ns: int = 0
    is_delta: bool = False  # what changed from from_ns to until_ns
    pid: int = 0
    marked_ns: int = 0  # after that time the trace says where all threads are; 0: it need not


class NotDerived(Exception):
    """Why there is no answer: a sentence."""


# --- in the process that derives ---


def derive(text: str) -> None:
    """Writes the answer to stdout; what goes wrong is one line on stderr."""
    os.nice(_LOWEST)
    resource.setrlimit(resource.RLIMIT_AS, (DERIVE_BYTES, DERIVE_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (DERIVE_S, DERIVE_S))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    order = Order(**json.loads(text))
    try:
        from tracer.errors import TracerError

        try:
            answer = _MAKERS[order.what](order)
        except TracerError as error:
            sys.exit(str(error))
    except MemoryError:
        sys.exit("The recording is too large for the memory that an answer may take.")
    except Exception as error:  # a bug, or a library that has no memory
        sys.exit(f"The answer could not be made ({type(error).__name__}).")
    sys.stdout.buffer.write(answer)


def _profile(order: Order) -> bytes:
    from viewer.render.formats.pprof import render_pprof

    return render_pprof(_made(order))


def _text(order: Order) -> bytes:
    from viewer.render.formats.go_text import render_profile

    return render_profile(order.type, _made(order)).encode()


def _made(order: Order):  # type: ignore[no-untyped-def]
    from viewer.analysis.profiles.within import During, Everywhere
    from viewer.commands.profiles import made
    from viewer.render.text.profiles import difference

    model, marked_ns = _read(order)
    if order.type == "goroutine" and not order.is_delta:
        return made(model, order.type, Everywhere(marked_ns or model.end_ns))
    until_ns = min(order.until_ns or model.end_ns, model.end_ns)
    if not order.is_delta:
        return made(model, order.type, Everywhere(until_ns))
    from_ns = max(order.from_ns, model.start_ns)
    if order.type in ("goroutine", "heap"):  # what is there, not what came to be
        before = made(model, order.type, Everywhere(from_ns))
        profile = difference(made(model, order.type, Everywhere(until_ns)), before)
    else:
        profile = made(model, order.type, During(from_ns, until_ns))
    start_unix_ns = profile.start_unix_ns + from_ns - model.start_ns
    return profile._replace(start_unix_ns=start_unix_ns, duration_ns=until_ns - from_ns)


def _read(order: Order):  # type: ignore[no-untyped-def]
    """The trace up to the moment of the marks at least, and that moment; 0: there is none."""
    from viewer.commands.dump import read_marked
    from viewer.trace.model import build_model
    from viewer.trace.reader import read_trace

    if order.marked_ns:
        return read_marked(Path(order.trace), order.pid, order.marked_ns)
    return build_model(read_trace(Path(order.trace))), 0


def _goroutines(order: Order) -> bytes:
    from viewer.analysis.dump.moment import dump
    from viewer.render.formats.go_text import render_goroutines

    model, at_ns = _read(order)
    found = dump(model, at_ns or model.end_ns)
    return render_goroutines(found, found.entries).encode()


def _trace(order: Order) -> bytes:
    from viewer.trace.rings import read_since

    if not os.path.isdir(order.trace):  # it has nothing else, or all since the begin
        return Path(order.trace).read_bytes()
    age_ns = time.monotonic_ns() - order.from_ns
    return read_since(Path(order.trace), time.time_ns() - age_ns)


def _page(order: Order) -> bytes:
    from viewer.server.share import render_html

    return render_html(_read(order)[0])


_MAKERS: dict[str, Callable[[Order], bytes]] = {
    "profile": _profile,
    "text": _text,
    "goroutines": _goroutines,
    "page": _page,
    "trace": _trace,
}


# --- in the process that answers ---


class Deriver:
    """Starts such processes, a few at a time."""

    def __init__(self) -> None:
        self._turns = BoundedSemaphore(DERIVATIONS)

    def derived(self, order: Order) -> bytes:
        """The answer. Raises NotDerived."""
        try:
            size = _size(order.trace)
        except OSError as error:
            raise NotDerived(f"The recording cannot be read: {error.strerror}.") from None
        if size > TRACE_BYTES:
            raise NotDerived(
                f"The recording has {size >> 20} MiB, more than is read for an answer. "
                "Record a ring of the last seconds instead."
            )
        if not self._turns.acquire(timeout=QUEUE_S):
            raise NotDerived("Too many answers are being made. Ask again later.")
        try:
            return _run(order)
        finally:
            self._turns.release()


def _size(path: str) -> int:
    """Of a file, or of a ring's files. Raises OSError."""
    if not os.path.isdir(path):
        return os.path.getsize(path)
    with os.scandir(path) as files:
        return sum(file.stat().st_size for file in files)


def _run(order: Order) -> bytes:
    command = [sys.executable, "-E", "-P", "-W", "ignore", "-c", _CODE, str(_ROOT)]
    command.append(json.dumps(asdict(order)))
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=said, process_group=0
        )
        try:
            code = process.wait(timeout=DERIVE_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise NotDerived(f"The answer took more than {DERIVE_S} s.") from None
        if code < 0:
            from viewer.analysis.endings import signal_name

            name = signal_name(-code)
            raise NotDerived(f"The process that made the answer was ended by {name}.")
        if code:
            said.seek(0)
            lines = said.read(_SAID_BYTES).decode(errors="replace").strip().splitlines()
            raise NotDerived(lines[-1] if lines else f"It failed with exit code {code}.")
        if out.seek(0, os.SEEK_END) > ANSWER_BYTES:
            raise NotDerived("The answer is too long.")
        out.seek(0)
        return out.read()
