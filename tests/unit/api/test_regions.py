"""What regions come to in report and profiles, exactly, from a hand-made trace."""

import io
import json
from pathlib import Path

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.engines import ENGINES
from tests.support.models import model_of
from tests.support.stories.user import MS, UserTrack, requests
from tracer.errors import NotInTraceError, UsageError
from viewer.analysis.profiles.waits import PROFILES
from viewer.analysis.profiles.within import Spans
from viewer.analysis.regions import Interval, intervals, merged, region_rows, regions
from viewer.analysis.report import SECTIONS, build_report
from viewer.analysis.tasks import By
from viewer.commands.profiles import derive, show_profile, write_profile
from viewer.commands.report import report
from viewer.render.formats.chrome import write_chrome
from viewer.render.text.report import render_text
from viewer.render.text.tables import Style
from viewer.trace.engine import Engine
from viewer.trace.model import Model

MAIN, WORKER = 0, 1  # threads
START = 1_000_000_000


@pytest.mark.parametrize("engine", ENGINES)
def test_regions(tmp_path: Path, engine: Engine) -> None:
    """Each with its owner; one that was cut in pieces is whole."""
    found = regions(model_of(tmp_path, requests(), engine))
    assert [
        (r.name, r.kind, r.thread, r.task, r.operation, r.exception) for r in found
    ] == [
        ("order", "task", -1, -1, 1, ""),
        ("request", "region", -1, 0, 1, ""),
        ("order", "task", -1, -1, 2, ""),
        ("request", "region", -1, 1, 2, "ConnectionResetError"),
        ("parse", "region", WORKER, -1, 0, ""),
        ("parse", "region", WORKER, -1, 0, ""),
        ("load", "region", WORKER, -1, 0, ""),
        ("pack", "region", WORKER, -1, 0, ""),
    ]  # fmt: skip
    assert (found[-1].start_ns, found[-1].end_ns) == (START + 13 * MS, START + 16 * MS)


def test_intervals(tmp_path: Path) -> None:
    """One inside another of its name adds nothing; tasks and threads apart."""
    model = model_of(tmp_path, requests())
    assert intervals(model, "parse") == (
        Interval(0, WORKER, -1, START + 2 * MS, START + 12 * MS),
    )
    assert intervals(model, "request") == (
        Interval(0, -1, 0, START + 1 * MS, START + 9 * MS),
        Interval(0, -1, 1, START + 2 * MS, START + 8 * MS),
    )
    assert intervals(model, "order") == ()
    assert intervals(model, "nothing") == ()


def test_rows(tmp_path: Path) -> None:
    """What each owner did meanwhile adds up to the regions' time."""
    rows = region_rows(model_of(tmp_path, requests()))
    by_name = {row.name: row for row in rows}
    assert {name: (row.count, row.in_tasks, row.failed) for name, row in by_name.items()} == {
        "order": (2, 0, 0),
        "request": (2, 2, 1),
        "parse": (2, 0, 0),
        "pack": (1, 0, 0),
        "load": (1, 0, 0),
    }
    assert {
        name: {state: ns / MS for state, ns in row.states.items()}
        for name, row in by_name.items()
    } == {
        "order": {},
        "request": {"running": 1 + 2 + 2, "await": 3 + 4, "ready": 2},
        "parse": {"GIL wait": 8 + 2, "io": 2},
        "pack": {"io": 1, "sleep": 2},
        "load": {"io": 1.5, "sleep": 1},
    }
    for row in rows:
        if row.kind == "region":
            assert sum(row.states.values()) == row.wall.total_ns
    assert [row.name for row in rows] == ["order", "request", "parse", "pack", "load"]
    assert (by_name["request"].wall.total_ns, by_name["request"].wall.max_ns) == (
        14 * MS,
        8 * MS,
    )


def test_unknown_states(tmp_path: Path) -> None:
    """Of a thread without states nothing is known but the wall time."""

    def story() -> TraceBuilder:
        trace = TraceBuilder()
        UserTrack(trace.thread("MainThread")).region(5, 9, "a")
        return trace.ended(20)

    (row,) = region_rows(model_of(tmp_path, story()))
    assert row.states == {"unknown": 4}


