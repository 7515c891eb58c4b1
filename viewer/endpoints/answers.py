"""What is answered: Go's /debug/pprof/ with its parameters, status codes and headers."""

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from threading import Lock
from typing import Any, Protocol

from tracer.errors import TracerError
from viewer.endpoints.demands import Busy, NotDone, Recorded
from viewer.endpoints.derive import Deriver, NotDerived, Order
from viewer.endpoints.index import NAMED, PAGE, PPROF, index
from viewer.endpoints.limits import LONGEST_S, PROFILE_S, SYMBOLS, TRACE_S
from viewer.endpoints.request import Refusal, Request

_TEXT = "text/plain; charset=utf-8"
_BINARY = "application/octet-stream"
_GO = {"X-Go-Pprof": "1"}  # `go tool pprof` shows an error's text if this is there
_GET, _GET_POST = ("GET",), ("GET", "POST")
# What is recorded for an answer while the program records nothing by itself.
_WAITS = "tasks,threads,gil,locks,io"
_ALL = "tasks,threads,gc,gil,locks,io,sched,cpu"
_DEMANDED = {
    "allocs": "heap",
    "block": _WAITS,
    "cpu": "cpu,threads",
    "goroutine": _WAITS,
    "heap": "heap",
    "mutex": _WAITS,
    "threadcreate": "threads,tasks",
    "trace": _ALL,
    "page": _ALL,
}
# Go's words for the two that cannot be made twice at once: what does not begin, and why.
_GO_STARTS = {
    "cpu": ("Could not enable CPU profiling", "cpu profiling already in use"),
    "trace": ("Could not enable tracing", "tracing is already enabled"),
}
_SETTLE_S = 0.25  # until what has just happened is in the recording
_ADDRESS = re.compile(r"^#\t(0x[0-9a-f]+)\t(.+)\+0x0\t", re.MULTILINE)
_DECIMAL = re.compile(r"[+-]?(\d{1,18}(\.\d{0,18})?|\.\d{1,18})([eE][+-]?\d{1,3})?", re.ASCII)
_WORD = re.compile(r"0x[0-9a-fA-F]{1,16}")
_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


@dataclass(frozen=True, slots=True)
class Answer:
    body: bytes
    type: str
    status: HTTPStatus = HTTPStatus.OK
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Program:
    """The program that is asked about. `recording` is the file; "": nothing is recorded."""

    pid: int
    argv: tuple[str, ...]
    recording: str = ""
    refresh: Callable[[], object] = lambda: None  # looks what is recorded by now


@dataclass(frozen=True, slots=True)
class Recorder:
    """What the program's recorder tells by itself. `ask` raises TracerError."""

    ask: Callable[[str], Mapping[str, Any]]
    metrics: Callable[[Mapping[str, Any]], str]


class Asks(Protocol):
    """What the program does on demand: see Demands."""

    def collect(self) -> None: ...

    def recording(self, seconds: float, signals: str) -> AbstractContextManager[Recorded]: ...


type Route = Callable[[Request], Answer]


