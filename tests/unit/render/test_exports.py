"""Chrome's JSON, the table, and the command line around profiles and exports."""

import csv
import io
import json
from pathlib import Path

import pytest

from tests.support.commands import refused
from tests.support.stories.waits import MS, blocked_loop, every_trace, profiled
from tracer import cli
from viewer.commands.profiles import export, profile_of
from viewer.render.formats.chrome import write_chrome
from viewer.render.formats.csv import write_csv
from viewer.trace.model import build_model
from viewer.trace.reader import read_trace


def model_of(tmp_path, data):
    path = tmp_path / "x.pftrace"
    path.write_bytes(data)
    return build_model(read_trace(path))


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    path = tmp_path / "x.pftrace"
    path.write_bytes(profiled().data())
    return path


def test_chrome(tmp_path):
    """Slices, instants, counters and both ends of every flow, in µs."""
    model = model_of(tmp_path, blocked_loop().data())
    rows = json.loads(write_chrome(model))["traceEvents"]
    events, slices = model.trace.events, model.trace.slices
    kinds = [row["ph"] for row in rows]
    assert kinds.count("X") == len(slices.event)
    assert kinds.count("i") == len(slices.instants)
    assert kinds.count("C") == len(events.counter_event)
    assert kinds.count("s") == kinds.count("f") == len(events.flow_id) // 2
    step = next(row for row in rows if row["name"] == "handler" and row["ph"] == "X")
    start = (blocked_loop().start_ns + MS + 100_000) / 1000
    assert (step["ts"], step["dur"], step["cat"]) == (start, 900.0, "loop")
    named = {(row["pid"], row["tid"]): row for row in rows if row["name"] == "thread_name"}
    assert named[step["pid"], step["tid"]]["args"]["name"] == "running task"


def test_chrome_threads_keep_their_ids(tmp_path):
    """A lane that is no thread never has a thread's id."""
    model = model_of(tmp_path, blocked_loop().data())
    tids = {track.tid for track in model.threads}
    for row in json.loads(write_chrome(model))["traceEvents"]:
        if row["name"] == "thread_name":
            assert (row["tid"] in tids) == (row["args"]["name"] == "MainThread")


def test_csv(tmp_path):
    """One row per slice, arguments as JSON."""
    model = model_of(tmp_path, blocked_loop().data())
    rows = list(csv.DictReader(io.StringIO(write_csv(model).decode())))
    assert len(rows) == len(model.trace.slices.event)
    ready = next(row for row in rows if row["name"] == "ready" and "ticker" in row["track"])
    assert json.loads(ready["args"])["coro"] == "tick"
    assert int(ready["duration_ns"]) == MS + 20_000 - MS // 5
    assert (ready["process"], ready["category"], ready["unfinished"]) == ("100", "task", "0")


@pytest.mark.parametrize(("name", "data"), every_trace())
@pytest.mark.parametrize("format_", ["chrome", "csv", "speedscope"])
def test_every_trace_can_be_exported(tmp_path, name, data, format_):
    """Unfinished slices, late events, odd arguments: nothing stops an export."""
    path = tmp_path / "x.pftrace"
    path.write_bytes(data)
    written = Path(export(path, format_, "cpu", None, force=False))
    assert written.stat().st_size
    if format_ != "csv":
        json.loads(written.read_text())


def test_pprof_command(trace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file beside the trace, and where it is on stderr."""
    assert cli.main(["pprof", str(trace), "--type", "gc"]) == 0
    written = trace.with_suffix(".gc.pprof")
    out, err = capsys.readouterr()
    assert out == ""
    empty, where = err.splitlines()  # the trace has no collection
    assert empty.startswith("tracer: the gc profile is empty; ")
    assert where == f"tracer: gc profile -> {written}"
    assert profile_of(written, "cpu").types[1] == ("pause", "nanoseconds")


def test_pprof_views(trace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """--top, --peek, --source and --diff print and write no file."""
    for words in (["--top"], ["--peek", "work"], ["--source", "work"], ["--diff", str(trace)]):
        assert cli.main(["pprof", str(trace), *words]) == 0
        out, err = capsys.readouterr()
        assert (out.splitlines()[0][:9], err) == ("Type: cpu", "")
    assert "Total: 0" in out
    assert [path.name for path in trace.parent.iterdir()] == ["x.pftrace"]


def test_pprof_to_stdout(trace: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """-o - is a pipe's way."""
    assert cli.main(["pprof", str(trace), "-o", "-"]) == 0
    assert capfdbinary.readouterr().out.startswith(b"\x1f\x8b")


def test_export_command(trace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file beside the trace; a format that needs more than we bring is refused."""
    assert cli.main(["export", str(trace), "--format", "csv"]) == 0
    assert trace.with_suffix(".csv").exists()
    capsys.readouterr()
    code, line = refused(capsys, "export", str(trace), "--format", "parquet")
    assert code == 2
    assert "pyarrow" in line


@pytest.mark.invalid_traces
@pytest.mark.parametrize("words", [("--top",), ("--peek", "("), ("--diff", "missing")])
def test_refusals(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    """One line, never a traceback."""
    bad = tmp_path / "bad"
    bad.write_bytes(b"no profile" if words == ("--top",) else profiled().data())
    code, line = refused(capsys, "pprof", str(bad), *words)
    assert code in (1, 2)
    assert line
