"""Asks a live recording something, over its control socket."""

import contextlib
import json
import os
import socket
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tracer.errors import TracerError
from tracer.live.control import SUFFIX, folders, open_folder

TIMEOUT_S = 20  # a recorder answers within 0.1 s, unless its machine is overloaded, …
LOOK_S = 1  # … or its process is stopped: who has waited for so long looks, …
STOPPED_LOOKS = (
    3  # … and so often in turn has found it so: a debugger stops it for moments, too
)
MOST_BYTES = 64 << 20
_CREDENTIALS = struct.Struct("3i")  # pid, uid, gid
_TIME = struct.Struct("ll")  # timeval
_HEAD_BYTES = 256


class NotLiveError(TracerError):
    """Nothing is being recorded there."""


@dataclass(frozen=True)
class Address:
    """A socket in a folder that is its user's alone."""

    folder: str
    name: str

    @property
    def pid(self) -> int:
        return int(self.name.removesuffix(SUFFIX))

    @property
    def path(self) -> str:
        return os.path.join(self.folder, self.name)


def _places() -> list[str]:
    """Where this user's sockets may be, also those of programs with another environment."""
    return list(dict.fromkeys((*folders(), f"/run/user/{os.geteuid()}/tracer")))


def addresses() -> Iterator[Address]:
    """The sockets of this user, by pid. Of a folder that is not safe to use, nothing."""
    found: dict[int, Address] = {}
    for folder in _places():
        try:
            fd = open_folder(folder)
        except (OSError, TracerError):
            continue
        try:
            for name in os.listdir(fd):
                stem = name.removesuffix(SUFFIX)
                if stem != name and stem.isascii() and stem.isdigit():
                    found.setdefault(int(stem), Address(folder, name))
        finally:
            os.close(fd)
    yield from (found[pid] for pid in sorted(found))


def address_of(target: str) -> Address:
    """The socket of a pid, or the one at a path.

    Raises NotLiveError when there is none.
    """
    if "/" in target:
        folder, name = os.path.split(os.path.abspath(target))
        return Address(folder, name)
    if not (target.isascii() and target.isdigit()):
        raise NotLiveError(f"{target!r} is neither a pid nor the path of a socket.")
    for address in addresses():
        if address.pid == int(target):
            return address
    for folder in _places():
        try:
            os.close(open_folder(folder))
        except FileNotFoundError:
            continue
        except OSError as error:
            raise NotLiveError(f"cannot use {folder!r}: {error.strerror}.") from None
    raise NotLiveError(
        f"process {target} is not being recorded, or not by this user. "
        "`tracer ps` lists what is."
    )


def only_address() -> Address:
    """The one live recording of this user.

    Raises NotLiveError when there is none, or several.
    """
    live = [address for address in addresses() if _answers(address)]
    if len(live) == 1:
        return live[0]
    if not live:
        raise NotLiveError("nothing is being recorded. Start with: tracer run PROGRAM")
    pids = ", ".join(str(address.pid) for address in live)
    raise NotLiveError(f"several programs are being recorded. Choose one: {pids}")


def _answers(address: Address) -> bool:
    try:
        _connect(address).close()
    except TracerError:
        return False
    return True


def ask(address: Address, request: str, timeout_s: float = TIMEOUT_S) -> Any:
    """What the recording answers, decoded.

    Raises NotLiveError when nobody answers there, TracerError for any other answer.
    """
    with _connect(address) as connection:
        try:
            connection.sendall(f"{request}\n".encode())
            answer = _receive(_Patience(connection, address, timeout_s), _who(address))
        except OSError as error:
            raise NotLiveError(f"{_who(address)} hung up: {error.strerror}.") from None
    return json.loads(answer.decode(errors="replace"))


