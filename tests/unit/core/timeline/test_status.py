"""The counters that a live recording answers with say what its trace says."""

import json
from typing import Any

import pytest

from tests.support.records import FUNC, LINE, MAIN, OTHER, SLEEP, Script, a_task
from tracer import _core

CALL = _core.intern("io: socket.recv", "")[0]
LOCK = _core.intern("lock wait: Lock", "")[0]
IO_CLASS, LOCK_CLASS = 1, 3
LAST_BUCKET_NS = 1 << 40


def status(script: Script) -> Any:
    return json.loads(_core.status(script.records, 1))


def length(script: Script, name: str) -> int:
    """Of all closed slices of that name."""
    return sum(end - begin for what, begin, end in script.slices() if what == name and end > 0)


def the_loop(script: Script) -> Any:
    (loop,) = status(script)["loops"]
    return loop


@pytest.fixture
def script() -> Script:
    """A task that is ready for 1 µs, runs for 2, sleeps for 90, is ready and runs again."""
    script = Script([])
    a_task(script)
    script.add(3_000, "STEP_BEGIN", 1, 1)
    script.add(5_000, "STEP_AWAIT", 1, SLEEP << 32 | LINE)
    script.add(5_500, "POLL_BEGIN", 1)
    script.add(95_000, "POLL_END", 1)
    script.add(95_000, "READY", 1)
    script.add(99_000, "STEP_BEGIN", 1, 1)
    script.add(104_000, "STEP_DONE", 1)
    return script


def test_coroutine_adds_up_to_its_slices(script: Script) -> None:
    (row,) = status(script)["coroutines"]
    assert (row["coro"], row["live"], row["made"]) == ("handler", 0, 1)
    assert row["running_ns"] == {"count": 2, "total": 7_000, "max": 5_000}
    assert row["ready_ns"] == {"count": 2, "total": 5_000, "max": 4_000}
    assert row["await_ns"] == {"count": 1, "total": 90_000, "max": 90_000}
    for state in ("running", "ready"):
        assert row[f"{state}_ns"]["total"] == length(script, f"task:{state}")


def test_loop_is_idle_in_its_polls(script: Script) -> None:
    loop = the_loop(script)
    assert loop["name"] == "asyncio loop @MainThread"
    assert (loop["ran_ns"], loop["idle_ns"]) == (104_000 - 1_500, 95_000 - 5_500)
    assert loop["idle_ns"] == length(script, "loop:select")
    assert (loop["runs"], loop["steps"], loop["callbacks"]) == (True, 2, 0)


def test_loop_that_stopped_does_not_go_on(script: Script) -> None:
    script.add(105_000, "LOOP_STOP", 1)
    script.add(900_000, "LOOP_RUN", 1)
    script.add(901_000, "LOOP_STOP", 1)
    loop = the_loop(script)
    assert (loop["runs"], loop["ran_ns"]) == (False, 105_000 - 1_500 + 1_000)


def test_lag_is_in_the_buckets_that_it_belongs_to(script: Script) -> None:
    loop = the_loop(script)
    assert loop["lag_ns"] == {"count": 2, "total": 5_000, "max": 4_000}
    assert loop["lag_buckets"] == [[1_024, 1], [4_096, 1]]


@pytest.mark.parametrize("ns", [1, 1_023, 1_024, 1_279, 1_280, 5_000, 123_456_789, 1 << 36])
def test_bucket_ends_above_what_it_holds(ns: int) -> None:
    script = Script([])
    a_task(script)
    script.add(2_000 + ns, "STEP_BEGIN", 1, 1)
    ((end, count),) = the_loop(script)["lag_buckets"]
    assert count == 1
    assert ns < end
    assert end <= max(1_024, ns * 5 / 4 + 1)


def test_lengths_beyond_the_last_bucket_have_no_limit() -> None:
    script = Script([])
    a_task(script)
    script.add(2_000 + LAST_BUCKET_NS, "STEP_BEGIN", 1, 1)
    assert the_loop(script)["lag_buckets"] == [[0, 1]]


def test_what_runs_and_what_is_ready_now(script: Script) -> None:
    script = Script([])
    a_task(script)
    script.add(2_500, "TASK_NEW", 2, FUNC, 1)
    script.add(2_600, "READY", 2)
    script.add(3_000, "STEP_BEGIN", 1, 1)
    script.add(9_000, "GC_BEGIN", 0)
    counters = status(script)
    (loop,) = counters["loops"]
    assert (loop["tasks"], loop["ready"], loop["ready_longest_ns"]) == (2, 1, 9_000 - 2_600)
    assert (loop["now"]["coro"], loop["now"]["ns"]) == ("handler", 6_000)
    assert counters["tasks"] == {"live": 2, "ready": 1, "running": 1, "awaiting": 0}


