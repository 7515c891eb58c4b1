"""Reports as people and programs get them, compared whole with tests/golden.

UPDATE_GOLDEN=1 pytest tests/unit/render writes the golden files anew: read the diff.
"""

import io
import json
import os
import subprocess
import sys
from contextlib import chdir
from pathlib import Path

import pytest

from tests.support.stories.waits import (
    THREAD_STORIES,
    blocked_loop,
    eager,
    every_trace,
    gil_hog,
    killed,
    lanes,
    lock_convoy,
    pool,
    profiled,
)
from viewer.analysis.report import SECTIONS, build_report
from viewer.analysis.tasks import By
from viewer.commands.report import report
from viewer.render.json.report import render_json
from viewer.render.text.report import render_text
from viewer.render.text.tables import Style
from viewer.trace.model import build_model
from viewer.trace.reader import read_trace

_GOLDEN = Path(__file__).parents[2] / "golden"
_SHOWN = ("tasks", "gc", "health")
_WAITS = ("threads", "locks", "io", "health")
_STORIES = (blocked_loop, lanes, eager, killed)


def long_names():
    """A trace in which names, sites and the command line are longer than any terminal."""
    from tests.support.builder.trace import TraceBuilder

    trace = TraceBuilder(
        argv="service.py " + " ".join(f"--option-{n}=value" for n in range(20))
    )
    loop = trace.loop(trace.thread("MainThread"))
    deep = "/srv/" + "deeply/" * 12 + "nested.py"
    for n in range(12):
        coro = f"Service.handle_{'very_' * n}long_request_name"
        task = loop.task(coro, site=f"{deep}:{n} {coro}")
        task.ready(n * 1_000_000).running((n + 1) * 1_000_000).done((n + 2) * 1_000_000)
        loop.step(task, (n + 1) * 1_000_000, (n + 2) * 1_000_000)
    return trace.ended(20_000_000)


def long_waits():
    """Threads, locks and calls with longer names and sites than any terminal has room for."""
    from tests.support.builder.trace import TraceBuilder

    trace = TraceBuilder(signals="tasks,threads,gc,gil,locks,io,sched")
    deep = "/srv/" + "deeply/" * 12 + "nested.py:1234 f"
    long = "ThreadPoolExecutor-" + "very_" * 12 + "long"
    holder, waiter, reader = (trace.thread(f"{long}_{n}") for n in range(3))
    holder.running(0).preempted(10_000_000, holding_gil=True).off_cpu(
        20_000_000, holding_gil=True
    ).running(30_000_000).io(40_000_000, "x" * 90, site=deep, holding_gil=True).end(50_000_000)
    lock = trace.lock("RLock" * 20, deep)
    waiter.lock_wait(0, "RLock" * 20, lock=lock, site=deep, acquired=False)
    waiter.lock_wait(20_000_000, "Queue.get" * 9, lock=9, site=deep).gil_wait(30_000_000)
    reader.lock_wait(0, "Queue.get" * 9, lock=9, site=deep)
    waiter.running(50_000_000).release(51_000_000, lock, to=reader)
    reader.native(51_000_000)
    lock.hold(1, 60_000_000, holder, deep)
    reader.sleep(60_000_000, site=deep).end(61_000_000)
    waiter.end(61_000_000)
    return trace.ended(70_000_000)


def made(tmp_path, story, by=By.CORO):
    """Read by its name alone: how long the name of the folder is depends on the machine."""
    with chdir(tmp_path):
        path = Path("x.pftrace")
        path.write_bytes(story().data())
        return build_report(build_model(read_trace(path)), by)


def compare(name, text):
    path = _GOLDEN / name
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(text)
    assert text == path.read_text()


@pytest.mark.parametrize("story", [*_STORIES, long_names])
def test_text(tmp_path, story):
    """The text of each story at 100 columns."""
    style = Style(100, base="/app")
    text = render_text(made(tmp_path, story), _SHOWN, 10, style)
    compare(f"{story.__name__}.txt", text)


@pytest.mark.parametrize("story", THREAD_STORIES)
def test_text_of_threads(tmp_path, story):
    """Threads, locks and blocking calls of each story, in a narrow terminal."""
    text = render_text(made(tmp_path, story), _WAITS, 10, Style(80, base="/app"))
    compare(f"{story.__name__}.txt", text)


def test_text_by_task(tmp_path):
    """One row per task instead of per coroutine."""
    text = render_text(made(tmp_path, lanes, By.TASK), _SHOWN, 2, Style(100))
    compare("lanes_by_task.txt", text)


def test_cpu_text(tmp_path):
    """Functions by own time, with shares and the line that has most."""
    text = render_text(made(tmp_path, profiled), ("cpu",), 5, Style(100, base="/app"))
    compare("profiled.txt", text)


def test_cpu_json(tmp_path):
    """The documented keys; own times add up to what was sampled."""
    body = json.loads(render_json(made(tmp_path, profiled), ("cpu",)))
    assert list(body["cpu"][0]) == ["function", "file", "line", "self_ns", "cumulative_ns"]
    assert body["cpu"][0] == {
        "function": "prog.work", "file": "/app/prog.py", "line": 20,
        "self_ns": 680_000_000, "cumulative_ns": 680_000_000,
    }  # fmt: skip
    assert sum(row["self_ns"] for row in body["cpu"]) == 1_000_000_000


