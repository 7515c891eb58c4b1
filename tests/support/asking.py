"""A server of the endpoints inside the test, and raw requests to it."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from viewer.endpoints.answers import Endpoints, Program
from viewer.endpoints.rules import Rules
from viewer.endpoints.serve import Server, listening

TIMEOUT_S = 120


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    headers: dict[str, str]  # names in lower case
    body: bytes


@dataclass(slots=True)
class Asked:
    """The server's port, and ways to ask it."""

    port: int
    endpoints: Endpoints
    program: Program

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), TIMEOUT_S)

    def raw(self, data: bytes) -> Reply:
        """Sends bytes as they are."""
        with self.connect() as connection:
            connection.sendall(data)
            return reply_of(connection)

    def get(self, path: str, *headers: str, method: str = "GET", body: bytes = b"") -> Reply:
        """A request with the right `Host`, unless the headers have another one."""
        own = [f"Host: {self.host}"] if not any("Host:" in line for line in headers) else []
        length = [f"Content-Length: {len(body)}"] if body else []
        lines = [f"{method} {path} HTTP/1.1", *own, *length, *headers]
        return self.raw("\r\n".join(lines).encode() + b"\r\n\r\n" + body)


def reply_of(connection: socket.socket) -> Reply:
    """Everything until the server closes."""
    data = b""
    while more := connection.recv(1 << 16):
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    pairs = (line.split(": ", 1) for line in lines)
    return Reply(int(first.split()[1]), {name.lower(): value for name, value in pairs}, body)


@contextmanager
def served(endpoints: Endpoints, program: Program, token: str = "") -> Iterator[Asked]:
    """The server on a free port of 127.0.0.1."""
    listener = listening("127.0.0.1", 0)
    port = listener.getsockname()[1]
    rules = Rules.of("127.0.0.1", port, token)
    thread = threading.Thread(target=Server(listener, rules, endpoints).serve)
    thread.start()
    try:
        yield Asked(port, endpoints, program)
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()
