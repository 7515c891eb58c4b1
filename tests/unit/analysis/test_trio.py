"""trio's loops and locks in a trace: told apart from asyncio's."""

from typing import Any

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.engines import ENGINES
from tracer import schema as s
from viewer.analysis.locks import lock_rows
from viewer.trace.model import build_model
from viewer.trace.reader import read_trace

MS = 1_000_000


@pytest.mark.parametrize("engine", ENGINES)
def test_a_wait_says_what_it_is_for(engine, tmp_path):
    """Its `kind` names what nobody holds; without it, it is one of asyncio's."""
    trace = TraceBuilder(argv="a.py", signals="tasks,locks")
    loop = trace.loop(trace.thread("MainThread"))
    kinds: list[dict[str, Any]] = [{s.ARG_KIND: "trio.Event"}, {}]
    for n, kind in enumerate(kinds, 1):
        task = loop.task(f"f{n}", site=f"/app/a.py:{n} f{n}").ready(0).running(0)
        task.awaits(MS, "Event", lock=n, site="/app/a.py:9 f", **kind)
        task.ready(2 * MS).running(2 * MS).done(3 * MS)
    path = tmp_path / "x.pftrace"
    path.write_bytes(trace.data())
    model = build_model(read_trace(path, engine))
    assert sorted(row.kind for row in lock_rows(model)) == ["asyncio.Event", "trio.Event"]


def test_a_run_of_trio_is_a_loop(tmp_path):
    """It is known by the name of its track, and so is its thread."""
    trace = TraceBuilder(argv="a.py", signals="tasks")
    loop = trace.loop(trace.thread("MainThread"), s.TRACK_TRIO_PREFIX)
    task = loop.task("main", site="/app/a.py:1 main").ready(0).running(0).done(MS)
    loop.step(task, 0, MS)
    path = tmp_path / "x.pftrace"
    path.write_bytes(trace.data())
    (found,) = build_model(read_trace(path)).loops
    assert (found.kind, found.thread_name, found.tid) == ("trio @", "MainThread", 100)