@pytest.mark.parametrize("story", [blocked_loop, gil_hog, lock_convoy, pool])
def test_json(tmp_path, story):
    """The JSON of a story."""
    text = render_json(made(tmp_path, story), SECTIONS)
    compare(f"{story.__name__}.json", text)


@pytest.mark.parametrize("width", [80, 100, 120])
@pytest.mark.parametrize(
    "story", [*_STORIES, *THREAD_STORIES, profiled, long_names, long_waits]
)
def test_no_line_is_too_wide(tmp_path, story, width):
    """No line is wider than the terminal."""
    text = render_text(made(tmp_path, story), SECTIONS, 10, Style(width))
    lines = [line for line in text.splitlines() if not line.startswith("/")]
    assert max(map(len, lines)) <= width


@pytest.mark.parametrize(("name", "data"), every_trace())
def test_json_keys(tmp_path, name, data):
    """Every trace gives the documented keys and all sections; times are integers."""
    path = tmp_path / "x.pftrace"
    path.write_bytes(data)
    out = io.StringIO()
    report(path, as_json=True, section=None, top=3, by="coro", out=out)
    body = json.loads(out.getvalue())
    assert list(body) == ["schema", "trace", *SECTIONS, "spent", "thread_groups"]
    assert set(body["trace"]) == {
        "file", "files", "duration_ns", "start_unix_ns", "pid", "argv", "python", "events",
        "bytes", "threshold_ns",
    }  # fmt: skip
    for row in body["tasks"]:
        assert {"coro", "site", "count", "names", "steps"} <= set(row)
        for key in ("ready_ns", "running_ns", "await_ns"):
            assert list(row[key]) == ["count", "total", "p50", "p90", "p99", "max"]
            assert all(type(value) is int for value in row[key].values())
        assert sum(delay["ns"] for delay in row["delayed_by"]) == row["ready_ns"]["total"]
    for row in body["threads"]:
        assert {"tid", "name", "wall_ns", "states"} <= set(row)
        assert list(row["states"]) == [
            "running", "GIL wait", "lock", "io", "sleep", "native", "preempted", "off cpu",
        ]  # fmt: skip
        assert sum(row["states"].values()) + row["unknown_ns"] == row["wall_ns"]
        held, total = row["gil_wait"], row["states"]["GIL wait"]
        parts = [holder["ns"] for holder in held["held_by"]]
        assert sum(parts) + held["free_ns"] + held["unknown_ns"] == total
    for row in body["locks"]:
        assert {"lock", "kind", "site", "waits", "wait_ns", "hold_ns", "holders"} <= set(row)
        causes = sum(cause["ns"] for cause in row["waited_for"])
        assert causes == (0 if row["idle"] else row["wait_ns"]["total"])
        assert sum(waiter["ns"] for waiter in row["waiters"]) == row["wait_ns"]["total"]
        assert sum(holder["ns"] for holder in row["holders"]) == row["hold_ns"]["total"]
    for row in body["io"]:
        assert {"callable", "site", "count", "ns", "bytes", "holding_gil_ns"} <= set(row)


@pytest.fixture
def trace_path(tmp_path):
    path = tmp_path / "x.pftrace"
    path.write_bytes(blocked_loop().data())
    return path


def test_one_section(trace_path):
    """A section asked for comes alone; one that was not recorded is one line."""
    out = io.StringIO()
    report(trace_path, as_json=False, section="locks", top=3, by="coro", out=out)
    assert out.getvalue().splitlines()[-1] == (
        "locks: not recorded in this trace (the signal locks was off)."
    )
    out = io.StringIO()
    report(trace_path, as_json=True, section="gc", top=3, by="coro", out=out)
    assert list(json.loads(out.getvalue())) == ["schema", "trace", "gc"]


def test_colour_only_where_wanted(tmp_path):
    """Bold needs a style that asks for it."""
    plain = render_text(made(tmp_path, blocked_loop), _SHOWN, 10, Style())
    bold = render_text(made(tmp_path, blocked_loop), _SHOWN, 10, Style(colour=True))
    assert "\x1b" not in plain
    assert bold.replace("\x1b[1m", "").replace("\x1b[0m", "") == plain


def test_without_the_c_decoder(trace_path):
    """The report is the same where no C part was built, nor the recorder's."""
    program = (
        "import sys\n"
        "sys.modules['tracer._core'] = None\n"
        "if sys.argv[2] == 'python': sys.modules['viewer.trace._decoder'] = None\n"
        "from pathlib import Path\n"
        "from viewer.trace import engine\n"
        "from viewer.commands.report import report\n"
        "assert sys.argv[2] == 'c' or not engine.HAS_NATIVE\n"
        "report(Path(sys.argv[1]), as_json=True, section=None, top=5, by='task',"
        " out=sys.stdout)\n"
    )
    said = [
        subprocess.run(
            [sys.executable, "-c", program, trace_path, make], capture_output=True, check=True
        ).stdout
        for make in ("c", "python")
    ]
    assert said[0] == said[1] != b""
