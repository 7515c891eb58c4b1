"""The process that answers for a program: it accepts, reads, checks, answers, one request for
each connection, and ends with the program.

Its standard input is a pipe from the program, which says what is recorded; its standard output
is one to the program, and takes one line: where it listens, or why not. Further ones are what
the program is asked to do (demands.py).
"""

import errno
import json
import os
import select
import socket
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from http import HTTPStatus
from queue import SimpleQueue
from threading import BoundedSemaphore, Lock, Thread
from typing import Any

from viewer.endpoints.answers import Answer, Endpoints, Program, Recorder
from viewer.endpoints.demands import ANSWER, Demands
from viewer.endpoints.limits import CONNECTIONS, READ_S, WRITE_S
from viewer.endpoints.request import Refusal, read_request
from viewer.endpoints.rules import Rules

_BACKLOG = 128
_CLOSED = (errno.EBADF, errno.EINVAL)
_HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Connection": "close",
}
_TEXT = "text/plain; charset=utf-8"
_MESSAGE_BYTES = 1 << 16


class Server:
    """Answers on a listening socket, each connection on a thread."""

    def __init__(self, listener: socket.socket, rules: Rules, endpoints: Endpoints) -> None:
        self._listener, self._rules, self._endpoints = listener, rules, endpoints
        self._free = BoundedSemaphore(CONNECTIONS)

    def serve(self) -> None:
        """Until the listener is closed."""
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError as error:
                if error.errno in _CLOSED:
                    return
                time.sleep(0.1)  # no descriptors left: some will be free again
                continue
            if not self._free.acquire(blocking=False):
                _tell_busy(connection)
                continue
            Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        try:
            with connection:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._converse(connection)
        except OSError:  # the other side is gone, or slow
            pass
        finally:
            self._free.release()

    def _converse(self, connection: socket.socket) -> None:
        try:
            request = read_request(connection, time.monotonic() + READ_S)
            self._rules.check(request, self._endpoints.methods(request.path))
            answer = self._endpoints.answer(request)
        except Refusal as refusal:
            answer = _refused(refusal)
        except TimeoutError:
            answer = _refused(
                Refusal(HTTPStatus.REQUEST_TIMEOUT, "The request took too long to arrive.")
            )
        except OSError:
            raise
        except Exception as error:  # a bug: whoever asked is told, the program is not harmed
            answer = _refused(
                Refusal(
                    HTTPStatus.INTERNAL_SERVER_ERROR,
                    f"The answer could not be made ({type(error).__name__}).",
                )
            )
        connection.settimeout(WRITE_S)
        connection.sendall(rendered(answer))
        _finish(connection)


def _finish(connection: socket.socket) -> None:
    """Says that all is sent, and takes what is still on its way: closing at once would reset
    the connection, and the answer could be lost."""
    connection.shutdown(socket.SHUT_WR)
    until = time.monotonic() + 1
    while (left := until - time.monotonic()) > 0:
        connection.settimeout(left)
        if not connection.recv(1 << 16):
            return


def _refused(refusal: Refusal) -> Answer:
    return Answer(f"{refusal.text}\n".encode(), _TEXT, refusal.status, refusal.headers)


def rendered(answer: Answer) -> bytes:
    """The bytes of an answer."""
    headers = {
        **_HEADERS,
        **answer.headers,
        "Content-Type": answer.type,
        "Content-Length": str(len(answer.body)),
    }
    lines = [f"HTTP/1.1 {answer.status.value} {answer.status.phrase}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    assert not any("\r" in line or "\n" in line for line in lines)
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + answer.body


def _tell_busy(connection: socket.socket) -> None:
    answer = _refused(
        Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "Too many connections.", Retry_After="5")
    )
    try:
        with connection:
            connection.setblocking(False)
            connection.send(rendered(answer))
    except OSError:
        pass


def listening(host: str, port: int) -> socket.socket:
    """A socket that listens there. Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except BaseException:
        listener.close()
        raise
    return listener


class Pipe:
    """What the program says, in messages that end with a zero byte."""

    def __init__(self, fd: int, pid: int) -> None:
        self._fd, self._data = fd, b""
        self._program = os.pidfd_open(pid)
        self._guard = Lock()
        self.answers: SimpleQueue[bytes] = SimpleQueue()  # to what the program was asked to do

    def read(self) -> bytes | None:
        """The next message; None when the program has ended."""
        while b"\0" not in self._data:
            if not self._wait() or not self._take():
                return None
        message, _, self._data = self._data.partition(b"\0")
        return message

    def heed(self, program: Program) -> None:
        """Until the program has ended."""
        while self._wait() and self.refresh(program):
            pass

    def refresh(self, program: Program) -> bool:
        """Takes what the program has said by now; False when it has closed the pipe."""
        with self._guard:
            while select.select([self._fd], [], [], 0)[0]:
                if not self._take():
                    return False
            *messages, self._data = self._data.split(b"\0")
            for message in messages:
                if message.startswith(ANSWER):
                    self.answers.put(message.removeprefix(ANSWER))
                else:
                    program.recording = os.fsdecode(message)
            return True

    def _wait(self) -> bool:
        ready, _, _ = select.select([self._fd, self._program], [], [])
        return self._program not in ready

    def _take(self) -> bytes:
        more = os.read(self._fd, _MESSAGE_BYTES)
        self._data += more
        return more


def main(
    pid: str,
    ask: Callable[[str], Mapping[str, Any]],
    metrics: Callable[[Mapping[str, Any]], str],
) -> None:
    """`pid` is the program's; `ask` asks its recorder, and raises TracerError; `metrics`
    writes what it says for Prometheus. The program's first message is JSON: host, ports to
    try, token, argv; each further one is the file or ring being recorded, or nothing.
    """
    os.nice(10)
    for fd in map(int, os.listdir("/proc/self/fd")):
        if fd > 2:
            with suppress(OSError):
                os.close(fd)  # the program left it inheritable
    pipe = Pipe(0, int(pid))
    first, recording = pipe.read(), pipe.read()
    if first is None or recording is None:
        return  # the program has ended meanwhile
    told = json.loads(first)
    listener = _first_free(told["host"], told["ports"])
    port = listener.getsockname()[1]
    program = Program(int(pid), tuple(told["argv"]), os.fsdecode(recording))
    program.refresh = lambda: pipe.refresh(program)
    demands = Demands(_say, pipe.answers)
    endpoints = Endpoints(program, Recorder(ask, metrics), demands)
    server = Server(listener, Rules.of(told["host"], port, told["token"]), endpoints)
    _say(f"listening {port}")
    Thread(target=server.serve, daemon=True).start()
    pipe.heed(program)
    demands.close()
    os._exit(0)


def _first_free(host: str, ports: list[int]) -> socket.socket:
    for port in ports:
        try:
            return listening(host, port)
        except OSError as error:
            why_not = error.strerror or str(error)
    _say(f"error {why_not}")
    sys.exit(1)


def _say(line: str) -> None:
    """A line to the program."""
    os.write(1, f"{line}\n".encode())
