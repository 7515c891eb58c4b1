"""The endpoints inside web applications, called as a server would call them."""

import asyncio
import io
import json
import os
import resource
import time
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
    more: tuple[tuple[str, str], ...] = (),
    version: str = "1.1",
    method: str = "GET",
    body: bytes = b"",
    goes: bool = False,
) -> tuple[int, bytes]:
    """What an ASGI application sends. If whoever asks `goes`, they are gone at once."""
    sent: list[dict[str, Any]] = []
    messages = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> dict[str, Any]:
        if messages:
            return messages.pop()
        if not goes:
            await asyncio.Event().wait()
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {"type": "http", "method": method, "path": path, "query_string": query}
    scope["http_version"] = version
    named = (*(HERE | (headers or {})).items(), *more)
    pairs = [(name.encode(), value.encode()) for name, value in named]
    await app(scope | {"client": (client, 1), "headers": pairs}, receive, send)
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent[1:])


# By way of a proxy, by another name, by the page of another site.
OTHERS = (
    {"x-forwarded-for": "192.0.2.1"},
    {"x-forwarded-host": "app.example"},
    {"via": "1.1 proxy"},
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
        assert (await asked(open_, path, headers=OTHERS[5]))[0] == 403

    asyncio.run(ask())


async def without_metrics(_scope: dict[str, Any], _receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 404, "headers": []})
    await send({"type": "http.response.body", "body": b"no such page"})


def test_metrics_in_asgi() -> None:
    """The application's, if it has them; who may not ask us never sees ours."""

    async def ask() -> None:
        has = asgi.Endpoints(inner)
        assert await asked(has, "/metrics") == (200, b"the application")
        has_not = asgi.Endpoints(without_metrics)
        status, body = await asked(has_not, "/metrics")
        assert (status, body[:29]) == (200, b"# HELP tracer_recording_info ")
        assert await asked(has_not, "/x") == (404, b"no such page")
        for refused in (
            await asked(has_not, "/metrics", client="192.0.2.1"),
            await asked(has_not, "/metrics", headers=OTHERS[0]),
            await asked(has_not, "/metrics", headers=OTHERS[5]),
            await asked(has_not, "/metrics", method="POST"),
        ):
            assert refused == (404, b"no such page")
        status, body = await asked(has, "/debug/tracer/counters")
        assert (status, json.loads(body)["pid"]) == (200, os.getpid())

    asyncio.run(ask())


ODD = (
    "/debug/pprof/x\r\nSet-Cookie: a=b",
    "/debug/pprof/cmdline HTTP/1.1\r\nHost: evil",
    "/debug/pprof/a b",
    "/debug/pprof/\x00",
    "/debug/pprof/ä",
)


def test_attacks_on_asgi() -> None:
    """Paths come decoded. None of these ends the process that answers."""
    app = asgi.Endpoints(inner)
    path = "/debug/pprof/cmdline"
    post = {"sec-fetch-site": "cross-site", "content-type": "text/plain"}

    async def ask() -> None:
        assert (await asked(app, path))[0] == 200
        process = _core.kept["listening"]
        for odd in ODD:
            assert (await asked(app, odd))[0] == 400, odd
        assert (await asked(app, path, b"a=\r\nX: y"))[0] == 400
        for traversal in ("/debug/pprof/../../etc/passwd", "/debug/tracer/../../x"):
            assert (await asked(app, traversal))[0] == 404
        assert (await asked(app, path, more=(("host", "evil.example"),)))[0] == 403
        assert (await asked(app, path, version="1.0"))[0] == 403
        symbol = "/debug/pprof/symbol"
        assert (await asked(app, symbol, method="POST", headers=post))[0] == 403
        assert (await asked(app, path, method="POST"))[0] == 405
        assert (await asked(app, path, method="G\r\nET"))[0] == 400
        large = await asked(app, symbol, method="POST", body=b"0x1+" * 100_000)
        assert large == (200, b"num_symbols: 1\n")
        for name in ("profile", "trace", "heap"):
            many = await asked(app, f"/debug/pprof/{name}", b"seconds=1000000000")
            assert many[0] == 400
        assert _core.kept["listening"] is process

    asyncio.run(ask())


def test_whoever_asks_goes_away() -> None:
    """The profile of 300 s ends, and another one can begin."""
    app = asgi.Endpoints(inner)
    path = "/debug/pprof/profile"

    async def ask() -> None:
        assert (await asked(app, path, b"seconds=300", goes=True))[0] == 500
        until = time.monotonic() + 120
        while (await asked(app, path, b"seconds=1"))[0] == 500:
            assert time.monotonic() < until  # the process that answers has not seen it yet

    asyncio.run(ask())


