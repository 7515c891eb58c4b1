"""`tracer dump PID`: what a recorded program's threads and tasks do now."""

import asyncio
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

import tracer
from tests.support.live import Program
from tests.support.validator.strict import read_strict
from tracer import _core
from tracer import schema as s

TIMEOUT_S = 120
THREADS = 300
SOURCE = """
import asyncio, sys, threading
ready, never, loops = threading.Event(), threading.Event(), []
def idle():
    never.wait()
async def holder(lock):
    async with lock:
        loops.append(asyncio.get_running_loop())
        ready.set()
        await asyncio.get_running_loop().create_future()
async def waiter(lock):
    async with lock:
        pass
async def main():
    lock = asyncio.Lock()
    first = asyncio.create_task(holder(lock), name="first")
    await asyncio.sleep(0)
    others = [asyncio.create_task(waiter(lock)) for _ in range(3)]
    await first
def looped():
    asyncio.run(main())
for work in (idle, looped):
    threading.Thread(target=work, name=work.__name__, daemon=True).start()
ready.wait()
print("ready", flush=True)
for line in sys.stdin:
    print("read", flush=True)
"""


def dumped(program: Program, *options: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "tracer", "dump", str(program.pid), *options],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def functions(entry: dict[str, Any]) -> list[str]:
    return [place["function"] for place in entry["stack"]]


def test_threads_and_tasks(tmp_path: Path) -> None:
    """Each with its stack, though nobody wrote that of a call in progress before."""
    with Program(tmp_path, source=SOURCE) as program:
        found = json.loads(dumped(program, "--json"))
        text = dumped(program, "--full", "--tasks")
    entries = found["entries"]
    threads = {entry["name"]: entry for entry in entries if entry["what"] == "thread"}
    assert set(threads) == {"MainThread", "idle", "looped"}  # ours is not among them
    assert functions(threads["MainThread"])[-1] == "live.<module>"
    assert "live.idle" in functions(threads["idle"])
    assert functions(threads["looped"])[-1] == "threading.Thread._bootstrap"
    waiting = [entry for entry in entries if entry["coro"] == "waiter"]
    assert [entry["kind"] for entry in waiting] == ["await Lock"] * 3
    first = next(entry["entry"] for entry in entries if entry["name"] == "first")
    assert {entry["behind"]["entry"] for entry in waiting} == {first}
    assert {functions(entry)[-1] for entry in waiting} == {"live.waiter"}
    assert text.count("goroutine ") == 5
    assert "waits for task" in text


