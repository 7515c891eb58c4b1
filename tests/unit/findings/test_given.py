"""Circles through a coroutine that a thread gave to a loop."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds

EXPORT, LOCKED = "/app/store.py:18 export", "/app/store.py:24 sync_all"


def store(wants_lock=True, two=False, ns=600 * MS):
    """`sync_all` has a lock and awaits a job, which waits for `snapshot`, a coroutine that it
    gave to the loop; `wants_lock`: that wants the lock. `two`: another task began with it."""
    trace = TraceBuilder(argv="store.py", signals=SIGNALS)
    main, worker = trace.thread("MainThread").running(0), trace.thread("asyncio_0")
    worker.native(0)
    loop, lock = trace.loop(main), trace.lock("asyncio.Lock", LOCKED)
    sync = loop.task("sync_all", site="/app/store.py:23 sync_all").ready(0).running(1)
    submitted = sync.state  # what it submits, it does at some time in this step
    sync.awaits(MS, "executor", site="/app/store.py:25 sync_all")
    loop.step(sync, 1, MS)
    worker.runs(3 * MS, "export", "/app/store.py:15 export", by=submitted)
    wake, end = worker.wakes(9 * MS), 20 * MS + ns
    result = trace.lock("Future.result", EXPORT)
    worker.lock_wait(10 * MS, "Future.result", lock=result, site=EXPORT, acquired=False)
    loop.callback("callback", "/lib/asyncio/tasks.py:1 callback", 11 * MS, 12 * MS, by=wake)
    tasks = [loop.task("snapshot", site="/app/store.py:11 snapshot").ready(11 * MS + 5)]
    if two:
        tasks.append(loop.task("other", site="/app/store.py:40 other").ready(11 * MS + 6))
    for n, task in enumerate(tasks):
        start = (13 + n) * MS
        task.running(start)
        if wants_lock and not n:
            task.awaits(
                start + MS, "Lock", lock=lock.id, site="/app/store.py:12 snapshot",
                owner_task=sync.id, owner_name="sync_all",
            )  # fmt: skip
        else:
            task.awaits(start + MS, "sleep", site="/app/store.py:13 snapshot")
        loop.step(task, start, start + MS)
    lock.hold(10, end + MS, sync, LOCKED)
    worker.native(end).end(end + 3 * MS)
    main.io(16 * MS, "select.epoll.poll").running(end).end(end + 2 * MS)
    return trace.ended(end + 3 * MS)


def test_a_coroutine_that_wants_the_lock_of_whoever_awaits_the_thread(tmp_path):
    found, *_ = find_in(tmp_path, store())
    assert found.finding == "deadlock"
    assert found.text == (
        "Deadlock at 14.0 ms, for 606 ms: `sync_all` in `sync_all` (store.py:25) waits for "
        "`export` (store.py:15), which `asyncio_0` runs; `asyncio_0` in `export` "
        "(store.py:18) waits for `snapshot`, which it gave to the loop; `snapshot` in "
        "`snapshot` (store.py:12) waits for the lock that `sync_all` holds, acquired at "
        "store.py:24. Release the lock before waiting."
    )


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"wants_lock": False}, id="it waits for something else"),
        pytest.param({"two": True}, id="which task is not known"),
        pytest.param({"ns": 30 * MS}, id="soon given up"),
    ],
)
def test_coroutines_of_threads_that_go_on(tmp_path, story):
    assert "deadlock" not in kinds(tmp_path, store(**story))
