"""Tasks that pile up from one trace to another: counted when the last one was created."""

import io
import json
from pathlib import Path

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS
from tracer import schema as s
from viewer.analysis.dump.alive import Alive, Growth, grown
from viewer.commands.diff import compare
from viewer.trace.model import Model, build_model
from viewer.trace.reader import read_trace

MADE = "/lib/python3.13/asyncio/tasks.py:410 create_task\n/app/app.py:23 main"


def service(tasks: int, stay: bool) -> TraceBuilder:
    """A task each ms; if they do not stay, each ends before the next one."""
    trace = TraceBuilder(argv="app.py")
    loop = trace.loop(trace.thread("MainThread"))
    end = (tasks + 5) * MS
    for n in range(tasks):
        task = loop.task("call", site="/app/app.py:9 call").ready(n * MS, stack=MADE)
        task.running(n * MS + 1_000).awaits(n * MS + 2_000, "future")
        over = end if stay else n * MS + MS // 2
        task.ready(over).running(over).done(over, s.CANCELLED)
    return trace.ended(end + MS)


def model(path: Path, trace: TraceBuilder) -> Model:
    path.write_bytes(trace.data())
    return build_model(read_trace(path))


def test_growth(tmp_path: Path) -> None:
    """With the line that created them and how long the oldest had lived."""
    before = model(tmp_path / "a.pftrace", service(40, stay=False))
    after = model(tmp_path / "b.pftrace", service(40, stay=True))
    created = "/app/app.py:23 app.main"
    assert grown(before, after) == (
        Growth(
            "call",
            Alive(1, 0, "/app/app.py:9 call", created),
            Alive(40, 39 * MS, "/app/app.py:9 call", created),
        ),
    )
    assert grown(after, before) == grown(before, before) == grown(after, after) == ()


def test_few(tmp_path: Path) -> None:
    """Nine tasks are no growth."""
    before = model(tmp_path / "a.pftrace", service(9, stay=False))
    assert grown(before, model(tmp_path / "b.pftrace", service(9, stay=True))) == ()


def test_in_the_diff(tmp_path: Path) -> None:
    """As text and JSON."""
    for name, stay in (("a", False), ("b", True)):
        (tmp_path / f"{name}.pftrace").write_bytes(service(40, stay=stay).data())
    paths = tmp_path / "a.pftrace", tmp_path / "b.pftrace"
    text, body = io.StringIO(), io.StringIO()
    compare(*paths, as_json=False, top=10, out=text)
    line = "`call` (app.py:9): 1 → 40, created at app.py:23; the oldest had lived for 39.0 ms"
    assert line in " ".join(text.getvalue().split())
    compare(*paths, as_json=True, top=10, out=body)
    (row,) = json.loads(body.getvalue())["growth"]
    assert (row["tasks"], row["created"]) == ([1, 40], "/app/app.py:23 app.main")
