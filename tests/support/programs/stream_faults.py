"""Reads and writes that fail, are interrupted, or are no plain ones, in a family of two.

The output is, as JSON, by name what the program saw.
"""

import contextlib
import errno
import json
import os
import select
import signal
import socket
import threading
from collections.abc import Callable
from types import FrameType


class Ended(Exception):
    """Raised by a signal's handler."""


def outcome(call: Callable[[], object]) -> str:
    try:
        return repr(call())
    except OSError as error:
        return errno.errorcode[error.errno or 0]


def errors() -> list[str]:
    reads, writes = os.pipe()
    os.set_blocking(reads, False)
    os.set_blocking(writes, False)
    seen = [
        outcome(lambda: os.read(reads, 1)),
        outcome(lambda: os.write(writes, bytes(1 << 20))),
        outcome(lambda: os.write(writes, b"more")),
        outcome(lambda: len(os.read(reads, 1 << 20))),
        outcome(lambda: os.read(reads, 1)),
        outcome(lambda: os.read(writes, 1)),
    ]
    os.close(reads)
    seen.append(outcome(lambda: os.write(writes, b"to nobody")))
    os.close(writes)
    seen.append(outcome(lambda: os.write(writes, b"closed")))
    seen.append(outcome(lambda: os.read(1 << 20, 1)))
    return seen


def flags() -> list[str]:
    server = socket.create_server(("127.0.0.1", 0))
    client = socket.create_connection(server.getsockname())
    accepted, _ = server.accept()
    with server, client, accepted:
        client.sendall(b"seen and thrown away")
        select.select([accepted], [], [])
        seen = [outcome(lambda: accepted.recv(4, socket.MSG_PEEK))]
        seen.append(outcome(lambda: len(accepted.recv(9, socket.MSG_TRUNC))))
        client.send(b"!", socket.MSG_OOB)
        client.shutdown(socket.SHUT_WR)
        rest = b"".join(iter(lambda: accepted.recv(5), b""))
        return [*seen, repr(rest)]


def signals() -> list[object]:
    """A handler uses pipes while the thread waits at one, and raises."""
    reads, writes = os.pipe()
    inner_reads, inner_writes = os.pipe()
    handled: list[bytes] = []

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        if handled:
            return
        os.write(inner_writes, b"inner")
        handled.append(os.read(inner_reads, 5))
        raise Ended

    signal.signal(signal.SIGUSR1, on_signal)
    main, is_over = threading.main_thread(), threading.Event()

    def kick() -> None:
        """The first signals may come before the call."""
        while not is_over.wait(0.001):
            signal.pthread_kill(main.ident or 0, signal.SIGUSR1)

    kicker = threading.Thread(target=kick)
    how = "not ended"
    try:
        kicker.start()
        os.read(reads, 1)
    except Ended:
        how = "ended by Ended"
    is_over.set()
    kicker.join()
    for fd in (reads, writes, inner_reads, inner_writes):
        os.close(fd)
    return [how, len(handled)]


def main() -> None:
    stays, goes = os.pipe()
    pid = os.fork()
    if not pid:
        os.close(goes)
        os.read(stays, 1)
        os._exit(0)
    os.close(stays)
    seen = {"errors": errors(), "flags": flags(), "signals": signals()}
    os.close(goes)
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, 0)
    print(json.dumps(seen))


if __name__ == "__main__":
    main()
