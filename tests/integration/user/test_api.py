"""start(), stop() and recording() work in any thread, repeatedly, and to the very end."""

import asyncio
import json
import os
import re
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest

import tracer
from tests.conftest import PROJECT, SAMPLES, Recorder
from tests.support.trace_processor import import_errors, open_trace
from tests.support.validator.rules import Summary, validate
from tracer import _core
from tracer import schema as s
from tracer.errors import TraceFileError
from tracer.recorder import SIGNALS

LIGHT = ("tasks", "threads")


def run(source: str, directory: Path) -> subprocess.CompletedProcess[str]:
    """Runs a separate program in the directory; it must exit with 0."""
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(source)],
        cwd=directory,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )


def summary(path: Path) -> Summary:
    return validate(path.read_bytes())


def has_ended(found: Summary) -> bool:
    return found.names[s.RECORDING_ENDED] == 1


def test_start_and_stop(tmp_path: Path) -> None:
    path = tmp_path / "a.pftrace"
    assert tracer.start(path, signals=LIGHT, cpu_hz=50, buffer_bytes=1 << 20) == ()
    with tracer.region("work"):
        pass
    totals = tracer.stop()
    assert totals is not None
    assert totals.bytes <= path.stat().st_size
    assert summary(path).names["work"] == 1
    assert tracer.stop() is None


def test_decorated_function(tmp_path: Path) -> None:
    """Its calls are on the timeline of each recording that runs at the time."""

    @tracer.region("call")
    def call() -> None: ...

    paths = [tmp_path / "a.pftrace", tmp_path / "b.pftrace"]
    for times, path in enumerate(paths, 1):
        call()
        with tracer.recording(path, signals=LIGHT):
            for _ in range(times):
                call()
    call()
    assert [summary(path).names["call"] for path in paths] == [1, 2]
    assert _core.running == []


def test_one_at_a_time(tmp_path: Path) -> None:
    """The second start() is refused before it touches its file."""
    path = tmp_path / "a.pftrace"
    with tracer.recording(path, signals=LIGHT):
        for other in (path, tmp_path / "b.pftrace"):
            with pytest.raises(tracer.TracerError, match="one is already running"):
                tracer.start(other, signals=LIGHT)
    assert has_ended(summary(path))
    assert not (tmp_path / "b.pftrace").exists()


def test_recording_leaves_a_later_one_alone(tmp_path: Path) -> None:
    with tracer.recording(tmp_path / "a.pftrace", signals=LIGHT):
        tracer.stop()
        tracer.start(tmp_path / "b.pftrace", signals=LIGHT)
    assert tracer.stop() is not None


def test_signals(tmp_path: Path) -> None:
    path = tmp_path / "a.pftrace"
    told: dict[str, object] = {}
    for options, expected in (
        ({"signals": {"gc", "tasks"}}, "tasks,gc"),
        ({"signals": ("tasks", "gc"), "without": ("gc",)}, "tasks"),
        ({"without": set(SIGNALS) - {"gc"}}, "gc"),
    ):
        with tracer.recording(path, **options):
            pass
        data = path.read_bytes()
        validate(data)
        told[expected] = expected.encode() in data
    assert all(told.values()), told


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (
            {"signals": ["gil", "disk"]},
            "no such signal: 'disk'. The signals are: tasks, threads",
        ),
        ({"without": ["gils"]}, "no such signal: 'gils'"),
        ({"buffer_bytes": 1000}, "buffer_bytes must be an int from .* not 1000"),
        ({"buffer_bytes": "64M"}, "buffer_bytes must be .* not '64M'"),
        ({"cpu_hz": 0}, "cpu_hz must be .* not 0"),
        ({"cpu_hz": 10_000}, "must be an int from 1 to 5000"),
        ({"heap_rate": 0}, "heap_rate must be .* not 0"),
    ],
)
def test_bad_options(tmp_path: Path, options: dict[str, object], text: str) -> None:
    path = tmp_path / "a.pftrace"
    with pytest.raises(ValueError, match=text):
        tracer.start(path, **options)  # type: ignore[arg-type]
    assert not path.exists()
    assert not _core.is_recording()