def test_wsgi() -> None:
    """The same."""

    def plain(_environ: dict[str, Any], start: Any) -> list[bytes]:
        start("200 OK", [])
        return [b"the application"]

    app = wsgi.Endpoints(plain)

    def ask(
        path: str, query: str = "", client: str = "127.0.0.1", **more: str
    ) -> tuple[str, bytes]:
        told: list[str] = []
        environ = {
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": "GET",
            "REMOTE_ADDR": client,
            "HTTP_HOST": "127.0.0.1:8000",
            "wsgi.input": io.BytesIO(),
            "SERVER_PROTOCOL": "HTTP/1.1",
        } | more
        body = b"".join(app(environ, lambda status, _headers: told.append(status)))
        return told[0], body

    assert ask("/x") == ("200 OK", b"the application")
    assert ask("/debug/pprof/cmdline")[0] == "200 OK"
    assert ask("/debug/pprof")[0] == "301 Moved Permanently"
    assert ask("/debug/pprof/", client="192.0.2.1")[0] == "403 Forbidden"
    for other in (
        {"HTTP_HOST": "evil.example"},
        {"HTTP_HOST": "localhost:8000,evil.example"},
        {"HTTP_ORIGIN": "null"},
        {"HTTP_SEC_FETCH_SITE": "same-site", "REQUEST_METHOD": "POST"},
        {"HTTP_X_FORWARDED_PROTO": "https"},
        {"SERVER_PROTOCOL": "HTTP/1.0"},
    ):
        assert ask("/debug/pprof/cmdline", **other)[0] == "403 Forbidden", other
    process = _core.kept["listening"]
    for odd in ODD:
        assert ask(odd)[0] == "400 Bad Request", odd
    long = {"REQUEST_METHOD": "POST", "CONTENT_LENGTH": "9" * 5000}
    assert ask("/debug/pprof/symbol", **long)[0] == "200 OK"
    assert _core.kept["listening"] is process


class Body(list[bytes]):
    """An application's; notes that it is closed."""

    is_closed = False

    def close(self) -> None:
        self.is_closed = True


@pytest.mark.parametrize("is_late", [False, True])
def test_metrics_in_wsgi(is_late: bool) -> None:
    """The same, whether the application says its status before it returns or after."""
    body = Body()

    def app(environ: dict[str, Any], start: Any) -> Any:
        def late() -> Iterator[bytes]:
            start(environ["status"], [])
            yield b"the application"

        if is_late:
            return late()
        body[:] = late()
        return body

    def ask(status: str, **more: str) -> tuple[list[str], bytes]:
        told: list[str] = []
        environ = {
            "PATH_INFO": "/metrics",
            "REQUEST_METHOD": "GET",
            "REMOTE_ADDR": "127.0.0.1",
            "HTTP_HOST": "127.0.0.1:8000",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "status": status,
        } | more
        answer = wsgi.Endpoints(app)(environ, lambda status, _headers: told.append(status))
        return told, b"".join(answer)

    assert ask("200 OK") == (["200 OK"], b"the application")
    told, answer = ask("404 Not Found")
    assert (told, answer[:29]) == (["200 OK"], b"# HELP tracer_recording_info ")
    assert body.is_closed is not is_late
    for other in ({"REMOTE_ADDR": "192.0.2.1"}, {"HTTP_VIA": "x"}, {"REQUEST_METHOD": "POST"}):
        assert ask("404 Not Found", **other) == (["404 Not Found"], b"the application"), other


def test_many_descriptors() -> None:
    """A program that has more than 1024 of them is answered, too."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = 4096 if before[1] == resource.RLIM_INFINITY else min(before[1], 4096)
    if most < 2048:
        pytest.skip("this machine allows too few descriptors")
    assert asking.answer("GET", "/debug/pprof/cmdline", "", b"")[0] == 200
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(most, before[0]), before[1]))
    opened = [os.open(os.devnull, os.O_RDONLY)]
    try:
        while opened[-1] < 1024:
            opened.append(os.dup(opened[0]))
        assert asking.answer("GET", "/debug/pprof/cmdline", "", b"")[0] == 200
    finally:
        for fd in opened:
            os.close(fd)
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_the_answering_process_dies() -> None:
    """One request fails with a sentence; the next one starts another process."""
    assert asking.answer("GET", "/debug/pprof/cmdline", "", b"")[0] == 200
    listening.stop(_core)
    assert asking.answer("GET", "/debug/pprof/cmdline", "", b"")[0] == 200
    _core.kept["mounted"] = ("127.0.0.1:1", "x", _core.kept["listening"])
    assert asking.answer("GET", "/debug/pprof/cmdline", "", b"")[0] == 500
    assert asking.answer("GET", "/debug/pprof/cmdline", "", b"")[0] == 200