class Endpoints:
    """By path its methods and its answer."""

    def __init__(
        self,
        program: Program,
        recorder: Recorder,
        demands: Asks,
        derive: Callable[[Order], bytes] | None = None,
        sleep: Callable[[float], None] | None = None,
    ) -> None:
        self._program, self._recorder, self._demands = program, recorder, demands
        self._derive = derive or Deriver().derived
        self._sleep = sleep
        self._busy: set[str] = set()
        self._guard = Lock()
        self._symbols: dict[int, str] = {}
        self.routes: dict[str, tuple[tuple[str, ...], Route]] = {
            PPROF: (_GET, self._index),
            PPROF[:-1]: (_GET, lambda _: _moved(PPROF)),
            PPROF + "profile": (_GET, self._profile),
            PPROF + "trace": (_GET, self._trace),
            PPROF + "cmdline": (_GET, self._cmdline),
            PPROF + "symbol": (_GET_POST, self._symbol),
            "/metrics": (_GET, self._metrics),
            PAGE + "metrics": (_GET, self._metrics),
            PAGE + "counters": (_GET, self._counters),
            PAGE: (_GET, self._page),
            PAGE[:-1]: (_GET, lambda _: _moved(PAGE)),
        }
        for name in NAMED:
            self.routes[PPROF + name] = (_GET, self._named_as(name))

    def methods(self, path: str) -> tuple[str, ...]:
        """What may be asked there."""
        return self.routes[path][0] if path in self.routes else _GET

    def answer(self, request: Request) -> Answer:
        """The answer. Raises Refusal."""
        self._program.refresh()
        found = self.routes.get(request.path)
        if found is None:
            unknown = (
                "Unknown profile" if request.path.startswith(PPROF) else "Nothing is here"
            )
            raise Refusal(HTTPStatus.NOT_FOUND, f"{unknown}. See {PPROF}", **_go_headers())
        return found[1](request)

    # Go's

    def _profile(self, request: Request) -> Answer:
        seconds = _seconds(_integer(request.query.get("seconds", "")), PROFILE_S)
        with self._alone("cpu"):
            return _file("profile", self._during(request, seconds, "profile", "cpu"))

    def _trace(self, request: Request) -> Answer:
        seconds = _seconds(_number(request.query.get("seconds", "")), TRACE_S)
        with self._alone("trace"):
            return _file("trace", self._during(request, seconds, "trace", "trace"))

    def _during(self, request: Request, seconds: float, what: str, type_: str) -> bytes:
        """Made from the next seconds, which are recorded for it if nothing is."""
        if not self._program.recording:
            with self._demanded(seconds, type_) as recorded:
                since = time.monotonic_ns()
                self._wait(request, seconds)
                until = time.monotonic_ns()
                order = self._order(what, type_, since, until, trace=recorded.trace())
                return self._derived(replace(order, is_delta=True))
        if what == "trace":
            self._begin_segment()
        since = time.monotonic_ns()
        self._wait(request, seconds)
        until = time.monotonic_ns()
        order = self._order(what, type_, since, until, marked=self._marked(request))
        return self._derived(replace(order, is_delta=True))

    def _named_as(self, name: str) -> Route:
        return lambda request: self._named(name, request)

    def _named(self, name: str, request: Request) -> Answer:
        debug = _integer(request.query.get("debug", ""))
        if "seconds" in request.query:
            return self._delta(name, request, debug)
        what = "profile" if not debug else "text"
        if debug >= 2 and name == "goroutine":
            what = "goroutines"
        with self._alone(name):
            if self._program.recording:
                body = self._so_far(request, what, name)
            elif name == "goroutine":
                body = self._at_once(request, what, name)
            else:
                raise _go_refusal(
                    HTTPStatus.CONFLICT,
                    "Nothing is recorded, so nothing is known of what was before. "
                    f"{PPROF}{name}?seconds=10 shows what happens in ten seconds.",
                )
        if what == "text":
            self._remember(body)
        return Answer(body, _TEXT) if debug else _file(name, body)

    def _so_far(self, request: Request, what: str, name: str) -> bytes:
        if name == "heap" and _integer(request.query.get("gc", "")) > 0:
            with _told():
                self._demands.collect()
        until = time.monotonic_ns()
        return self._derived(self._order(what, name, 0, until, marked=self._marked(request)))

    def _at_once(self, request: Request, what: str, name: str) -> bytes:
        """Made from a recording of a moment."""
        with self._demanded(_SETTLE_S, name) as recorded:
            since = time.monotonic_ns()
            self._wait(request, _SETTLE_S)
            trace = recorded.trace()
            until = time.monotonic_ns()
            return self._derived(self._order(what, name, 0, until, trace=trace, marked=since))

    def _delta(self, name: str, request: Request, debug: int) -> Answer:
        seconds = _integer(request.query["seconds"])
        if seconds <= 0:
            raise _bad("seconds must be a whole number above 0.")
        if debug:
            raise _bad("seconds and debug cannot be used together.")
        _check_length(seconds)
        with self._alone(name):
            return _file(f"{name}-delta", self._during(request, seconds, "profile", name))

    def _cmdline(self, _request: Request) -> Answer:
        return Answer("\0".join(self._program.argv).encode(), _TEXT)

    def _symbol(self, request: Request) -> Answer:
        asked = request.body if request.method == "POST" else request.raw_query.encode()
        lines = ["num_symbols: 1"]
        for word in _WORD.findall(asked.decode("ascii", "replace")):
            name = self._symbols.get(int(word, 16))
            if name is not None:
                lines.append(f"{word} {name}")
        return Answer(("\n".join(lines) + "\n").encode(), _TEXT)

    def _remember(self, body: bytes) -> None:
        for address, name in _ADDRESS.findall(body.decode()):
            if len(self._symbols) < SYMBOLS:
                self._symbols[int(address, 16)] = name

    def _index(self, _request: Request) -> Answer:
        return Answer(
            index(self._program.argv, self._program.pid).encode(),
            "text/html; charset=utf-8",
            headers={"Content-Security-Policy": _POLICY},
        )

    # Ours

    def _begin_segment(self) -> None:
        """So that the trace does not begin seconds before, with the ring's last segment. If
        there is no ring, or too many were asked for, it begins there."""
        with suppress(TracerError):
            self._recorder.ask("segment")

    def _marked(self, request: Request) -> int:
        """Has the recorder note where all threads are, and name the stacks that have no names
        yet, for which it takes the GIL: after which time. 0 if it cannot, after a moment."""
        asked = time.monotonic_ns()
        try:
            self._recorder.ask("stacks")
        except TracerError:
            self._wait(request, _SETTLE_S)
            return 0
        return asked

    def _metrics(self, _request: Request) -> Answer:
        text = self._recorder.metrics(self._asked_counters())
        return Answer(text.encode(), "text/plain; version=0.0.4; charset=utf-8")

    def _counters(self, _request: Request) -> Answer:
        """For `tracer top ADDRESS`."""
        return Answer(json.dumps(self._asked_counters()).encode(), "application/json")

    def _asked_counters(self) -> Mapping[str, Any]:
        try:
            return self._recorder.ask("metrics")
        except TracerError as error:
            raise Refusal(HTTPStatus.SERVICE_UNAVAILABLE, str(error)) from None

    def _page(self, request: Request) -> Answer:
        with self._alone("page"):
            if self._program.recording:
                body = self._derived(self._order("page", "", 0, 0))
            else:
                body = self._during(request, TRACE_S, "page", "page")
        return Answer(
            body, "text/html; charset=utf-8", headers={"Content-Security-Policy": _POLICY}
        )

    def _wait(self, request: Request, seconds: float) -> None:
        """Raises ConnectionError when nobody waits for the answer any more."""
        (self._sleep or request.wait)(seconds)

    @contextmanager
    def _demanded(self, seconds: float, type_: str) -> Iterator[Recorded]:
        with _told(type_), self._demands.recording(seconds, _DEMANDED[type_]) as recorded:
            yield recorded

    def _order(
        self,
        what: str,
        type_: str,
        since: int,
        until: int,
        *,
        trace: str = "",
        marked: int = 0,
    ) -> Order:
        trace = trace or self._program.recording
        if not trace:
            raise _failed("The recording has ended. Ask again.")
        pid = self._program.pid
        return Order(what, trace, type_, since, until, pid=pid, marked_ns=marked)

    def _derived(self, order: Order) -> bytes:
        try:
            return self._derive(order)
        except NotDerived as error:
            raise _failed(str(error)) from None

    @contextmanager
    def _alone(self, kind: str) -> Iterator[None]:
        """Only one of a kind at a time."""
        with self._guard:
            if kind in self._busy:
                other = f"Another {kind} is being made. Ask again when it is ready."
                raise _failed(": ".join(_GO_STARTS.get(kind, (other,))))
            self._busy.add(kind)
        try:
            yield
        finally:
            with self._guard:
                self._busy.discard(kind)


