"""The HTTP endpoints: starts the process that answers, and tells it what is recorded.

The program itself has no socket for them. What is sent over the network never reaches it.
What goes through the two pipes: to that process its settings, what is recorded, and answers to
its requests; from it, one line that says where it listens, and requests (on_demand.py).
Imports nothing that a plain `python` has not loaded already.
"""

import os
import sys

from tracer.errors import TracerError
from tracer.secrets import masked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

    from tracer.recorder import Recording

HOST, PORT = "127.0.0.1", 6060  # as in Go's examples; a free port where it is taken
_ANY = ("0.0.0.0", "::")  # all addresses of the machine
_TOKEN_LEAST = 16  # characters
_ANSWER_BYTES = 4096
_ANSWER = "!"  # begins an answer; names of recordings are absolute
_RESERVED = 3  # descriptors below are the program's standard streams
_SERVE = (
    "import sys; sys.path.insert(0, sys.argv[1]); pid = sys.argv[2]; "
    "from tracer.live import client, prometheus; from viewer.endpoints.serve import main; "
    "main(pid, lambda word: client.ask(client.address_of(pid), word), prometheus.text)"
)


class Listening:
    """The process that answers for this one, as long as this one keeps the pipe open.

    The program keeps both ends: writing to it never gives a SIGPIPE.
    """

    __slots__ = ("_id", "address", "ends", "pipe", "requests")

    def __init__(self, pipe: int, other_end: int, requests: int) -> None:
        self.pipe, self.ends, self.address = pipe, (pipe, other_end), ""
        self.requests = requests  # to read them from
        self._id = _id_of(pipe)

    def tell(self, recording: str) -> None:
        """Says which file is being recorded; "": none."""
        self._write(os.fsencode(recording))

    def answer(self, number: int, why_not: str) -> None:
        """Says that a request has been done, or why it cannot be."""
        self._write(f"{_ANSWER}{number} {why_not}".encode())

    def _write(self, message: bytes) -> None:
        try:
            if _id_of(self.pipe) == self._id:
                os.write(self.pipe, message + b"\0")
        except OSError:  # it does not read, or the program has closed it
            pass

    def close(self) -> None:
        """Ends the process, or, in a forked child, keeps it the parent's."""
        for fd in self.ends:
            try:
                if _id_of(fd) == self._id:
                    os.close(fd)
            except OSError:  # the program has closed it
                pass


def _id_of(fd: int) -> tuple[int, int]:
    """Which file it is: a program may close every descriptor, and open others instead."""
    status = os.fstat(fd)
    return status.st_dev, status.st_ino


def parsed(address: str | None) -> tuple[str, list[int]]:
    """`6061`, `:6061` (all addresses), `host:6061`, `[::1]:6061`, None -> host, ports to try.

    Raises ValueError.
    """
    if address is None:
        return HOST, [PORT, 0]
    host, colon, port = address.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ValueError(f"{address!r} is not an address: write [{host}]:{port or PORT}")
    if not (port.isascii() and port.isdigit() and int(port) < 1 << 16):
        raise ValueError(f"{address!r} is not an address such as 127.0.0.1:6060")
    if any(not (letter.isalnum() or letter in ".:-_") for letter in host):
        raise ValueError(f"{address!r} is not an address such as 127.0.0.1:6060")
    return host or (_ANY[0] if colon else HOST), [int(port)]


def is_local(host: str) -> bool:
    """Whether only this machine reaches it."""
    return host in ("localhost", "::1") or _is_127(host)


def _is_127(host: str) -> bool:
    parts = host.split(".")
    return len(parts) == 4 and parts[0] == "127" and all(part.isdigit() for part in parts)


