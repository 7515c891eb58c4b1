"""What is not answered: other sites, other machines, odd and slow requests, too many."""

import base64
import socket
import threading
from collections.abc import Iterator
from queue import SimpleQueue

import pytest

from tests.support.asking import Asked, reply_of, served
from viewer.endpoints import limits, serve
from viewer.endpoints.answers import Endpoints, Program, Recorder
from viewer.endpoints.demands import Demands
from viewer.endpoints.derive import Order
from viewer.endpoints.index import PPROF
from viewer.endpoints.request import Refusal, parse
from viewer.endpoints.rules import Rules, is_loopback

TOKEN = "correct-horse-battery"
PROGRAM = Program(4711, ("app.py", "--key", "***"), "/nowhere/x.pftrace")


RECORDER = Recorder(lambda _word: {"now_ns": 1}, str)
DEMANDS = Demands(lambda _line: None, SimpleQueue())  # nobody does what it asks for


def endpoints() -> Endpoints:
    return Endpoints(
        PROGRAM,
        RECORDER,
        DEMANDS,
        lambda order: b"made " + order.what.encode(),
        lambda _: None,
    )


@pytest.fixture
def asked() -> Iterator[Asked]:
    with served(endpoints(), PROGRAM) as found:
        yield found


@pytest.fixture
def guarded() -> Iterator[Asked]:
    with served(endpoints(), PROGRAM, TOKEN) as found:
        yield found


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:{port}",
        "127.0.0.1",
        "127.0.0.1:1",
        "127.0.0.1.evil:{port}",
    ],
)
def test_foreign_host(asked: Asked, host: str) -> None:
    """A name of another site that resolves to this machine (DNS rebinding)."""
    reply = asked.get(PPROF + "cmdline", f"Host: {host.format(port=asked.port)}")
    assert reply.status == 403
    assert b"app.py" not in reply.body


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "LocalHost", "[::1]"])
def test_own_hosts(asked: Asked, name: str) -> None:
    assert asked.get(PPROF + "cmdline", f"Host: {name}:{asked.port}").status == 200


def test_no_host_or_two(asked: Asked) -> None:
    line = f"GET {PPROF}cmdline HTTP/1.1\r\n"
    own = f"Host: {asked.host}\r\n"
    assert asked.raw(f"{line}\r\n".encode()).status == 403
    assert asked.raw(f"{line}{own}Host: evil.example\r\n\r\n".encode()).status == 403
    assert asked.raw(f"{line}{own}\r\n".encode()).status == 200


@pytest.mark.parametrize(
    "header",
    [
        "Sec-Fetch-Site: cross-site",
        "Sec-Fetch-Site: same-site",
        "Origin: https://evil.example",
        "Origin: null",
        "Origin: http://localhost:1",
    ],
)
def test_other_sites(asked: Asked, header: str) -> None:
    """A form, an image or a fetch of another site's page."""
    assert asked.get(PPROF + "cmdline", header).status == 403
    assert asked.get(PPROF + "symbol", header, method="POST", body=b"0x1").status == 403


def test_own_pages(asked: Asked) -> None:
    """The browser says of our own page that it is the same origin."""
    own = ("Sec-Fetch-Site: same-origin", f"Origin: http://{asked.host}")
    assert asked.get(PPROF + "cmdline", *own).status == 200
    assert asked.get(PPROF + "cmdline", "Sec-Fetch-Site: none").status == 200


@pytest.mark.parametrize(
    "method", ["HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH"]
)
def test_methods(asked: Asked, method: str) -> None:
    """Only GET, and POST for `symbol`."""
    reply = asked.get(PPROF + "goroutine", method=method)
    assert (reply.status, reply.headers["allow"]) == (405, "GET")


def test_symbol_is_posted(asked: Asked) -> None:
    reply = asked.get(PPROF + "symbol", method="POST", body=b"0x1+0x2")
    assert (reply.status, reply.body) == (200, b"num_symbols: 1\n")
    assert asked.get(PPROF + "symbol", method="PUT").headers["allow"] == "GET, POST"


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/debug/pprof/../../etc/passwd",
        "/debug/pprof/%2e%2e/%2e%2e/etc/passwd",
        "/debug/pprof//goroutine",
        "/debug/pprof/goroutine/",
        "/debug/pprof/Goroutine",
        "/debug/pprof/goroutine%00",
        "/debug/pprof/profile;x",
        "//evil.example/debug/pprof/",
        "/static/main.js",
    ],
)
def test_paths(asked: Asked, path: str) -> None:
    """Only the names of the table; none is a file."""
    assert asked.get(path).status == 404


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),  # TLS
        (b"GET http://evil.example/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"get / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 400),
        (b"GET /\nX: y HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\n folded: b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: \x00\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: b\nY: c\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: \xc3\xa4\r\n\r\n", 400),
        (b"GET /?" + b"a&" * 100 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 501),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9999999\r\n\r\n", 413),
        (b"GET /" + b"a" * (limits.HEAD_BYTES + 70_000), 431),
        (b"GET / HTTP/1.1\r\nX: " + b"a" * limits.HEAD_BYTES + b"\r\n\r\n", 431),
    ],
)
def test_odd_requests(asked: Asked, data: bytes, status: int) -> None:
    """Refused before anything looks at them; the server answers the next one."""
    assert asked.raw(data).status == status
    assert asked.get(PPROF).status == 200