def calls(script: Script, tid: int = MAIN) -> None:
    """Takes the GIL, reads from a socket for 4 µs, runs for 3, waits for the GIL for 2."""
    script.add(1_000, "TAKE", tid=tid)
    script.add(7_000, "CALL", CALL, 4, flag=IO_CLASS, tid=tid)
    script.add(7_000, "TAKE", 0, 3_000, tid=tid)
    script.add(12_000, "TAKE", 0, 10_000, 10_000, tid=tid)


def test_thread_adds_up_to_its_slices() -> None:
    script = Script([])
    calls(script)
    script.add(20_000, "THREAD_EXIT", tid=MAIN)
    counters = status(script)
    states = {name: ns for name, ns in counters["thread_states_ns"].items() if ns}
    assert states == {"running": 13_000, "io": 4_000, "GIL wait": 2_000}
    assert states["running"] == length(script, "thread:running")
    assert counters["gil"] == {"held_ns": 13_000, "waited_ns": 2_000, "holder": 0}
    assert counters["threads"] == []


def test_state_that_lasts_counts_up_to_now() -> None:
    script = Script([])
    calls(script)
    script.add(50_000, "GC_BEGIN", 0, tid=OTHER)
    counters = status(script)
    first = next(row for row in counters["threads"] if row["tid"] == MAIN)
    assert (first["state"], first["state_ns"]) == ("running", 38_000)
    assert first["states_ns"]["running"] == 2_000 + 3_000 + 38_000
    assert counters["gil"]["holder"] == MAIN


def test_collections_by_generation() -> None:
    script = Script([])
    for begin, generation, collected in ((2_000, 0, 3), (9_000, 2, 5), (20_000, 2, 1)):
        script.add(begin, "GC_BEGIN", generation)
        script.add(begin + 1_000 * (generation + 1), "GC_END", generation, collected, 1)
    rows = status(script)["gc"]
    assert [row["pause_ns"]["total"] for row in rows] == [1_000, 0, 6_000]
    assert [row["collected"] for row in rows] == [3, 0, 6]
    assert rows[2]["pause_ns"]["count"] == rows[2]["uncollectable"] == 2


def test_waits_over_a_second_lead_with_the_longest() -> None:
    script = Script([])
    a_task(script)
    script.add(3_000, "STEP_BEGIN", 1, 1)
    script.add(5_000, "STEP_AWAIT", 1, SLEEP << 32 | LINE)
    script.add(9_000, "TASK_NEW", 2, FUNC, 1)
    script.add(9_000, "TASK_NAME", 2, text=b'a "quoted" \\ name')
    script.add(9_000, "READY", 2)
    script.add(10_000, "STEP_BEGIN", 2, 1)
    script.add(11_000, "STEP_AWAIT", 2, SLEEP << 32 | LINE, 1)
    script.add(1_000_005_000, "GC_BEGIN", 0)
    assert [wait["task"] for wait in status(script)["waits"]] == ["Task-1"]
    script.add(1_000_011_000, "GC_END", 0)
    counters = status(script)
    assert [(w["task"], w["what"], w["site"], w["ns"]) for w in counters["waits"]] == [
        ("Task-1", "await sleep", "app.py:5 handler", 1_000_006_000),
        ('a "quoted" \\ name', "await task Task-1", "app.py:5 handler", 1_000_000_000),
    ]
    assert counters["waits_omitted"] == 0


def test_tasks_of_two_loops() -> None:
    """Each loop has its own numbers, and the process has the sums."""
    script = Script([])
    for loop, tid in ((1, MAIN), (2, OTHER)):
        script.add(1_000, "LOOP_RUN", loop, tid=tid)
        for task in range(loop):
            script.add(2_000 * loop, "TASK_NEW", 10 * loop + task, FUNC, loop, tid=tid)
            script.add(2_000 * loop, "READY", 10 * loop + task, tid=tid)
    script.add(5_000, "STEP_BEGIN", 20, 2, tid=OTHER)
    found = status(script)
    rows = [(row["loop"], row["tasks"], row["ready"]) for row in found["loops"]]
    assert sorted(rows) == [(1, 1, 1), (2, 2, 1)]
    longest = {row["loop"]: row["ready_longest_ns"] for row in found["loops"]}
    assert longest == {1: 3_000, 2: 1_000}
    assert found["tasks"] == {"live": 3, "ready": 2, "running": 1, "awaiting": 0}