def test_merged_lane(tmp_path: Path) -> None:
    """Regions of the tasks of one lane belong to the task that was on it then."""

    def story() -> TraceBuilder:
        trace = TraceBuilder()
        loop = trace.loop(trace.thread("MainThread"))
        lane = loop.lane("fetch")
        user: UserTrack | None = None
        for n in range(3):
            at = n * 1000
            task = loop.task_on_lane(lane, "fetch", site="fetch.py:3 fetch")
            task.ready(at).running(at + 100)
            user = user or UserTrack(task)
            user.region(at + 200, at + 300 + n, "work")
            task.done(at + 500)
            loop.step(task, at + 100, at + 500)
        return trace.ended(5000)

    model = model_of(tmp_path, story())
    assert [(r.task, r.end_ns - r.start_ns) for r in regions(model)] == [
        (0, 100),
        (1, 101),
        (2, 102),
    ]


def test_spans() -> None:
    """Time within spans; also before, between and after them."""
    spans = Spans([(30, 40), (10, 20)])
    assert [spans.cover(t) for t in (9, 10, 20, 30, 40)] == [False, True, False, True, False]
    assert spans.parts(0, 99) == [(10, 20), (30, 40)]
    assert spans.parts(12, 33) == [(12, 20), (30, 33)]
    assert spans.parts(20, 30) == spans.parts(40, 50) == spans.parts(0, 10) == []
    assert [spans.parts(t, t) for t in (9, 10, 15, 20)] == [[], [(10, 10)], [(15, 15)], []]
    assert merged([(5, 7), (1, 3), (2, 4), (4, 5)]) == [(1, 7)]


def values(model: Model, type_: str, region: str) -> list[tuple[str, int, float]]:
    """(innermost function, count, ms)."""
    return [
        (sample.frames[0].function, sample.values[0], sample.values[1] / MS)
        for sample in derive(model, type_, region).samples
    ]


def test_profiles_of_a_region(tmp_path: Path) -> None:
    """A task's region counts on its thread while the task runs; waits are cut to it."""
    model = model_of(tmp_path, requests())
    assert values(model, "cpu", "request") == [("prog.serve", 5, 5)]  # 1.5, 2.5, 3.5, 7.5, 8.5
    assert values(model, "cpu", "pack") == [("prog.pack", 1, 1)]
    assert values(model, "io", "parse") == [("serve.load", 1, 2)]
    assert values(model, "io", "request") == [("serve.serve", 1, 4)]  # await socket
    assert values(model, "sched", "request") == [("[timer]", 1, 2)]
    assert values(model, "wall", "load") == [
        ("serve.load", 1, 1.5),  # reads; the sample in between is the call's
        ("serve.load", 1, 1),
    ]
    assert values(model, "gc", "load") == []
    everything = sum(ms for _, _, ms in values(model, "io", "parse"))
    assert everything < PROFILES["io"](model).total / MS


def test_unknown_region(tmp_path: Path) -> None:
    """One line that says which there are; a tracer.task is none."""
    model = model_of(tmp_path, requests())
    with pytest.raises(NotInTraceError, match=r"no region 'order'.*It has: 'load', 'pack'"):
        derive(model, "cpu", "order")
    empty = model_of(tmp_path, TraceBuilder().ended(10))
    with pytest.raises(NotInTraceError, match="this trace has no regions"):
        derive(empty, "cpu", "x")


def test_written_beside_the_whole_one(tmp_path: Path) -> None:
    """The profile of a region does not replace the trace's; a pprof file has no regions."""
    trace = tmp_path / "x.pftrace"
    trace.write_bytes(requests().data())
    whole = write_profile(trace, "cpu", None, force=False)
    part = write_profile(trace, "cpu", None, force=False, region="parse")
    assert (Path(whole).name, Path(part).name) == ("x.cpu.pprof", "x.cpu.parse.pprof")
    with pytest.raises(UsageError, match="needs the trace"):
        show_profile(
            Path(whole), "cpu", region="parse", rows=5, peek=None, source=None, base=None,
            out=io.StringIO(),
        )  # fmt: skip