class _Patience:
    """Receives as long as the process may still answer."""

    def __init__(self, connection: socket.socket, address: Address, timeout_s: float) -> None:
        self._connection, self._address = connection, address
        self._pid = _peer(connection)[0]
        self._until = time.monotonic() + timeout_s
        self._stopped = 0  # looks in turn

    def receive(self) -> bytes:
        """Raises TracerError when it will not."""
        while True:
            left_s = self._until - time.monotonic()
            if left_s <= 0:
                raise TracerError(f"{_who(self._address)} does not answer.")
            self._connection.settimeout(min(left_s, LOOK_S))
            try:
                return self._connection.recv(1 << 16)
            except TimeoutError:
                self._look()

    def _look(self) -> None:
        self._stopped = self._stopped + 1 if _is_stopped(self._pid) else 0
        if self._stopped == STOPPED_LOOKS:
            raise TracerError(
                f"process {self._pid} is stopped, by a signal or a debugger, and cannot "
                f"answer. `kill -CONT {self._pid}` lets it go on."
            )


def _is_stopped(pid: int) -> bool:
    """All of its threads; False where that cannot be seen."""
    states = set()
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/stat", "rb") as stat:
                states.add(stat.read().rpartition(b") ")[2][:1])
    except OSError:
        return False
    return bool(states) and states <= {b"T", b"t"}


def _receive(patience: _Patience, who: str) -> bytes:
    data = bytearray()
    wanted = _HEAD_BYTES
    head = b""
    while len(data) < wanted:
        piece = patience.receive()
        if not piece:
            break
        data += piece
        if not head and b"\n" in data:
            head = bytes(data[: data.index(b"\n")])
            word, _, rest = head.partition(b" ")
            if word == b"refused":
                raise TracerError(f"{who} refused: {rest.decode(errors='replace')}.")
            if word != b"ok" or not rest.isdigit() or int(rest) > MOST_BYTES:
                raise TracerError(f"{who} is not a tracer recording.")
            wanted = len(head) + 1 + int(rest)
    if not head or len(data) < wanted:
        raise NotLiveError(f"{who} ended before it had answered.")
    return bytes(data[len(head) + 1 : wanted])


def _who(address: Address) -> str:
    return f"the recording at {address.path!r}"


def _connect(address: Address) -> socket.socket:
    """A connection to a socket of this user's (or, for root, of anybody's).

    Removes what a killed process left there. Raises NotLiveError.
    """
    try:
        folder = os.open(address.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise NotLiveError(f"cannot use {address.folder!r}: {error.strerror}.") from None
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _check(folder, address)
        # A socket that does not block is refused at once where others wait their turn.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _TIME.pack(TIMEOUT_S, 0))
        connection.connect(f"/proc/self/fd/{folder}/{address.name}")
        connection.settimeout(TIMEOUT_S)
        if not _is_trusted(_peer(connection)[1]):
            raise NotLiveError(f"{_who(address)} is another user's.")
    except ConnectionRefusedError:
        connection.close()
        _remove(folder, address)
        raise NotLiveError(f"{_who(address)} has ended.") from None
    except BlockingIOError:
        connection.close()
        raise TracerError(
            f"{_who(address)} does not answer. Is the process stopped?"
        ) from None
    except OSError as error:
        connection.close()
        raise NotLiveError(f"cannot ask {_who(address)}: {error.strerror or error}.") from None
    except BaseException:
        connection.close()
        raise
    finally:
        os.close(folder)
    return connection


def _peer(connection: socket.socket) -> tuple[int, int]:
    """The pid and the uid of who listens there; a pid of another container's is 0."""
    told = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    pid, uid, _ = _CREDENTIALS.unpack(told)
    return pid, uid


def _is_trusted(uid: int) -> bool:
    return uid == os.geteuid() or os.geteuid() == 0


def _check(folder: int, address: Address) -> None:
    about = os.stat(address.name, dir_fd=folder, follow_symlinks=False)
    if (about.st_mode & 0o170000) != 0o140000:
        raise NotLiveError(f"{address.path!r} is not a socket.")
    if not _is_trusted(about.st_uid):
        raise NotLiveError(f"{_who(address)} is another user's.")


def _remove(folder: int, address: Address) -> None:
    """Nobody listens: sockets get their names when they listen."""
    if address.folder in _places() and address.name.endswith(SUFFIX):
        with contextlib.suppress(OSError):
            os.unlink(address.name, dir_fd=folder)
