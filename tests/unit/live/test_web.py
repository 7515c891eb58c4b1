"""Which targets are addresses over HTTP, and what is asked there."""

import http.server
import threading
from collections.abc import Iterator

import pytest

from tracer.errors import TracerError
from tracer.live import web
from tracer.live.client import NotLiveError


@pytest.mark.parametrize(
    ("target", "address", "token"),
    [
        ("127.0.0.1:6060", "http://127.0.0.1:6060", "from the environment"),
        (":6060", "http://127.0.0.1:6060", "from the environment"),
        ("[::1]:6060", "http://[::1]:6060", "from the environment"),
        ("http://localhost:1/debug/pprof/", "http://localhost:1", "from the environment"),
        ("https://any:a%2Fb@host/app/debug/tracer", "https://host/app", "a/b"),
        ("HTTP://host/app/", "http://host/app", "from the environment"),
    ],
)
def test_addresses(
    monkeypatch: pytest.MonkeyPatch, target: str, address: str, token: str
) -> None:
    monkeypatch.setenv("TRACER_TOKEN", "from the environment")
    site = web.site_of(target)
    assert site is not None
    assert (site.address, site.token) == (address, token)


@pytest.mark.parametrize("target", ["4711", "/run/4711.sock", "./a:6060", "host", "ftp://a/b"])
def test_no_addresses(target: str) -> None:
    assert web.site_of(target) is None


@pytest.mark.parametrize("target", ["http://", "http:///x", "http://ä", "http://a\nb/c d"])
def test_addresses_that_cannot_be_asked(target: str) -> None:
    with pytest.raises(NotLiveError):
        web.counters(web.site_of(target) or web.Site("http", "", "", ""))


class Answers(http.server.BaseHTTPRequestHandler):
    """Answers with the status and body of its server; notes what was asked."""

    said = (200, b"")
    asked: tuple[str, str | None] = ("", None)

    def do_GET(self) -> None:
        type(self).asked = (self.path, self.headers["authorization"])
        self.send_response(self.said[0])
        self.end_headers()
        self.wfile.write(self.said[1])

    def log_message(self, *_words: object) -> None: ...


@pytest.fixture
def port() -> Iterator[int]:
    with http.server.HTTPServer(("127.0.0.1", 0), Answers) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        yield server.server_port
        server.shutdown()
        serving.join()


def counters(port: int, token: str = "") -> object:
    return web.counters(web.Site("http", f"127.0.0.1:{port}", "/app", token))


def test_counters(port: int) -> None:
    Answers.said = (200, b'{"now_ns": 1}')
    assert counters(port) == {"now_ns": 1}
    assert Answers.asked == ("/app/debug/tracer/counters", None)
    counters(port, "secret")
    assert Answers.asked[1] == "Bearer secret"


@pytest.mark.parametrize(
    ("status", "body", "sentence"),
    [
        (200, b"<html>", "is not a tracer recording."),
        (200, b"[1]", "is not a tracer recording."),
        (404, b"no such page", "is not a tracer recording, or an older one (HTTP 404)."),
        (302, b"", "is not a tracer recording, or an older one (HTTP 302)."),
        (500, b"\x1b[2J", "is not a tracer recording, or an older one (HTTP 500)."),
        (401, b"A token is needed", "needs its token: set TRACER_TOKEN."),
        (503, b"Nothing is recorded.\n", "refused: Nothing is recorded."),
    ],
)
def test_refusals(port: int, status: int, body: bytes, sentence: str) -> None:
    """One sentence, without what a terminal would obey, and without the token."""
    Answers.said = (status, body)
    with pytest.raises(TracerError) as refused:
        counters(port, "secret")
    assert str(refused.value) == f"http://127.0.0.1:{port}/app {sentence}"


def test_nobody_listens(port: int) -> None:
    with pytest.raises(NotLiveError, match=r"cannot ask http://127\.0\.0\.1:1: "):
        web.counters(web.Site("http", "127.0.0.1:1", "", ""))
    assert port
