"""How a recording ended, as far as the trace and its file show."""

import errno

import pytest

from tests.support.builder.family import Family
from tests.support.builder.trace import TraceBuilder
from tracer import schema as s
from viewer.analysis.endings import End, How, end_of
from viewer.analysis.health import health
from viewer.trace.model import build_model
from viewer.trace.processes import Process
from viewer.trace.reader import read_trace

MS = 1_000_000


@pytest.fixture
def process(tmp_path):
    """The process of a trace with these instants of the tracer's track."""

    def process(*instants: tuple[str, dict[str, int | str]]) -> Process:
        trace = TraceBuilder(pid=42)
        for at, (name, args) in enumerate(instants, 1):
            trace.instant(trace.tracer, at * MS, name, s.CAT_TRACER, **args)
        path = tmp_path / "x.pftrace"
        path.write_bytes(trace.data())
        return read_trace(path).processes[0]

    return process


ENDED = (s.RECORDING_ENDED, {"events": 1})
EXEC = (s.EXEC, {"path": "/bin/true"})
FAILED: tuple[str, dict[str, int | str]] = (s.EXEC_FAILED, {})
NOTE = (s.NOTE, {"reason": "x"})
REPLACED = (
    "the program (pid 42) became /bin/true (exec): what it did from then on is not recorded."
)
UNKNOWN = (
    "the recording of pid 42 has no end: a signal (SIGTERM without a handler, SIGKILL) or a "
    "crash ended the program (up to the last 250 ms are missing), or the file was cut off: by "
    "hand, by a copy made too early, by a full disk."
)


@pytest.mark.parametrize(
    ("instants", "live", "how", "text"),
    [
        ([ENDED], False, How.ENDED, ""),
        ([ENDED], True, How.ENDED, ""),
        ([NOTE], False, How.UNKNOWN, UNKNOWN),
        ([NOTE], True, How.LIVE, "pid 42 is still being recorded: more will follow."),
        ([EXEC], False, How.REPLACED, REPLACED),
        ([EXEC, FAILED], False, How.UNKNOWN, UNKNOWN),
        ([EXEC, FAILED, EXEC], False, How.REPLACED, REPLACED),
        ([EXEC, FAILED, ENDED], False, How.ENDED, ""),
    ],
)
def test_ends(process, instants, live, how, text) -> None:
    assert end_of(process(*instants), live) == End(42, how, text)


def cut(error: int, reason: str, **known: int) -> tuple[str, dict[str, int | str]]:
    return s.RECORDING_CUT, {"errno": error, "reason": reason, **known}


@pytest.mark.parametrize(
    ("error", "reason", "by"),
    [
        (errno.ENOSPC, "No space left on device", "by a full disk (No space left on device)"),
        (errno.EDQUOT, "Disk quota exceeded", "by a full disk (Disk quota exceeded)"),
        (errno.EFBIG, "File too large", "by the limit on file sizes (File too large)"),
        (errno.EIO, "Input/output error", "(Input/output error)"),
    ],
)
def test_cut(process, error, reason, by) -> None:
    """By what; how much is missing when the recording could say so in the end."""
    dead = process(cut(error, reason))
    assert end_of(dead, False) == End(
        42, How.CUT, f"the file was cut {by}: what the program (pid 42) did then is missing."
    )
    assert end_of(dead, True) == End(
        42, How.CUT, f"the file was cut {by}: what the program (pid 42) does now is missing."
    )
    until_ns = dead.end_ns + 250 * MS
    whole = process(cut(error, reason, count=1_234, until_ns=until_ns))
    text = f"the file was cut {by}: the last 250 ms (1,234 events) are missing."
    assert end_of(whole, False) == End(42, How.CUT, text, 250 * MS, 1_234)


@pytest.mark.parametrize(
    ("lived_ms", "said"),
    [
        pytest.param(40, 0, id="it was forked for that"),
        pytest.param(4_000, 1, id="it did something before"),
    ],
)
def test_a_child_that_becomes_another_program(tmp_path, lived_ms, said) -> None:
    """gevent's subprocess forks in Python: nothing is missed of what it starts."""
    family = Family("/app/service.py")
    main = family.first.thread("MainThread", 100).running(0)
    child = family.fork(main, 100 * MS, 200)
    at = (100 + lived_ms) * MS
    child.instant(child.tracer, at, s.EXEC, s.CAT_TRACER, path="/usr/bin/uname")
    main.end(5_000 * MS)
    family.first.ended(5_000 * MS)
    found = health(build_model(read_trace(family.write(tmp_path))))
    assert sum("became" in end.text for end in found.ends) == said
