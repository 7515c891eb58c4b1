"""A finder that fails costs its own findings, not the rest; the last line says so."""

import io
import json

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS
from tracer.errors import FinderError
from viewer.analysis.findings.outside import onebyone
from viewer.commands.report import report
from viewer.commands.why import why
from viewer.server.answers import Answers
from viewer.trace.model import build_model
from viewer.trace.reader import read_trace


@pytest.fixture
def trace(tmp_path, monkeypatch):
    """One whose finder fails."""

    def fails(facts):
        raise ValueError("odd")
        yield

    monkeypatch.setattr(onebyone, "calls_one_by_one", fails)
    trace = TraceBuilder(argv="keep.py", signals=SIGNALS)
    store = "/app/keep.py:9 store"
    main = trace.thread("MainThread").native(0)
    for begin_ns in range(MS, 661 * MS, 22 * MS):
        main.io(begin_ns, "os.fsync", site=store, stack=store).native(begin_ns + 20 * MS)
    main.end(661 * MS)
    path = tmp_path / "x.pftrace"
    path.write_bytes(trace.ended(662 * MS).data())
    return path


def test_report(trace):
    out = io.StringIO()
    with pytest.raises(FinderError) as error:
        report(trace, as_json=True, section=None, top=10, by="coro", out=out)
    told = str(error.value)
    assert told.startswith(
        "'calls_one_by_one' of the findings could not be looked for: ValueError: odd "
        "(test_failed.py:"
    )
    assert told.endswith(
        " fails). All else is complete. This is a fault of tracer: please report it with this "
        "line."
    )
    made = json.loads(out.getvalue())
    assert "awaits in turn" not in [one["finding"] for one in made["findings"]]
    assert [one["name"] for one in made["threads"]] == ["MainThread"]


def test_why(trace):
    out = io.StringIO()
    with pytest.raises(FinderError, match="calls_one_by_one"):
        why(
            trace, task=None, thread=None, at=None, region=None, most=3, as_json=False, out=out
        )
    assert "MainThread" in out.getvalue()


def test_page(trace, capsys):
    answered = Answers(build_model(read_trace(trace))).findings({})
    made = json.loads(answered.body)
    assert "awaits in turn" not in [one["finding"] for one in made["findings"]]
    assert capsys.readouterr().err.startswith("tracer: page: 'calls_one_by_one' of the")
