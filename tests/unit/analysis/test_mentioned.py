"""Whether a trace names some code anywhere."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS
from viewer.analysis.states import may_be_called, mentioned
from viewer.trace.model import Model, build_model
from viewer.trace.reader import read_trace

STACKS = (
    "/app/é.py:12 fetch_2\n/app/main.py:3 <module>",
    "/app/é.py:13 fetch_7\n/app/main.py:3 <module>",
    "/usr/lib/python3.13/http2/client.py:40 Client.send\n/app/main.py:3 <module>",
)


@pytest.fixture
def model(tmp_path) -> Model:
    trace = TraceBuilder(signals=SIGNALS)
    main = trace.thread("MainThread", 100)
    for n, stack in enumerate(STACKS):
        main.io(n * MS, "socket.recv", site=stack.partition("\n")[0], stack=stack)
        main.native((n + 1) * MS - 1)
    main.end(len(STACKS) * MS)
    path = tmp_path / "x.pftrace"
    path.write_bytes(trace.data())
    return build_model(read_trace((path,)))


@pytest.mark.parametrize("part", ["fetch_2", " fetch_", "é.py", "/http2/client.py:", ".send"])
def test_what_lines_have(model, part):
    assert mentioned(model, "nowhere", part)


@pytest.mark.parametrize("part", ["fetch.2", "/http2/server.py:", "fetch_  "])
def test_what_no_line_has(model, part):
    assert not mentioned(model, part)


@pytest.mark.parametrize("part", ["fetch_", "end", "module"])
def test_what_functions_are_called(model, part):
    assert may_be_called(model, ("nowhere", part))


@pytest.mark.parametrize("part", ["client", "recv", "socket", "fetch.", "main"])
def test_what_no_function_is_called(model, part):
    """A file's name is none, nor is that of a call: `io: socket.recv`."""
    assert not may_be_called(model, (part,))
