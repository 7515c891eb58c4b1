"""Go's paths, parameters, status codes and headers; the derivations are stubs here."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.support.asking import Asked, served
from tracer.errors import TracerError
from viewer.endpoints.answers import Endpoints, Program, Recorder
from viewer.endpoints.demands import Busy, NotDone, Recorded
from viewer.endpoints.derive import NotDerived, Order
from viewer.endpoints.index import PPROF

NAMED = ("allocs", "block", "goroutine", "heap", "mutex", "threadcreate")


class Stub:
    """Notes what is asked for, and how long is slept."""

    def __init__(self) -> None:
        self.orders: list[Order] = []
        self.slept: list[float] = []
        self.body = b"body"
        self.problem = ""
        self.is_deaf = False
        self.collections = 0
        self.recorded: list[tuple[float, str]] = []
        self.refuses = ""
        self.busy_s = 0.0

    def collect(self) -> None:
        if self.refuses:
            raise NotDone(self.refuses)
        self.collections += 1

    @contextmanager
    def recording(self, seconds: float, signals: str) -> Iterator[Recorded]:
        """What the program records on demand."""
        if self.refuses:
            raise NotDone(self.refuses)
        if self.busy_s:
            raise Busy(self.busy_s)
        self.recorded.append((seconds, signals))
        yield Recorded("/tmp/part.pftrace", lambda _path: None)

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
    found = Endpoints(program, Recorder(stub.ask, str), stub, stub.derive, stub.slept.append)
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
    [("", 30), ("?seconds=2", 2), ("?seconds=%2B2", 2)]
    + [(f"?seconds={odd}", 30) for odd in ("0", "-1", "x", "1e9", "2.5", "")],
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


@pytest.mark.parametrize("path", ["heap", "allocs?debug=1", "block", "mutex", "threadcreate"])
def test_nothing_is_known_of_before(asked: Asked, stub: Stub, path: str) -> None:
    asked.program.recording = ""
    reply = asked.get(PPROF + path)
    assert (reply.status, stub.orders, stub.recorded) == (409, [], [])
    assert reply.headers["x-go-pprof"] == "1"
    assert reply.body.startswith(
        b"Nothing is recorded, so nothing is known of what was before."
    )


@pytest.mark.parametrize(
    ("path", "seconds", "signals", "what"),
    [
        ("pprof/profile?seconds=7", 7, "cpu,threads", "profile"),
        ("pprof/trace?seconds=0.5", 0.5, "tasks,threads,gc,gil,locks,io,sched,cpu", "trace"),
        ("pprof/heap?seconds=7", 7, "heap", "profile"),
        ("pprof/block?seconds=7", 7, "tasks,threads,gil,locks,io", "profile"),
        ("pprof/goroutine?debug=2", 0.25, "tasks,threads,gil,locks,io", "goroutines"),
        ("tracer/", 1, "tasks,threads,gc,gil,locks,io,sched,cpu", "page"),
    ],
)
def test_a_recording_on_demand(
    asked: Asked, stub: Stub, path: str, seconds: float, signals: str, what: str
) -> None:
    """Where nothing is recorded, what is asked for is, for its seconds. Where the program does
    not do it, that is an error with a sentence; so is another such recording, with the
    seconds until it may be ready, and Go's status and words for what Go has."""
    asked.program.recording = ""
    assert asked.get(f"/debug/{path}").status == 200
    assert stub.recorded == [(seconds, signals)]
    assert stub.slept == [seconds]
    assert (stub.orders[0].what, stub.orders[0].trace) == (what, "/tmp/part.pftrace")
    stub.refuses = "The program has begun a recording of its own."
    reply = asked.get(f"/debug/{path}")
    assert (reply.status, reply.body.decode().strip()) == (500, stub.refuses)
    assert reply.headers["x-go-pprof"] == "1"
    stub.refuses = ""
    stub.busy_s = 6.5
    reply = asked.get(f"/debug/{path}")
    words = {
        "profile": "Could not enable CPU profiling: ",
        "trace": "Could not enable tracing: ",
    }.get(path.partition("?")[0].removeprefix("pprof/"), "")
    assert (reply.status, reply.headers["retry-after"]) == (500 if words else 503, "7")
    told = f"{words}The program is being recorded for another request. Ask"
    assert reply.body.decode().startswith(told)
    assert reply.headers["x-go-pprof"] == "1"


def test_the_recording_ends_meanwhile(asked: Asked, stub: Stub) -> None:
    """A sentence instead of the seconds that are missing."""
    asked.program.recording = "/tmp/x.pftrace"
    asked.endpoints._sleep = lambda _: setattr(asked.program, "recording", "")
    reply = asked.get(PPROF + "profile?seconds=3")
    assert (reply.status, reply.body) == (500, b"The recording has ended. Ask again.\n")
    assert stub.orders == []


def test_garbage_is_collected_first(asked: Asked, stub: Stub) -> None:
    """As Go: for heap only, and not for what changes in some seconds."""
    for path in ("heap", "heap?gc=0", "heap?gc=x", "allocs?gc=1", "heap?gc=1&seconds=1"):
        assert asked.get(PPROF + path).status == 200
    assert stub.collections == 0
    for path in ("heap?gc=1", "heap?gc=2&debug=1"):
        assert asked.get(PPROF + path).status == 200
    assert stub.collections == 2
    stub.refuses = "The program did not do what was asked."
    reply = asked.get(PPROF + "heap?gc=1")
    assert (reply.status, reply.body.decode().strip()) == (500, stub.refuses)


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


@pytest.mark.parametrize("path", ["goroutine?debug=2", "heap", "block?seconds=1", "profile"])
def test_answers_reach_up_to_now(asked: Asked, stub: Stub, path: str) -> None:
    """The recorder notes where all threads are, and the answer is made when that is there. If
    it cannot, the answer is made a moment later."""
    asked.get(PPROF + path)
    stub.is_deaf = True
    slept = len(stub.slept)
    asked.get(PPROF + path)
    first, second = stub.orders
    assert first.until_ns <= first.marked_ns
    assert first.pid == 4711
    assert second.marked_ns == 0
    assert len(stub.slept) == 2 * slept + 1


@pytest.mark.parametrize(
    ("query", "seconds"),
    [("", 1), ("?seconds=3", 3), ("?seconds=0.25", 0.25), ("?seconds=2e1", 20)]
    + [(f"?seconds={odd}", 1) for odd in ("0", "-1", "x", "nan", "inf", "1e", "")],
)
def test_trace(asked: Asked, stub: Stub, query: str, seconds: float) -> None:
    """As Go, fractions too, and 1 s where no number is given."""
    reply = asked.get(f"{PPROF}trace{query}")
    assert reply.headers["content-disposition"] == 'attachment; filename="trace"'
    assert (stub.orders[-1].what, stub.slept[0]) == ("trace", seconds)


def test_metrics(asked: Asked, stub: Stub) -> None:
    reply = asked.get("/metrics")
    assert reply.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert b"now_ns" in reply.body
    assert asked.get("/debug/tracer/metrics").body == reply.body
    counters = asked.get("/debug/tracer/counters")
    assert counters.headers["content-type"] == "application/json"
    assert json.loads(counters.body) == {"now_ns": 4711, "asked": len("metrics")}
    stub.is_deaf = True
    for path in ("/metrics", "/debug/tracer/counters"):
        assert asked.get(path).status == 503