def _go_headers() -> dict[str, str]:
    return {name.replace("-", "_"): value for name, value in _GO.items()}


def _go_refusal(status: HTTPStatus, text: str, **headers: str) -> Refusal:
    return Refusal(status, text, **_go_headers(), **headers)


def _bad(text: str) -> Refusal:
    return _go_refusal(HTTPStatus.BAD_REQUEST, text)


def _failed(text: str) -> Refusal:
    return _go_refusal(HTTPStatus.INTERNAL_SERVER_ERROR, text)


@contextmanager
def _told(type_: str = "") -> Iterator[None]:
    """What the program did not do is an error of the server's, or there is a time for it."""
    try:
        yield
    except Busy as error:
        status, text = HTTPStatus.SERVICE_UNAVAILABLE, str(error)
        if type_ in _GO_STARTS:
            status, text = HTTPStatus.INTERNAL_SERVER_ERROR, f"{_GO_STARTS[type_][0]}: {error}"
        raise _go_refusal(status, text, Retry_After=str(error.seconds)) from None
    except NotDone as error:
        raise _failed(str(error)) from None


def _integer(text: str) -> int:
    """0 where it is no number, as in Go."""
    return int(text) if re.fullmatch(r"[+-]?\d{1,18}", text, re.ASCII) else 0


def _number(text: str) -> float:
    """The same with a fraction or an exponent, as Go takes it for a trace."""
    return float(text) if _DECIMAL.fullmatch(text) else 0.0


def _seconds[T: (int, float)](asked: T, default: T) -> T:
    seconds = asked if asked > 0 else default
    _check_length(seconds)
    return seconds


def _check_length(seconds: float) -> None:
    if seconds > LONGEST_S:
        raise _bad(f"seconds may be {LONGEST_S} at most.")


def _file(name: str, body: bytes) -> Answer:
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Answer(body, _BINARY, headers=headers)


def _moved(to: str) -> Answer:
    return Answer(b"", _TEXT, HTTPStatus.MOVED_PERMANENTLY, {"Location": to})
