"""The local server: who may ask, for what, and the headers of every answer.

It never opens a path from outside: a request names an entry of a table made at the start.
"""

import hmac
import secrets
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import override
from urllib.parse import parse_qsl, urlsplit

HOST = "127.0.0.1"
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}

_NO_KEY = (
    "This address lacks the key of the page, or has that of a server that has ended. Open the "
    "whole address that tracer printed: http://127.0.0.1:PORT/KEY/\n"
)
_OTHER_HOST = (
    "This server answers only to 127.0.0.1, not to other names of this machine. Open the "
    "address as tracer printed it: http://127.0.0.1:PORT/KEY/\n"
)
_NO_PAGE = "There is nothing at this address. The page is at http://127.0.0.1:PORT/KEY/\n"

type Query = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer. `policy` is its Content-Security-Policy."""

    type: str
    body: bytes
    policy: str = _POLICY


class BadQuery(Exception):
    """A query that makes no sense; the text says why."""


type Route = Callable[[Query], Reply]


@dataclass(slots=True)
class Site:
    """By path after the token, the function that answers it."""

    routes: dict[str, Route] = field(default_factory=dict)
    token: str = field(default_factory=lambda: secrets.token_urlsafe(16))


class _Handler(BaseHTTPRequestHandler):
    """Answers GET for the exact host, below the token, from the table; refuses the rest."""

    server: "Server"
    protocol_version = "HTTP/1.1"
    timeout = 60
    # An answer is one write: a header that waits for an acknowledgement costs 40 ms.
    wbufsize = 1 << 16
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        if self.headers.get_all("Host") != [f"{HOST}:{self.server.server_port}"]:
            return self._refuse(HTTPStatus.FORBIDDEN, _OTHER_HOST)
        if self.headers.get("Sec-Fetch-Site") == "cross-site":
            return self._refuse(HTTPStatus.FORBIDDEN)
        address = urlsplit(self.path)
        _, token, *names = address.path.split("/")
        if not hmac.compare_digest(token.encode(), self.server.site.token.encode()):
            return self._refuse(HTTPStatus.NOT_FOUND, _NO_KEY)
        route = self.server.site.routes.get("/".join(names)) if names else None
        if route is None:
            return self._refuse(HTTPStatus.NOT_FOUND, _NO_PAGE)
        try:
            reply = route(dict(parse_qsl(address.query)))
        except BadQuery as error:
            return self._refuse(HTTPStatus.BAD_REQUEST, str(error))
        except Exception as error:  # a bug: the page and the terminal show it
            print(f"tracer: page: {error!r}", file=sys.stderr)
            return self._refuse(HTTPStatus.INTERNAL_SERVER_ERROR, repr(error))
        return self._answer(HTTPStatus.OK, reply)

    def _refuse_method(self) -> None:
        self.close_connection = True  # the body, if any, is not read
        self._refuse(HTTPStatus.METHOD_NOT_ALLOWED)

    do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = _refuse_method
    do_TRACE = do_CONNECT = _refuse_method

    def _refuse(self, status: HTTPStatus, why: str = "") -> None:
        self._answer(
            status, Reply("text/plain; charset=utf-8", (why or status.phrase).encode())
        )

    def _answer(self, status: HTTPStatus, reply: Reply) -> None:
        self.send_response(status)
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        if status is HTTPStatus.METHOD_NOT_ALLOWED:
            self.send_header("Allow", "GET")
        self.send_header("Content-Security-Policy", reply.policy)
        self.send_header("Content-Type", reply.type)
        self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(reply.body)

    @override
    def version_string(self) -> str:
        return "tracer"

    @override
    def log_message(self, format: str, *args: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    """Serves a site on 127.0.0.1 until `shutdown`; port 0 takes a free one."""

    daemon_threads = True
    request_queue_size = 64  # a browser opens several connections at once

    def __init__(self, site: Site, port: int = 0) -> None:
        self.site = site
        super().__init__((HOST, port), _Handler)

    @property
    def address(self) -> str:
        return f"http://{HOST}:{self.server_port}/{self.site.token}/"

    @override
    def handle_error(self, request: object, client_address: object) -> None:
        error = sys.exception()
        if not isinstance(error, ConnectionError | TimeoutError):
            print(f"tracer: page: {error!r}", file=sys.stderr)


@contextmanager
def served(server: Server) -> Iterator[Callable[[], None]]:
    """Serves in its own threads; yields a function that waits until interrupted."""
    thread = threading.Thread(target=server.serve_forever, name="page", daemon=True)
    thread.start()
    try:
        yield thread.join
    finally:
        server.shutdown()
        server.server_close()
