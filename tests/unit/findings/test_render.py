"""Findings in the report: first, numbered, wrapped; and their JSON."""

import io
import json

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, Service
from viewer.commands.report import report


def trace_of(tmp_path, steps):
    service = Service(victims=2)
    for n in range(steps):
        if n:
            service.rest(n * 500 * MS)
        start = service.step(30 * MS)
        service.trace.gc(start + 30 * MS, start + 31 * MS, service.thread.tid, 2)
    if steps:
        service.rest(3_000 * MS)
        service.trace.gc(service.now + 1, service.now + 200 * MS, service.thread.tid, 2)
        service.step(240 * MS)
    path = tmp_path / "x.pftrace"
    path.write_bytes(service.end().data())
    return path


def said(path, **options):
    out = io.StringIO()
    options = {"as_json": False, "section": None, "top": 10, "by": "coro"} | options
    report(path, out=out, **options)
    return out.getvalue()


def test_text(tmp_path, monkeypatch):
    """Before everything else, the most expensive first."""
    monkeypatch.setenv("COLUMNS", "100")
    path = trace_of(tmp_path, 3)
    parts = said(path).split("\n\n")
    assert parts[1].splitlines()[0] == "Findings"
    lines = parts[1].splitlines()
    assert [line[:10] for line in lines if line[:4] == "  1." or line[:4] == "  2."] == [
        "  1. Garba",
        "  2. `hog`",
    ]
    assert max(map(len, lines)) <= 100
    assert all(line.startswith("    ") for line in lines[1:] if line[3] != ".")
    assert parts[2].startswith("Slowest waits")


def asked_one_by_one():
    """A query for each of thirty rows: advice."""
    trace = TraceBuilder(argv="orders.py", signals=SIGNALS)
    thread = trace.thread("MainThread").native(0)
    task = trace.loop(thread).task("show", site="/app/orders.py:6 show").ready(0).running(0)
    for n in range(30):
        task.awaits(n * 20 * MS, "query (asyncpg)", site="/app/orders.py:9 load")
        task.ready((n + 1) * 20 * MS, waker="io").running((n + 1) * 20 * MS)
    task.done(600 * MS + 1)
    thread.end(601 * MS)
    return trace.ended(602 * MS)


def test_the_heading_says_where_there_is_only_advice(tmp_path):
    path = tmp_path / "x.pftrace"
    path.write_bytes(asked_one_by_one().data())
    for section in (None, "findings"):
        lines = said(path, section=section).splitlines()
        at = lines.index("Findings: none of the known problems, but advice")
        assert lines[at + 1].startswith("  1. Awaits in turn: ")


def test_top(tmp_path):
    """What is left out is counted."""
    text = said(trace_of(tmp_path, 3), section="findings", top=1)
    assert "  … and 1 finding more (--top)\n" in text


@pytest.mark.parametrize("by", ["coro", "task"])
def test_json(tmp_path, by):
    """Documented keys, integers, whatever a row of tasks is."""
    body = json.loads(said(trace_of(tmp_path, 3), as_json=True, by=by))
    assert list(body)[2] == "findings"
    collections, blocked = body["findings"]
    assert collections["finding"] == "GC in the hot path"
    assert list(blocked) == ["finding", "severity_ns", "text", "next_step", "evidence"]
    assert blocked["severity_ns"] > 0
    assert blocked["evidence"] == {
        "start_ns": 4_000_000_000, "duration_ns": 240 * MS,
        "track": "asyncio loop @MainThread", "pid": 100, "tid": 100, "task": 1,
        "lock": -1, "site": "/app/service.py:10 hog", "via": "",
    }  # fmt: skip


def test_none(tmp_path):
    """A clean trace says so; the section alone needs no other."""
    path = trace_of(tmp_path, 0)
    assert "Findings: none of the known problems was found." in said(path)
    body = json.loads(said(path, as_json=True, section="findings"))
    assert list(body) == ["schema", "trace", "findings", "spent"]
    assert body["findings"] == []
