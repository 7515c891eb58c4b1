"""Go's paths, parameters, status codes and headers; the derivations are stubs here."""

from collections.abc import Iterator

import pytest

from tests.support.asking import Asked, served
from tracer.errors import TracerError
from viewer.endpoints.answers import PPROF, Endpoints, Program, Recorder
from viewer.endpoints.derive import NotDerived, Order

NAMED = ("allocs", "block", "goroutine", "heap", "mutex", "threadcreate")


class Stub:
    """Notes what is asked for, and how long is slept."""

    def __init__(self) -> None:
        self.orders: list[Order] = []
        self.slept: list[float] = []
        self.body = b"body"
        self.problem = ""
        self.is_deaf = False

    def ask(self, word: str) -> dict[str, int]:
        """What the recorder answers."""
        if self.is_deaf:
            raise TracerError("nobody answers")
        return {"now_ns": 4711, "asked": len(word)}

    def derive(self, order: Order) -> bytes:
        self.orders.append(order)
        if self.problem:
            raise NotDerived(self.problem)
        return self.body


@pytest.fixture
def stub() -> Stub:
    return Stub()


@pytest.fixture
def asked(stub: Stub) -> Iterator[Asked]:
    program = Program(4711, ("app.py", "<b>"), "/tmp/x.pftrace")
    found = Endpoints(program, Recorder(stub.ask, str), stub.derive, stub.slept.append)
    with served(found, program) as server:
        yield server


@pytest.mark.parametrize("name", NAMED)
def test_named(asked: Asked, stub: Stub, name: str) -> None:
    """A profile to download; its text form; what changed in some seconds."""
    reply = asked.get(PPROF + name)
    assert (reply.status, reply.body) == (200, b"body")
    assert reply.headers["content-type"] == "application/octet-stream"
    assert reply.headers["content-disposition"] == f'attachment; filename="{name}"'
    assert stub.orders[-1].what == "profile"
    text = asked.get(f"{PPROF}{name}?debug=1")
    assert text.headers["content-type"] == "text/plain; charset=utf-8"
    assert "content-disposition" not in text.headers
    assert stub.orders[-1].what == "text"
    delta = asked.get(f"{PPROF}{name}?seconds=7")
    assert delta.headers["content-disposition"] == f'attachment; filename="{name}-delta"'
    order = stub.orders[-1]
    assert (order.type, order.is_delta, stub.slept[-1]) == (name, True, 7)
    assert 0 < order.from_ns <= order.until_ns


def test_goroutines_one_by_one(asked: Asked, stub: Stub) -> None:
    asked.get(PPROF + "goroutine?debug=2")
    asked.get(PPROF + "heap?debug=2")
    assert [order.what for order in stub.orders] == ["goroutines", "text"]


@pytest.mark.parametrize(
    ("query", "seconds"),
    [("", 30), ("?seconds=2", 2), ("?seconds=0", 30), ("?seconds=-1", 30), ("?seconds=x", 30)],
)
def test_profile(asked: Asked, stub: Stub, query: str, seconds: int) -> None:
    """As Go, 30 s where no number is given."""
    reply = asked.get(f"{PPROF}profile{query}")
    assert reply.headers["content-disposition"] == 'attachment; filename="profile"'
    assert (stub.orders[-1].type, stub.slept) == ("cpu", [seconds])


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("nope", 404),
        ("heap?seconds=0", 400),
        ("heap?seconds=-1", 400),
        ("heap?seconds=x", 400),
        ("heap?seconds=1&debug=1", 400),
    ],
)
def test_errors(asked: Asked, stub: Stub, path: str, status: int) -> None:
    """Plain text, and the header by which `go tool pprof` knows that the text is ours."""
    reply = asked.get(PPROF + path)
    assert (reply.status, stub.orders) == (status, [])
    assert reply.headers["content-type"] == "text/plain; charset=utf-8"
    assert reply.headers["x-go-pprof"] == "1"


def test_what_could_not_be_derived(asked: Asked, stub: Stub) -> None:
    """A failing or killed process is an error of the server, with a sentence, each time."""
    stub.problem = "The process that made the answer was ended by SIGKILL."
    for _ in range(2):
        reply = asked.get(PPROF + "heap")
        assert (reply.status, reply.body.decode().strip()) == (500, stub.problem)
    stub.problem = ""
    assert asked.get(PPROF + "heap").status == 200


def test_nothing_is_recorded(asked: Asked, stub: Stub) -> None:
    asked.program.recording = ""
    reply = asked.get(PPROF + "goroutine")
    assert (reply.status, reply.body, stub.orders) == (500, b"Nothing is recorded now.\n", [])


def test_a_bug(asked: Asked, stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    """An exception in the server is an answer, too."""
    monkeypatch.setattr(asked.endpoints, "_derive", lambda _order: 1 // 0)
    assert asked.get(PPROF + "heap").status == 500
    assert asked.get(PPROF + "cmdline").status == 200


def test_index(asked: Asked) -> None:
    """Every profile has a link; the program's words are no markup."""
    page = asked.get(PPROF).body.decode()
    for name in (*NAMED, "profile", "cmdline"):
        assert f'<a href="{name}' in page
    assert "&lt;b&gt;" in page
    assert "<b>" not in page
    moved = asked.get(PPROF[:-1])
    assert (moved.status, moved.headers["location"]) == (301, PPROF)


def test_cmdline(asked: Asked) -> None:
    assert asked.get(PPROF + "cmdline").body == b"app.py\0<b>"


def test_symbol(asked: Asked, stub: Stub) -> None:
    """Names of the addresses that text forms had."""
    stub.body = b"goroutine profile: total 1\n1 @ 0xab\n#\t0xab\tapp.main+0x0\t/app.py:3\n\n"
    asked.get(PPROF + "goroutine?debug=1")
    reply = asked.get(PPROF + "symbol", method="POST", body=b"0xab+0xcd")
    assert reply.body == b"num_symbols: 1\n0xab app.main\n"
    assert asked.get(PPROF + "symbol?0xab").body == reply.body


def test_goroutines_are_those_of_now(asked: Asked, stub: Stub) -> None:
    """The recorder notes where all threads are; if it cannot, they are those of the trace."""
    asked.get(PPROF + "goroutine?debug=2")
    stub.is_deaf = True
    asked.get(PPROF + "goroutine?debug=2")
    first, second = stub.orders
    assert (first.until_ns, first.pid) == (4711, 4711)
    assert second.until_ns != 4711


def test_trace(asked: Asked, stub: Stub) -> None:
    """Some seconds of a flight recording; of another one, a sentence."""
    assert asked.get(PPROF + "trace").status == 500
    asked.program.recording = "/tmp/1-2.ring"
    reply = asked.get(PPROF + "trace?seconds=3")
    assert reply.headers["content-disposition"] == 'attachment; filename="trace"'
    assert (stub.orders[-1].what, stub.slept[-1] // 1) == ("trace", 3)
    asked.get(PPROF + "trace")
    assert stub.slept[-1] // 1 == 1


def test_metrics(asked: Asked, stub: Stub) -> None:
    reply = asked.get("/metrics")
    assert reply.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert b"now_ns" in reply.body
    stub.is_deaf = True
    assert asked.get("/metrics").status == 503
