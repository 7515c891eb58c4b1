"""What a recording answers while it runs is what its trace says in the end."""

import asyncio
import gc
import json
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import tracer
from tests.support.live import Program
from tests.support.validator.strict import Event, read_strict
from tracer import cli
from tracer import schema as s
from tracer.live import client

DEADLINE_S = 60
STEPS = 50


def ask() -> Any:
    return client.ask(client.address_of(str(os.getpid())), "metrics")


def lengths(trace: Path, category: str, until_ns: int) -> dict[str, int]:
    """By name: of all slices of the category that began before the moment, up to it."""
    found: dict[str, int] = {}
    open_: dict[int, list[Event]] = {}
    for event in sorted(read_strict(trace.read_bytes()).events, key=lambda e: e.time_ns):
        if event.type == s.TYPE_SLICE_BEGIN:
            open_.setdefault(event.track, []).append(event)
        elif event.type == s.TYPE_SLICE_END:
            begin = open_[event.track].pop()
            if begin.category == category:
                end = min(event.time_ns, until_ns)
                name = str(begin.name)
                found[name] = found.get(name, 0) + max(0, end - begin.time_ns)
    return found


async def steps() -> None:
    for _ in range(STEPS):
        await asyncio.sleep(0)


async def main() -> None:
    await asyncio.gather(*(steps() for _ in range(3)))


def contend() -> None:
    """One thread waits for a lock that this one has."""
    lock = threading.Lock()
    waits = threading.Thread(target=lambda: lock.acquire())
    with lock:
        waits.start()
        counters_until(lambda c: any(row["waiters"] for row in c["locks"]))
    waits.join()


def counters_until(holds: Callable[[Any], bool]) -> Any:
    deadline = time.monotonic() + DEADLINE_S
    while not holds(counters := ask()):
        assert time.monotonic() < deadline
    return counters


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """A trace, and the counters when all that is asked about was over."""
    trace = tmp_path_factory.mktemp("counters") / "t.pftrace"
    with tracer.recording(trace):
        asyncio.run(main())
        contend()
        gc.collect()
        over_ns = time.monotonic_ns()
        counters = counters_until(lambda c: c["now_ns"] >= over_ns)
    return trace, counters


def test_tasks(recorded: tuple[Path, Any]) -> None:
    trace, counters = recorded
    rows = [row for row in counters["coroutines"] if row["coro"] in ("steps", "main")]
    assert {row["coro"]: (row["live"], row["made"]) for row in rows} == {
        "steps": (0, 3),
        "main": (0, 1),
    }
    slices = lengths(trace, "task", counters["now_ns"])
    for state in ("running", "ready"):
        assert (
            sum(row[f"{state}_ns"]["total"] for row in counters["coroutines"]) == slices[state]
        )
    (taken,) = (row["running_ns"]["count"] for row in rows if row["coro"] == "steps")
    assert taken == 3 * (STEPS + 1)


def test_loop(recorded: tuple[Path, Any]) -> None:
    trace, counters = recorded
    (loop,) = counters["loops"]
    assert not loop["runs"]
    assert loop["idle_ns"] == lengths(trace, "loop", counters["now_ns"]).get("select", 0)
    assert sum(count for _, count in loop["lag_buckets"]) == loop["lag_ns"]["count"]
    assert loop["tasks"] == loop["ready"] == 0


def test_loops_that_are_closed(tmp_path: Path) -> None:
    """They go, as a service may make one for each request; but for the first, which gave the
    trace its default track."""
    with tracer.recording(tmp_path / "t.pftrace"):
        for _ in range(4):
            asyncio.run(main())
        over_ns = time.monotonic_ns()
        counters = counters_until(lambda c: c["now_ns"] >= over_ns)
    assert [(row["name"], row["runs"]) for row in counters["loops"]] == [
        ("asyncio loop @MainThread", False)
    ]
    (made,) = (row["made"] for row in counters["coroutines"] if row["coro"] == "main")
    assert made == 4


def test_threads(recorded: tuple[Path, Any]) -> None:
    """Of all states of all threads, up to where both are complete."""
    trace, counters = recorded
    states = counters["thread_states_ns"]
    slices = lengths(trace, "gil", counters["now_ns"])
    assert states["GIL wait"] == slices.get("GIL wait", 0)
    assert states["lock"] == sum(lengths(trace, "lock", counters["now_ns"]).values())


def test_lock(recorded: tuple[Path, Any]) -> None:
    _, counters = recorded
    mine = [row for row in counters["locks"] if "contend" in row["site"]]
    assert [(row["waiters"], row["waited_ns"]["count"]) for row in mine] == [(0, 1)]


def test_collections(recorded: tuple[Path, Any]) -> None:
    trace, counters = recorded
    slices = [
        event
        for event in read_strict(trace.read_bytes()).events
        if event.type == s.TYPE_SLICE_BEGIN
        and event.category == "gc"
        and event.time_ns < counters["now_ns"]
    ]
    assert sum(row["pause_ns"]["count"] for row in counters["gc"]) >= 1
    assert len(slices) >= sum(row["pause_ns"]["count"] for row in counters["gc"])


# --- the commands ---


def test_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Program(tmp_path) as program:
        assert cli.main(["ps"]) == 0
        (line,) = [
            row for row in capsys.readouterr().out.splitlines() if str(program.pid) in row
        ]
        assert line.split()[-1].endswith("live.py")
        assert cli.main(["ps", "--json"]) == 0
        rows = json.loads(capsys.readouterr().out)["recordings"]
        assert str(program.trace) in [row["file"] for row in rows]
        assert cli.main(["metrics", str(program.pid)]) == 0
        assert f'pid="{program.pid}"' in capsys.readouterr().out
        assert cli.main(["metrics", str(program.pid), "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["pid"] == program.pid


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ("1", "process 1 is not being recorded"),
        ("nonsense", "neither a pid nor the path of a socket"),
        ("/nowhere/1.sock", "cannot use '/nowhere'"),
        ("/dev/null", "is not a socket"),
    ],
)
def test_refusals(capsys: pytest.CaptureFixture[str], target: str, says: str) -> None:
    assert cli.main(["metrics", target]) == 1
    refusal = capsys.readouterr().err
    assert refusal.startswith("tracer: ")
    assert says in refusal
    assert refusal.count("\n") == 1
