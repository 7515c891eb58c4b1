"""Loops that one task keeps busy with many short steps."""

import pytest

from tests.support.builder.samples import SampleBuilder
from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds

COLLECT, TICKER = "/app/get.py:30 collect", "/app/get.py:12 ticker"


def collected(
    steps=200, step_ns=8 * MS, tasks=1, rest_ns=MS, waits_ns=7 * MS, other_loop=False
):
    """`collect` computes again and again; after each step a `ticker` runs, which was ready
    for so long. On an `other_loop` a task computes in one step."""
    trace = TraceBuilder(argv="get.py", signals=SIGNALS)
    thread = trace.thread("MainThread").running(0)
    loop = trace.loop(thread)
    busy = [loop.task("collect", site=COLLECT) for _ in range(tasks)]
    ticker = loop.task("ticker", site=TICKER).ready(0).running(0)
    ticker.awaits(1, "sleep", site=TICKER)
    loop.step(ticker, 0, 1)
    for n, task in enumerate(busy):
        task.ready(2 + n)
    at = MS
    for n in range(steps):
        task = busy[n % tasks]
        task.running(at)
        loop.step(task, at, at + step_ns)
        task.awaits(at + step_ns, "wait", site=COLLECT)
        ticker.ready(at + step_ns - waits_ns, waker="timer").running(at + step_ns)
        loop.step(ticker, at + step_ns, at + step_ns + MS // 10)
        ticker.awaits(at + step_ns + MS // 10, "sleep", site=TICKER)
        at += step_ns + rest_ns
        task.ready(at - MS // 10, waker="io")
    if other_loop:
        second = trace.thread("second").native(0)
        alone = trace.loop(second)
        task = alone.task("digest", site="/app/get.py:50 digest").ready(0).running(20 * MS)
        task.done(1_520 * MS)
        alone.step(task, 20 * MS, 1_520 * MS)
        second.end(at)
    for task in busy:
        task.running(at).done(at + 1)
        loop.step(task, at, at + 1)
        at += 2
    ticker.ready(at).running(at).done(at + 1)
    loop.step(ticker, at, at + 1)
    thread.end(at + MS)
    return trace.ended(at + 2 * MS)


def test_one_task_keeps_the_loop_busy(tmp_path):
    (found,) = find_in(tmp_path, collected())
    assert found.finding == "loop overloaded"
    assert found.text == (
        "Event loop overloaded: `collect` (get.py:30) runs 201 steps, which take 89 % of "
        "1.80 s (at 2 ns), though nine in ten take 8.00 ms or less. `ticker` (get.py:12) "
        "waits for it 202 times, 1.40 s in all. Do less in each step (not again for all that "
        "still waits, as `asyncio.wait` in a loop does), or compute in a thread or process."
    )
    assert found.evidence.site == COLLECT


def test_another_loop_that_computes_and_delays_nobody(tmp_path):
    (found,) = find_in(tmp_path, collected(other_loop=True))
    assert found.text.startswith("Event loop overloaded: `collect` (get.py:30) runs 201 steps")


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"steps": 120}, id="less than a second"),
        pytest.param({"rest_ns": 7 * MS}, id="the loop has time"),
        pytest.param({"waits_ns": 2 * MS}, id="others are hardly late"),
        pytest.param(
            {"steps": 1_000, "step_ns": 2 * MS, "waits_ns": MS},
            id="it yields often",
            marks=pytest.mark.broad,
        ),
        pytest.param({"tasks": 4}, id="several tasks"),
    ],
)
def test_tasks_that_are_no_fault(tmp_path, story):
    assert "loop overloaded" not in kinds(tmp_path, collected(**story))


READS = "/usr/lib/python3.13/asyncio/selector_events.py:961 _read_ready"


def fed(
    calls=200,
    ns=8 * MS,
    more_ns=0,
    rest_ns=MS,
    waits_ns=7 * MS,
    by="callback",
    taken_ns=0,
    sampled="",
):
    """A callback runs again and again, each time for longer; after it a `ticker`, ready for
    so long. `taken_ns`: how long the kernel takes the CPU in each call. `sampled`: the file in
    which a sample of each call is."""
    trace = TraceBuilder(argv="feed.py", signals=SIGNALS)
    thread, samples = trace.thread("MainThread").running(0), SampleBuilder(trace)
    loop = trace.loop(thread)
    ticker = loop.task("ticker", site=TICKER).ready(0).running(0)
    ticker.awaits(1, "sleep", site=TICKER)
    loop.step(ticker, 0, 1)
    at = MS
    for n in range(calls):
        took = ns + n * more_ns
        if taken_ns:
            thread.preempted(at + 1).running(at + 1 + taken_ns)
        loop.callback(by, READS, at, at + took)
        if sampled:
            samples.add(thread, at + MS, ("feed", sampled, 7))
        ticker.ready(at + took - waits_ns, waker="timer").running(at + took)
        loop.step(ticker, at + took, at + took + MS // 10)
        ticker.awaits(at + took + MS // 10, "sleep", site=TICKER)
        at += took + MS // 10 + rest_ns
    ticker.ready(at).running(at).done(at + 1)
    loop.step(ticker, at, at + 1)
    thread.end(at + MS)
    return trace.ended(at + 2 * MS)


def test_one_callback_keeps_the_loop_busy(tmp_path):
    (found,) = find_in(tmp_path, fed())
    assert found.finding == "loop overloaded"
    assert found.text == (
        "Event loop overloaded: `callback` (asyncio/selector_events.py:961) runs 200 times, "
        "which take 88 % of 1.82 s (at 1.00 ms), though nine in ten take 8.00 ms or less. "
        "`ticker` (get.py:12) waits for it 202 times, 1.40 s in all. Do less in each step "
        "(not again for all that still waits, as `asyncio.wait` in a loop does), or compute "
        "in a thread or process."
    )
    assert found.evidence.site == READS


@pytest.mark.parametrize(
    ("file", "told"),
    [("/app/feed.py", True), ("/usr/lib/python3.13/asyncio/streams.py", False)],
)
def test_a_librarys_callback_in_whose_code(tmp_path, file, told):
    """Where it is the library's own, many bytes come: the program has nothing to change."""
    assert ("loop overloaded" in kinds(tmp_path, fed(sampled=file))) == told


def test_calls_that_take_longer_and_longer(tmp_path):
    (found,) = find_in(tmp_path, fed(ns=4 * MS, more_ns=MS // 15, waits_ns=4 * MS))
    assert (
        "They take longer and longer, 5.63 ms on average at first, 15.6 ms in the end"
        not in found.text
    )
    (found,) = find_in(tmp_path, fed(ns=3 * MS, more_ns=MS // 15, waits_ns=3 * MS))
    assert "They take longer and longer, 4.63 ms on average at first, 14.6 ms" in found.text


def test_what_the_kernel_took_of_calls_that_take_longer(tmp_path):
    busy = {"more_ns": MS // 15, "waits_ns": 3 * MS}
    (found,) = find_in(tmp_path, fed(ns=6 * MS, taken_ns=3 * MS, **busy))
    assert "They take longer and longer, 4.63 ms on average at first, 14.6 ms" in found.text


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"calls": 110}, id="less than a second"),
        pytest.param({"rest_ns": 7 * MS}, id="the loop has time"),
        pytest.param({"waits_ns": 2 * MS}, id="others are hardly late"),
        pytest.param({"calls": 90, "ns": 15 * MS}, id="few calls"),
    ],
)
def test_callbacks_that_are_no_fault(tmp_path, story):
    assert "loop overloaded" not in kinds(tmp_path, fed(**story))
