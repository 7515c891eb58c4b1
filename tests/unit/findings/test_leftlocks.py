"""Locks that a job of a pool, or a task that was cancelled, left locked."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds
from tracer import schema as s

REFRESH = "/app/tool.py:15 refresh"
JOB = "/lib/python3.13/concurrent/futures/thread.py:58 _WorkItem.run"


def jobs(how=s.CANCELLED, released=False, lives=False, ns=400 * MS, got=False):
    """A job acquires a lock for `call`; the jobs of two others wait for it in vain."""
    trace = TraceBuilder(argv="tool.py", signals=SIGNALS)
    main = trace.thread("MainThread").running(0)
    workers = [trace.thread(f"asyncio_{n}").native(0) for n in range(2)]
    loop, lock = trace.loop(main), trace.lock("Lock", JOB)
    call = loop.task("call", site="/app/tool.py:20 call")
    by = call.ready(0).running(0).state
    call.awaits(MS, "executor", site=REFRESH)
    loop.step(call, 0, MS)
    workers[0].runs(2 * MS, "_thread.lock.acquire", "", by=by)
    end = 40 * MS + ns
    lock.hold(3 * MS, 30 * MS if released else end + 4 * MS, workers[0], site=JOB)
    idle = trace.lock("executor idle", "")
    workers[0].lock_wait(4 * MS, "executor idle", lock=idle, acquired=True)
    if not lives:
        call.ready(5 * MS, waker="timer").running(6 * MS).done(7 * MS, how)
        loop.step(call, 6 * MS, 7 * MS)
    others = [loop.task("call", site="/app/tool.py:20 call") for _ in range(2)]
    for n, (worker, task) in enumerate(zip(workers, others, strict=True)):
        at = 38 * MS + n
        by = task.ready(at).running(at).state
        task.awaits(at + 1, "executor", site=REFRESH)
        loop.step(task, at, at + 1)
        worker.native(39 * MS + n).runs(39 * MS + n, "_thread.lock.acquire", "", by=by)
        worker.lock_wait(
            40 * MS, "Lock", lock=lock, owner=None if released else workers[0], site=JOB,
            acquired=got, stack=JOB,
        )  # fmt: skip
        worker.native(end).lock_wait(end + 1, "executor idle", lock=idle, acquired=True)
    for n, task in enumerate(others):
        at = end + n * MS
        task.ready(at, waker="io").running(at).done(at + 1)
        loop.step(task, at, at + 1)
    if lives:
        call.ready(end + 2 * MS, waker="timer").running(end + 3 * MS).done(end + 3 * MS + 1)
        loop.step(call, end + 3 * MS, end + 3 * MS + 1)
    for thread in (*workers, main):
        thread.end(end + 5 * MS)
    return trace.ended(end + 6 * MS)


def test_a_lock_for_a_cancelled_task(tmp_path):
    (found,) = find_in(tmp_path, jobs())
    assert found.finding == "slots never returned"
    assert found.text == (
        "Slots never returned: 2 tasks `call` waited for a Lock in `refresh` (tool.py:15) in "
        "vain: 2 waits, 800 ms in total, the longest 400 ms (at 40.0 ms). `asyncio_0` "
        "acquired it for `call` in `refresh` (tool.py:15), which was cancelled, at 3.00 ms, "
        "and nobody has released it since. A task that is cancelled leaves the thread to "
        "acquire the lock: use an `asyncio.Lock` in coroutines, or acquire and release it in "
        "one job."
    )
    assert found.severity_ns == 800 * MS


def test_a_lock_for_a_task_that_has_ended(tmp_path):
    (found,) = find_in(tmp_path, jobs(how=s.DONE))
    assert "in `refresh` (tool.py:15), which has ended, at 3.00 ms" in found.text


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"lives": True}, id="its task may release it"),
        pytest.param({"ns": 200 * MS}, id="little is lost"),
        pytest.param({"got": True}, id="they got it"),
        pytest.param({"released": True}, id="it was released"),
    ],
)
def test_a_lock_that_somebody_may_release(tmp_path, story):
    assert "slots never returned" not in kinds(tmp_path, jobs(**story))


def plain(later_ns=50 * MS):
    """A job of a thread ends without releasing its lock; another thread waits 600 ms."""
    trace = TraceBuilder(argv="job.py", signals=SIGNALS)
    main, worker = trace.thread("MainThread").native(0), trace.thread("job_0").native(0)
    site = "/app/job.py:4 save"
    lock, idle = trace.lock("Lock", site), trace.lock("executor idle", "")
    worker.runs(MS, "save", "/app/job.py:3 save", by=main.submits(0))
    lock.hold(2 * MS, later_ns + 650 * MS, worker, site=site)
    worker.lock_wait(40 * MS, "executor idle", lock=idle, acquired=True)
    main.lock_wait(
        later_ns, "Lock", lock=lock, owner=worker, site="/app/job.py:9 main", acquired=False
    )
    main.native(later_ns + 600 * MS)
    worker.native(later_ns + 601 * MS)
    for thread in (worker, main):
        thread.end(later_ns + 700 * MS)
    return trace.ended(later_ns + 701 * MS)


def test_a_job_that_does_not_release(tmp_path):
    (found,) = find_in(tmp_path, plain())
    assert found.text == (
        "Slots never returned: `MainThread` waited for a Lock in `main` (job.py:9) in vain: "
        "1 wait, 600 ms (at 50.0 ms). `job_0` acquired it at "
        "job.py:4 at 2.00 ms in its job `save` (job.py:3), which has ended, and nobody has "
        "released it since. Acquire it with `with`, or release it in a `finally`."
    )


def test_a_job_that_still_runs(tmp_path):
    assert "slots never returned" not in kinds(tmp_path, plain(later_ns=20 * MS))


SYNC = "/app/sync.py:4 sync"


def all_cancelled(late_ns=MS, turns=1):
    """Tasks take turns with a lock of asyncio, until all are cancelled: whoever has it first,
    and `late_ns` later those who wait for it."""
    trace = TraceBuilder(argv="sync.py", signals=SIGNALS)
    thread = trace.thread("MainThread").native(0)
    loop, lock, at = trace.loop(thread), trace.lock("Lock", SYNC), 0
    main = loop.task("main", site="/app/sync.py:9 main").ready(0).running(0)
    tasks = [loop.task("sync", site="/app/sync.py:3 sync") for _ in range(4 + turns)]
    owner = tasks[0].id
    tasks[0].ready(1).running(2)
    lock.hold(3, 500 * MS, tasks[0], SYNC)
    tasks[0].awaits(4, "sleep", site="/app/sync.py:5 sync")
    for n, task in enumerate(tasks[1:]):
        task.ready(10 + n).running(20 + n)
        got = n < turns - 1
        task.awaits(30 + n, "Lock", acquired=got, lock=lock.id, site=SYNC, owner_task=owner)
    for n in range(turns - 1):
        before, after, at = tasks[n], tasks[n + 1], (n + 1) * 500 * MS
        before.ready(at, waker="timer").running(at)
        after.ready(at + 1, by=before)
        before.done(at + 2)
        after.running(at + 3)
        lock.hold(at + 4, at + 500 * MS, after, SYNC)
        after.awaits(at + 5, "sleep", site="/app/sync.py:5 sync")
    end = turns * 500 * MS
    tasks[turns - 1].ready(end, by=main).running(end + 10).done(end + 20, "cancelled")
    end += late_ns
    for n, task in enumerate(tasks[turns:]):
        task.ready(end + n, by=main).running(end + 10 + n).done(end + 20 + n, "cancelled")
    main.done(end + MS)
    thread.end(end + 2 * MS)
    return trace.ended(end + 3 * MS)


@pytest.mark.parametrize(
    ("story", "is_told"),
    [
        pytest.param({}, False, id="as the program ends"),
        pytest.param({"turns": 3}, False, id="… after others who gave it on"),
        pytest.param({"late_ns": 400 * MS}, True, id="long before"),
    ],
)
def test_a_lock_whose_holder_is_cancelled(tmp_path, story, is_told):
    """Half a second must be lost after its end."""
    found = kinds(tmp_path, all_cancelled(**story))
    assert ("slots never returned" in found) == is_told