def test_json(tmp_path: Path) -> None:
    """The documented keys."""
    path = tmp_path / "x.pftrace"
    path.write_bytes(requests().data())
    out = io.StringIO()
    report(path, as_json=True, section="regions", top=3, by="coro", out=out)
    rows = json.loads(out.getvalue())["regions"]
    assert rows[1] == {
        "name": "request",
        "kind": "region",
        "count": 2,
        "in_tasks": 2,
        "failed": 1,
        "ns": {
            "count": 2, "total": 14 * MS, "p50": 7 * MS, "p90": 7_800_000, "p99": 7_980_000,
            "max": 8 * MS,
        },
        "states": {"await": 7 * MS, "running": 5 * MS, "ready": 2 * MS},
    }  # fmt: skip


def test_text(tmp_path: Path) -> None:
    """The table, without the heading; a trace without regions does not mention them."""
    model = model_of(tmp_path, requests())
    made = build_report(model, By.CORO, ("regions",))
    text = render_text(made, ("regions",), 4, Style(100))
    assert text.partition("\n\n")[2].splitlines() == [
        "Regions",
        "                     ──────────────── wall time ────────────────",
        "  region      count      p50      p90      p99      max    total"
        "  running    ready  waiting",
        "  task order      2  7.00 ms  7.80 ms  7.98 ms   8.0 ms  14.0 ms",
        "  request         2  7.00 ms  7.80 ms  7.98 ms   8.0 ms  14.0 ms"
        "  5.00 ms   2.0 ms  7.00 ms",
        "  parse           2  6.00 ms  9.20 ms  9.92 ms  10.0 ms  12.0 ms"
        "           10.0 ms  2.00 ms",
        "  pack            1  3.00 ms  3.00 ms  3.00 ms   3.0 ms   3.0 ms"
        "                    3.00 ms",
        "  … and 1 row more (--top)",
    ]
    empty = build_report(model_of(tmp_path, TraceBuilder().ended(10)), By.CORO)
    assert "regions" not in render_text(empty, SECTIONS, 4, Style(100)).lower()
    assert "regions: not recorded" in render_text(empty, ("regions",), 4, Style(100))


@pytest.mark.parametrize("value", [0.5, -1e300, float("inf")])
def test_a_double_argument(tmp_path: Path, value: float) -> None:
    """It is written as it is; JSON has no word for the infinite."""

    def story() -> TraceBuilder:
        trace = TraceBuilder()
        UserTrack(trace.thread("MainThread")).log(5, "half", part=value)
        return trace.ended(20)

    rows = json.loads(write_chrome(model_of(tmp_path, story())))["traceEvents"]
    (log,) = (row for row in rows if row["name"] == "half")
    assert log["args"]["part"] == (value if value != float("inf") else "inf")


def test_mutex_within_a_region(tmp_path: Path) -> None:
    """A holder is charged with what of the wait lies in the waiter's regions."""

    def story() -> TraceBuilder:
        trace = TraceBuilder(signals="tasks,threads,gc,gil,locks,io")
        lock = trace.lock("Lock", "/app/a.py:1 wait")
        holder, waiter = trace.thread("holder"), trace.thread("waiter")
        lock.hold(0, 100, holder, "/app/a.py:9 hold")
        waiter.lock_wait(
            10, "Lock", lock=lock, site="/app/a.py:1 wait", owner=holder,
            owner_site="/app/a.py:9 hold",
        ).running(90).end(95)  # fmt: skip
        user = UserTrack(waiter)
        user.region(20, 50, "first")
        user.region(60, 99, "first")
        return trace.ended(200)

    model = model_of(tmp_path, story())
    assert PROFILES["mutex"](model).total == 80
    (sample,) = derive(model, "mutex", "first").samples
    assert (sample.frames[0].function, sample.values[1]) == ("a.hold", 30 + 30)


@pytest.mark.parametrize("engine", ENGINES)
def test_counters(tmp_path: Path, engine: Engine) -> None:
    """Whole numbers and doubles, as they were recorded."""
    rows = json.loads(write_chrome(model_of(tmp_path, requests(), engine)))["traceEvents"]
    told = [row["args"]["value"] for row in rows if row["name"] == "open orders"]
    assert told == [1, 2.5, -1, 0]
