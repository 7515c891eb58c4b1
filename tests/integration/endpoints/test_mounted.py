"""The endpoints inside web applications, called as a server would call them."""

import asyncio
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import tracer
from tracer import _core
from tracer.integrations import asgi, asking, wsgi
from tracer.live import listening


@pytest.fixture(autouse=True)
def recorded(tmp_path: Path) -> Iterator[None]:
    tracer.start(tmp_path / "x.pftrace", without=("sched", "cpu"))
    yield
    tracer.stop()
    listening.stop(_core)


HERE = {"host": "localhost:8000"}


async def asked(
    app: asgi.Endpoints,
    path: str,
    query: bytes = b"",
    client: str = "127.0.0.1",
    headers: dict[str, str] | None = None,
) -> tuple[int, bytes]:
    """What an ASGI application sends."""
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": path, "query_string": query}
    pairs = [
        (name.encode(), value.encode()) for name, value in (HERE | (headers or {})).items()
    ]
    await app(scope | {"client": (client, 1), "headers": pairs}, receive, send)
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent[1:])


# By way of a proxy, by another name, by the page of another site.
OTHERS = (
    {"x-forwarded-for": "192.0.2.1"},
    {"host": "app.example"},
    {"host": "evil.example:8000"},
    {"origin": "https://evil.example"},
    {"sec-fetch-site": "cross-site"},
)


async def inner(_scope: dict[str, Any], _receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"the application"})


def test_asgi() -> None:
    """The endpoints, for this machine unless said otherwise; the rest is the application's."""
    app = asgi.Endpoints(inner)
    path = "/debug/pprof/goroutine"

    async def ask() -> None:
        assert await asked(app, "/") == (200, b"the application")
        assert await asked(app, "/debug/pproful") == (200, b"the application")
        status, body = await asked(app, path, b"debug=1")
        assert (status, body[:24]) == (200, b"goroutine profile: total")
        assert (await asked(app, "/debug/pprof/nope"))[0] == 404
        assert (await asked(app, path, client="192.0.2.1"))[0] == 403
        for headers in OTHERS:
            assert (await asked(app, path, headers=headers))[0] == 403, headers
        open_ = asgi.Endpoints(inner, lambda scope: scope["path"] == path)
        assert (await asked(open_, path, b"debug=1", client="192.0.2.1"))[0] == 200
        assert (await asked(open_, path, headers=OTHERS[3]))[0] == 403

    asyncio.run(ask())


def test_wsgi() -> None:
    """The same."""

    def plain(_environ: dict[str, Any], start: Any) -> list[bytes]:
        start("200 OK", [])
        return [b"the application"]

    app = wsgi.Endpoints(plain)

    def ask(path: str, query: str = "", client: str = "127.0.0.1") -> tuple[str, bytes]:
        told: list[str] = []
        environ = {
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": "GET",
            "REMOTE_ADDR": client,
            "HTTP_HOST": "127.0.0.1:8000",
            "wsgi.input": io.BytesIO(),
        }
        body = b"".join(app(environ, lambda status, _headers: told.append(status)))
        return told[0], body

    assert ask("/x") == ("200 OK", b"the application")
    assert ask("/debug/pprof/cmdline")[0] == "200 OK"
    assert ask("/debug/pprof")[0] == "301 Moved Permanently"
    assert ask("/debug/pprof/", client="192.0.2.1")[0] == "403 Forbidden"


def test_the_answering_process_dies() -> None:
    """One request fails with a sentence; the next one starts another process."""
    assert asking.answer("GET", "/debug/pprof/cmdline", "", b"")[0] == 200
    listening.stop(_core)
    assert asking.answer("GET", "/debug/pprof/cmdline", "", b"")[0] == 200
    _core.kept["mounted"] = ("127.0.0.1:1", "x", _core.kept["listening"])
    assert asking.answer("GET", "/debug/pprof/cmdline", "", b"")[0] == 500
    assert asking.answer("GET", "/debug/pprof/cmdline", "", b"")[0] == 200
