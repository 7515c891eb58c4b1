"""Loops that sleep though a task is ready."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds

STACK = "/usr/lib/python3.13/asyncio/locks.py:192 Event.set\n/app/watch.py:9 watch"


def sleeping(ns=700 * MS, busy_ns=0, by_thread=True):
    """`watcher` makes a task ready; its loop is in select to the end of that time."""
    trace = TraceBuilder(argv="watch.py", signals=SIGNALS)
    thread, watcher = trace.thread("MainThread"), trace.thread("watcher").native(0)
    loop = trace.loop(thread)
    task = loop.task("main", site="/app/watch.py:14 main")
    task.ready(0).running(MS).awaits(2 * MS, "Event", site="/app/watch.py:15 main")
    loop.step(task, MS, 2 * MS)
    since, end = 100 * MS, 100 * MS + ns
    if by_thread:
        task.ready(since, by=watcher.wakes(since), stack=STACK, waker_thread=watcher.tid)
    else:
        task.ready(since, waker="timer")
    task.running(end).done(end + MS)
    thread.running(0).io(3 * MS, "select.epoll.poll")
    loop.select(3 * MS, end - busy_ns)
    thread.running(end - busy_ns)
    if busy_ns:
        loop.callback("work", "/app/watch.py:20 work", end - busy_ns, end)
    loop.step(task, end, end + MS)
    thread.end(end + 2 * MS)
    watcher.end(end + 2 * MS)
    return trace.ended(end + 3 * MS)


def test_a_loop_that_was_not_woken(tmp_path):
    (found,) = find_in(tmp_path, sleeping())
    assert found.finding == "missed wake-up"
    assert found.text == (
        "Missed wake-up: `main` was ready for 700 ms (at 100 ms), but its event loop slept on "
        "in `select`: `watcher` in `watch` (watch.py:9) made it ready from another thread, "
        "which does not wake the loop. 1 time, 700 ms in total. Call "
        "`loop.call_soon_threadsafe(...)`, or `asyncio.run_coroutine_threadsafe(...)`."
    )
    assert (found.severity_ns, found.evidence.site) == (700 * MS, "/app/watch.py:9 watch")


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"ns": 450 * MS}, id="little"),
        pytest.param({"busy_ns": 80 * MS}, id="the loop was busy"),
        pytest.param({"by_thread": False}, id="not by a thread"),
    ],
)
def test_a_loop_that_is_told(tmp_path, story):
    assert "missed wake-up" not in kinds(tmp_path, sleeping(**story))


def by_threads(*names):
    """A thread for each wake-up, after which the loop sleeps on for 300 ms."""
    trace = TraceBuilder(argv="watch.py", signals=SIGNALS)
    main = trace.thread("MainThread")
    loop = trace.loop(main)
    task = loop.task("main", site="/app/watch.py:14 main").ready(0).running(MS)
    now = 2 * MS
    main.running(0)
    for name in names:
        task.awaits(now, "future", site="/app/watch.py:15 main")
        loop.step(task, now - MS, now)
        device, woken, end = trace.thread(name).native(now), now + 50 * MS, now + 350 * MS
        task.ready(woken, by=device.wakes(woken), stack=STACK, waker_thread=device.tid)
        task.running(end)
        device.end(woken + MS)
        loop.select(now + MS, end)
        now = end + MS
    loop.step(task, now - MS, now)
    task.done(now)
    main.end(now + MS)
    return trace.ended(now + 2 * MS)


def test_a_thread_each_time(tmp_path):
    (found,) = find_in(tmp_path, by_threads("device-1", "device-2"))
    assert found.finding == "missed wake-up"
    assert "`device-N` in `watch` (watch.py:9) made it ready" in found.text
    assert found.severity_ns == 600 * MS


def test_threads_of_other_names(tmp_path):
    assert kinds(tmp_path, by_threads("device", "sensor")) == []