def test_without_a_target(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The only recording; if there is none, one line."""
    from tracer.cli import main
    from tracer.live import client

    def nothing() -> client.Address:
        raise client.NotLiveError("nothing is being recorded.")

    monkeypatch.setattr(client, "only_address", nothing)
    assert main(["dump"]) == 1
    assert capfd.readouterr().err == "tracer: nothing is being recorded.\n"
    monkeypatch.setattr(client, "only_address", lambda: client.Address("/tmp", "1.sock"))
    assert main(["dump"]) != 0
    assert "process 1 is not being recorded" in capfd.readouterr().err


@pytest.mark.parametrize("target", ["4194304", "1"])
def test_who_is_not_recorded(capfd: pytest.CaptureFixture[str], target: str) -> None:
    """One line."""
    from tracer.cli import main

    assert main(["dump", target]) != 0
    assert "is not being recorded" in capfd.readouterr().err
    assert main(["dump", str(os.getpid()), "--at", "1s"]) == 2
    assert "--at is for a trace" in capfd.readouterr().err


def test_marks_are_hidden(tmp_path: Path) -> None:
    """The thread that marks the stacks is in no trace, and the stacks are those of now."""
    path = tmp_path / "t.pftrace"
    tracer.start(path, without=("sched", "cpu"))
    _core.ask_stacks()
    count = _core.mark_stacks()
    tracer.stop()
    trace = read_strict(path.read_bytes())
    marked = [event for event in trace.events if event.name == s.STACKS_MARKED]
    assert [event.args[s.ARG_COUNT] for event in marked] == [count, count]
    stacks = [event for event in trace.events if event.name == s.THREAD_STACK]
    here = test_marks_are_hidden.__name__
    mine = [event for event in stacks if here in str(event.args[s.ARG_STACK])]
    assert len(mine) == 2
    assert _core.mark_stacks() == 0  # nothing is recorded now


def test_from_inside(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """tracer.dump() writes a trace of which `tracer dump` shows that very moment."""
    from tracer.cli import main

    assert tracer.dump() is None
    tracer.start(tmp_path / "t.pftrace", without=("sched", "cpu"))
    path = tracer.dump(tmp_path / "now.pftrace")
    tracer.stop()
    assert path == str(tmp_path / "now.pftrace")
    assert main(["dump", path, "--threads", "--json"]) == 0
    entries = json.loads(capsys.readouterr().out)["entries"]
    (mine,) = (entry for entry in entries if entry["id"] == os.getpid())
    assert test_from_inside.__name__ in str(functions(mine))
    assert mine["sampled_ns"] is None


@pytest.mark.skipif(
    not getattr(sys, "_is_gil_enabled", lambda: True)(), reason="it needs a GIL"
)
def test_main_thread_that_hangs_as_a_recording_begins(tmp_path: Path) -> None:
    """It may do nothing more: where it was is in the trace from the start."""
    path = tmp_path / "t.pftrace"

    def record() -> None:
        tracer.start(path, without=("sched", "cpu"))
        tracer.stop()

    recorder = threading.Thread(target=record)
    recorder.start()
    recorder.join()
    trace = read_strict(path.read_bytes())
    (stack,) = (event for event in trace.events if event.name == s.THREAD_STACK)
    assert trace.tracks[stack.track].tid == os.getpid()
    assert "test_main_thread_that_hangs" in str(stack.args[s.ARG_STACK])


def started(count: int, until: threading.Event) -> list[threading.Thread]:
    barrier = threading.Barrier(count + 1)

    def wait() -> None:
        barrier.wait()
        until.wait()

    threads = [threading.Thread(target=wait, name=f"w{n}") for n in range(count)]
    for thread in threads:
        thread.start()
    barrier.wait()
    return threads


def test_many_threads_are_marked_in_slices(tmp_path: Path) -> None:
    """By a clock on which each thread takes 10 µs: the GIL is let go of in between, none is
    left out or marked twice, and the thread that marks them stays hidden."""
    done, path = threading.Event(), tmp_path / "t.pftrace"
    tracer.start(path, without=("sched", "cpu"))
    threads = started(THREADS, done)
    _core.measure_slices(10_000)
    _core.ask_stacks()
    longest_ns = _core.measure_slices(0)
    done.set()
    for thread in threads:
        thread.join()
    tracer.stop()
    assert 1_800_000 <= longest_ns <= 2_000_000
    trace = read_strict(path.read_bytes())
    (marked,) = (event for event in trace.events if event.name == s.STACKS_MARKED)
    stacks = [event for event in trace.events if event.name == s.THREAD_STACK]
    waiting = [event.track for event in stacks if "wait" in str(event.args[s.ARG_STACK])]
    assert len(waiting) == len(set(waiting)) == THREADS
    assert marked.args[s.ARG_COUNT] == THREADS + 1
    assert len({event.time_ns for event in stacks}) > 1
    assert not any("tracer-" in str(track) for track in trace.tracks.values())


@pytest.mark.parametrize("count", [200, pytest.param(3000, marks=pytest.mark.broad)])
def test_tasks_are_known_already(tmp_path: Path, count: int) -> None:
    """What has the GIL when a dump is asked for looks at threads alone, however many tasks
    there are: they all fit into a small part of one slice."""
    units = []

    async def wait(forever: asyncio.Future[None]) -> None:
        await forever

    async def main() -> None:
        forever = asyncio.get_running_loop().create_future()
        tasks = [asyncio.create_task(wait(forever)) for _ in range(count)]
        await asyncio.sleep(0)
        _core.measure_slices(1)
        _core.ask_stacks()
        units.append(_core.measure_slices(0))
        forever.set_result(None)
        await asyncio.gather(*tasks)

    with tracer.recording(tmp_path / "t.pftrace", without=("sched", "cpu")):
        asyncio.run(main())
    assert 1 <= units[0] < 300