def test_nothing_that_was_sent_comes_back(asked: Asked) -> None:
    """Neither in headers nor in a page."""
    sent = "x%0d%0aSet-Cookie:%20a=b<script>"
    for path in (f"{PPROF}{sent}", f"{PPROF}goroutine?seconds={sent}", f"{PPROF}?{sent}"):
        reply = asked.get(path)
        assert b"script>" not in reply.body
        assert "set-cookie" not in reply.headers
        assert reply.headers["x-content-type-options"] == "nosniff"


def test_a_slow_request(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told so when its time is over, and nobody waited for it."""
    monkeypatch.setattr(serve, "READ_S", 0.5)
    with asked.connect() as slow:
        slow.sendall(f"GET {PPROF} HTTP/1.1\r\n".encode())
        assert asked.get(PPROF).status == 200
        assert reply_of(slow).status == 408


def test_two_hundred_connections(asked: Asked) -> None:
    """So many are served at a time; the others are told to come back, and then can."""
    idle = [asked.connect() for _ in range(200)]
    try:
        told = [reply_of(one).status for one in idle[limits.CONNECTIONS :]]
        assert set(told) == {503}
    finally:
        for one in idle:
            one.close()
    while (status := asked.get(PPROF).status) == 503:  # until the server has seen them close
        pass
    assert status == 200


def test_only_one_of_a_kind() -> None:
    """The second is refused while the first is being made; other kinds are not."""
    begun, go_on = threading.Event(), threading.Event()

    def sleep(_seconds: float) -> None:
        begun.set()
        go_on.wait()

    def derive(order: Order) -> bytes:
        return order.type.encode()

    slow = Endpoints(PROGRAM, RECORDER, DEMANDS, derive, sleep)
    with served(slow, PROGRAM) as asked, asked.connect() as first:
        line = f"GET {PPROF}profile HTTP/1.1\r\nHost: {asked.host}\r\n\r\n"
        first.sendall(line.encode())
        begun.wait()
        second = asked.get(PPROF + "profile")
        assert second.status == 500
        assert second.headers["x-go-pprof"] == "1"
        assert asked.get(PPROF + "cmdline").status == 200
        go_on.set()
        assert reply_of(first).body == b"cpu"
        assert asked.get(PPROF + "profile").status == 200


@pytest.mark.parametrize("seconds", ["301", "1000000000", "99999999999999999"])
def test_too_many_seconds(asked: Asked, seconds: str) -> None:
    """Refused at once."""
    for name in ("profile", "heap", "trace", "goroutine"):
        assert asked.get(f"{PPROF}{name}?seconds={seconds}").status == 400


@pytest.mark.parametrize(
    "value",
    [
        f"Bearer {TOKEN}",
        f"bearer {TOKEN}",
        "Basic " + base64.b64encode(f"any:{TOKEN}".encode()).decode(),
    ],
)
def test_token(guarded: Asked, value: str) -> None:
    assert guarded.get(PPROF + "cmdline", f"Authorization: {value}").status == 200


@pytest.mark.parametrize(
    "headers",
    [
        (),
        ("Authorization: Bearer",),
        (f"Authorization: Bearer {TOKEN}x",),
        (f"Authorization: Bearer {TOKEN[:-1]}",),
        ("Authorization: Basic !!!",),
        ("Authorization: Basic " + base64.b64encode(b"\xff\xfe:a").decode(),),
        (f"Authorization: Bearer {TOKEN}", "Authorization: Bearer x"),
    ],
)
def test_wrong_token(guarded: Asked, headers: tuple[str, ...]) -> None:
    """It says how to bring it along, and never what it is."""
    reply = guarded.get(PPROF + "cmdline", *headers)
    assert reply.status == 401
    assert reply.headers["www-authenticate"].startswith("Basic ")
    assert TOKEN.encode() not in reply.body


def test_token_in_an_address(guarded: Asked) -> None:
    """Addresses end up in logs, so it does not count there."""
    assert guarded.get(f"{PPROF}cmdline?token={TOKEN}").status == 401


def test_rules_of_an_address() -> None:
    """Loopback: its names. Elsewhere: any name, with the token."""
    assert is_loopback("127.9.9.9")
    assert not is_loopback("0.0.0.0")
    rules = Rules.of("0.0.0.0", 6060, TOKEN)
    request = parse(
        b"GET / HTTP/1.1\r\nHost: app.example:80\r\nAuthorization: Bearer " + TOKEN.encode()
    )
    rules.check(request, ("GET",))
    with pytest.raises(Refusal):
        rules.check(parse(b"GET / HTTP/1.1\r\nHost: app.example:80"), ("GET",))


def test_whoever_does_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not taken is given up after its time; others are answered meanwhile."""
    monkeypatch.setattr(serve, "WRITE_S", 0.5)
    made = threading.Event()

    def derive(_order: Order) -> bytes:
        made.set()
        return b"x" * (64 << 20)

    large = Endpoints(PROGRAM, RECORDER, DEMANDS, derive, lambda _: None)
    with served(large, PROGRAM) as asked, asked.connect() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.sendall(f"GET {PPROF}heap HTTP/1.1\r\nHost: {asked.host}\r\n\r\n".encode())
        made.wait()
        assert asked.get(PPROF + "cmdline").status == 200