def start(core: "ModuleType", address: str | None, token: str | None) -> str:
    """Starts the process; returns the address of its index.

    Raises ValueError for an address or token that is refused, TracerError when the process
    cannot listen there.
    """
    if "listening" in core.kept:
        raise TracerError(f"this process already listens: {core.kept['listening'].address}")
    host, ports = parsed(address)
    if token is not None and (len(token) < _TOKEN_LEAST or not token.isprintable()):
        raise ValueError(f"a token must have at least {_TOKEN_LEAST} printable characters")
    if token is None and not is_local(host):
        raise ValueError(
            f"{host} can be reached from other machines, so it needs a token of at least "
            f"{_TOKEN_LEAST} characters. Set TRACER_TOKEN, or pass token=…"
        )
    started = _start_process(core)
    try:
        recording = core.kept.get("recording")
        argv = masked(map(str, _argv(recording)))
        started.tell(_json({"host": host, "ports": ports, "token": token or "", "argv": argv}))
        started.tell(os.path.abspath(recording.options.path) if recording is not None else "")
        word, _, rest = _line(started.requests).partition(" ")
    except BaseException:
        os.close(started.requests)
        started.close()
        raise
    if word != "listening":
        os.close(started.requests)
        started.close()
        raise TracerError(f"cannot listen on {address or HOST}: {rest or 'it did not start'}.")
    shown = f"[{host}]" if ":" in host else host
    started.address = f"http://{shown}:{rest}/debug/pprof/"
    core.kept["listening"] = started
    if "listening forks" not in core.kept:
        core.kept["listening forks"] = True
        os.register_at_fork(after_in_child=lambda: stop(core))
    return started.address


def stop(core: "ModuleType") -> None:
    """Ends it; in a forked child, it stays the parent's."""
    started = core.kept.pop("listening", None)
    if started is not None:
        started.close()


def _argv(recording: "Recording | None") -> "Sequence[str]":
    """As the recording has them: `tracer run` records before the program's sys.argv is there,
    and may have been told to leave out its arguments."""
    said = recording.options.argv if recording is not None else ()
    return said or getattr(sys, "argv", ())


def _start_process(core: "ModuleType") -> Listening:
    """The process. Raises TracerError."""
    root = __file__.rsplit("/", 3)[0]  # of our packages
    command = [
        sys.executable,
        "-E",
        "-P",
        "-W",
        "ignore",
        "-c",
        _SERVE,
        root,
        str(os.getpid()),
    ]
    env = tuple(
        name + b"=" + value
        for name, value in os.environb.items()
        if not name.startswith(b"TRACER")
    )
    to_read, pipe, answers, to_write = map(_high, (*os.pipe(), *os.pipe()))
    os.set_blocking(pipe, False)
    started = Listening(pipe, to_read, answers)
    try:
        core.start_detached(tuple(map(os.fsencode, command)), env, to_read, to_write)
    except OSError as error:
        os.close(answers)
        started.close()
        raise TracerError(f"cannot start a process: {error.strerror}.") from None
    finally:
        os.close(to_write)
    return started


def _high(fd: int) -> int:
    """The same above the standard streams, which a program may have closed."""
    if fd >= _RESERVED:
        return fd
    higher = [fd]
    while higher[-1] < _RESERVED:
        higher.append(os.dup(fd))
    for low in higher[:-1]:
        os.close(low)
    return higher[-1]


def _line(fd: int) -> str:
    """What the process says first; "" if it ended."""
    data = b""
    while b"\n" not in data and len(data) < _ANSWER_BYTES:
        more = os.read(fd, _ANSWER_BYTES)
        if not more:
            break
        data += more
    return data.decode(errors="replace").partition("\n")[0]


def _json(values: "dict[str, str | list[int] | list[str]]") -> str:
    """As JSON, whose module a plain python has not loaded."""

    def written(value: "str | int | list[int] | list[str]") -> str:
        if isinstance(value, str):
            return '"' + "".join(map(_escaped, value)) + '"'
        if isinstance(value, int):
            return str(value)
        return "[" + ",".join(map(written, value)) + "]"

    return (
        "{"
        + ",".join(f"{written(key)}:{written(value)}" for key, value in values.items())
        + "}"
    )


def _escaped(letter: str) -> str:
    plain = " " <= letter <= "~" and letter not in '"\\'
    if plain:
        return letter
    code = ord(letter)
    if code < 1 << 16:
        return f"\\u{code:04x}"
    code -= 1 << 16
    return f"\\u{0xD800 + (code >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"