def test_refused_files(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("do not lose me")
    with pytest.raises(TraceFileError, match="not a trace"):
        tracer.start(tmp_path / "notes.txt")
    with pytest.raises(TraceFileError, match="No such file"):
        tracer.start(tmp_path / "nowhere" / "a.pftrace")
    with tracer.recording(str(tmp_path / "notes.txt"), signals=LIGHT, force=True):
        pass
    assert has_ended(summary(tmp_path / "notes.txt"))


def test_from_other_threads(tmp_path: Path) -> None:
    """One thread begins the recording, another ends it."""
    path = tmp_path / "a.pftrace"
    for step in (lambda: tracer.start(path, signals=LIGHT), tracer.stop):
        thread = threading.Thread(target=step)
        thread.start()
        thread.join()
    assert has_ended(summary(path))


def test_while_a_loop_runs_in_another_thread(tmp_path: Path) -> None:
    """A task in the middle of its step is shown as running from its next hook on, not as
    ready, and goes on normally."""
    spinning, recording = threading.Event(), threading.Event()

    async def spins() -> None:
        spinning.set()
        recording.wait()  # blocks its loop: the recording begins inside the step
        with tracer.region("on the thread"):
            pass
        await asyncio.sleep(0)
        with tracer.region("in the task"):
            pass

    loop_thread = threading.Thread(target=lambda: asyncio.run(spins()))
    loop_thread.start()
    spinning.wait()
    path = tmp_path / "a.pftrace"
    tracer.start(path)
    recording.set()
    loop_thread.join()
    tracer.stop()
    found = summary(path)
    (task,) = (task for task in found.tasks.values() if task.coro.endswith("spins"))
    assert (task.states, task.end) == ([s.RUNNING, s.READY, s.RUNNING], s.DONE)
    assert [(said.name, said.task) for said in found.user.regions] == [
        ("on the thread", 0),
        ("in the task", task.id),
    ]


@pytest.mark.parametrize("cycles", [100, pytest.param(1000, marks=pytest.mark.broad)])
def test_again_and_again(tmp_path: Path, cycles: int) -> None:
    """Many recordings while four threads enter and leave regions all the time."""
    over = threading.Event()
    counts = [0] * 4

    def works(number: int) -> None:
        while not over.wait(
            0.0002
        ):  # four threads that only compute would starve the main one
            with tracer.region("outer", number=number), tracer.region("inner"):
                counts[number] += 1
                tracer.counter("count", counts[number])
            with tracer.task("operation"):
                tracer.log("inside")

    threads = [threading.Thread(target=works, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    path = tmp_path / "again.pftrace"
    seen = 0
    for cycle in range(cycles):
        tracer.start(path, signals=LIGHT, buffer_bytes=1 << 20)
        before = sum(counts)
        while sum(counts) <= before + len(threads):  # one of them has begun anew meanwhile
            time.sleep(0)
        totals = tracer.stop()
        assert totals is not None
        assert totals.error == 0
        if cycle % 50 == 0:
            seen += len(summary(path).user.regions)
    over.set()
    for thread in threads:
        thread.join()
    assert all(counts)
    assert seen >= cycles // 50, "each recording sees a region"


def test_at_exit(tmp_path: Path) -> None:
    """If a program forgets stop(), its recording ends after its atexit functions."""
    run(
        """
        import atexit, tracer
        tracer.start("exit.pftrace")
        atexit.register(lambda: tracer.log("its own end"))
        """,
        tmp_path,
    )
    found = summary(tmp_path / "exit.pftrace")
    assert has_ended(found)
    assert found.names["its own end"] == 1


def test_forked_child(tmp_path: Path) -> None:
    """One that is not followed writes nothing into the trace, and may begin its own."""
    run(
        """
        import os, tracer
        tracer.start("parent.pftrace", without=["threads"], follow=False)
        if os.fork() == 0:
            with tracer.region("of the child"):
                pass
            assert tracer.stop() is None
            tracer.start("child.pftrace")
            with tracer.region("own"):
                pass
            raise SystemExit(0)
        os.wait()
        with tracer.region("of the parent"):
            pass
        """,
        tmp_path,
    )
    parent, child = summary(tmp_path / "parent.pftrace"), summary(tmp_path / "child.pftrace")
    assert [said.name for said in parent.user.regions] == ["of the parent"]
    assert [said.name for said in child.user.regions] == ["own"]
    told = b"1 forked child is not in this trace"
    assert told in (tmp_path / "parent.pftrace").read_bytes()
    assert told not in (tmp_path / "child.pftrace").read_bytes()
    assert has_ended(parent)
    assert has_ended(child)


def test_under_tracer_run(record: Recorder) -> None:
    """The program's regions are in the trace of `tracer run`, which it cannot take over."""
    trace = record(
        """
        import tracer
        with tracer.region("mine"):
            try:
                tracer.start("other.pftrace")
            except tracer.TracerError as error:
                print(error)
            print(tracer.stop())
        """.replace("\n        ", "\n")
    )
    assert record.stdout.splitlines() == [
        "cannot start a recording: one is already running. Stop it first.",
        "None",
    ]
    assert summary(trace).names["mine"] == 1


def test_without_the_core(tmp_path: Path) -> None:
    """Programs run on; start() says in one line why it does not record."""
    done = run(
        """
        import asyncio, sys
        sys.modules["tracer._core"] = None
        import tracer

        @tracer.region("function")
        def add(a, b):
            return a + b

        async def main():
            async with tracer.task("task", n=1), tracer.region("region"):
                return add(2, 3)

        with tracer.region("region"):
            print(asyncio.run(main()))
        tracer.log("hello", n=1)
        tracer.counter("load", 0.5)
        try:
            tracer.start("a.pftrace")
        except tracer.TracerError as error:
            print(error)
        print(tracer.stop())
        """,
        tmp_path,
    )
    five, error, nothing = done.stdout.splitlines()
    assert (five, nothing) == ("5", "None")
    assert error.startswith("cannot record: the C core is missing (")
    assert not (tmp_path / "a.pftrace").exists()


def test_import_loads_nothing(tmp_path: Path) -> None:
    """Importing the API loads only the package itself, not the recorder."""
    done = run(
        """
        import sys
        before = set(sys.modules)
        from tracer import region, start
        print(*sorted(set(sys.modules) - before))
        """,
        tmp_path,
    )
    loaded = done.stdout.split()
    assert {name.partition(".")[0] for name in loaded} == {"tracer"}
    assert len(loaded) <= 4, loaded


def test_sample_that_records_itself(tmp_path: Path, record: Recorder) -> None:
    """There are as many regions as the program counted, no longer than it measured."""
    sample = SAMPLES / "requests_by_region.py"
    done = run(f"import runpy; runpy.run_path({str(sample)!r}, run_name='__main__')", tmp_path)
    report = record.tracer("report", "requests_by_region.pftrace", "--json")
    rows = {row["name"]: row for row in json.loads(report.stdout)["regions"]}
    for line in done.stdout.splitlines():
        name, count, ms = re.fullmatch(r"(\w+): (\d+) times, ([\d.]+) ms", line).groups()  # type: ignore[union-attr]
        assert rows[name]["count"] == int(count)
        assert rows[name]["ns"]["total"] <= float(ms) * 1e6 + 1_000
        assert sum(rows[name]["states"].values()) == rows[name]["ns"]["total"]
    assert (rows["request"]["kind"], rows["request"]["count"]) == ("task", 12)
    with open_trace(tmp_path / "requests_by_region.pftrace") as tp:
        assert import_errors(tp) == []


def test_example_of_the_readme(tmp_path: Path) -> None:
    """The example runs exactly as it is printed there."""
    (source,) = re.findall(
        r"```python\n(.*?)```", (PROJECT / "README.md").read_text(), re.DOTALL
    )
    run(source, tmp_path)
    names = summary(tmp_path / "requests.pftrace").names
    assert (names["request"], names["parse"], names["half way"]) == (1, 1, 1)
