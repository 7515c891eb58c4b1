"""Answers of HTTP that are errors are recorded, at the line of the program that asked."""

import asyncio
import http.client
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.support.recordings import record_here
from tests.support.validator.strict import read_strict
from tracer import schema as s

pytestmark = pytest.mark.skipif(
    hasattr(sys, "_is_gil_enabled") and not sys._is_gil_enabled(),
    reason="not where threads run without a GIL",
)

STATUSES = (200, 404, 304, 503, 429)


class Handler(BaseHTTPRequestHandler):
    """Answers as it is asked to."""

    def do_GET(self) -> None:
        self.send_response(int(self.path.strip("/")))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def port() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    yield server.server_port
    server.shutdown()
    serving.join()
    server.server_close()


def standard(port: int) -> None:
    for status in STATUSES:
        connection = http.client.HTTPConnection("127.0.0.1", port)
        connection.request("GET", f"/{status}")
        assert connection.getresponse().status == status
        connection.close()


def with_httpx(port: int) -> None:
    httpx = pytest.importorskip("httpx")
    with httpx.Client(trust_env=False) as client:
        for status in STATUSES:
            assert client.get(f"http://127.0.0.1:{port}/{status}").status_code == status


def with_aiohttp(port: int) -> None:
    aiohttp = pytest.importorskip("aiohttp")

    async def ask() -> None:
        async with aiohttp.ClientSession() as session:
            for status in STATUSES:
                async with session.get(f"http://127.0.0.1:{port}/{status}") as answer:
                    assert answer.status == status

    asyncio.run(ask())


@pytest.mark.parametrize("ask", [standard, with_httpx, with_aiohttp])
def test_errors_are_told(ask: Callable[[int], None], port: int, tmp_path: Path) -> None:
    """What went well, or is elsewhere, is not."""
    record_here(lambda: ask(port), tmp_path / "t.pftrace")
    trace = read_strict((tmp_path / "t.pftrace").read_bytes())
    found = [dict(event.args) for event in trace.events if event.name == s.ERROR_RESPONSE]
    assert [one[s.ARG_STATUS] for one in found] == [404, 503, 429]
    assert all(f"{__file__}:" in str(one[s.ARG_STACK]) for one in found)
