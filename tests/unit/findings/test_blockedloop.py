"""A loop that waits for a slot which its own tasks have."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds

ACQUIRE = "/app/limits.py:11 acquire"
THREADING = "/usr/lib/python3.13/threading.py"
WAITS = f"{THREADING}:511 Semaphore.acquire\n{ACQUIRE}\n/app/limits.py:18 intercept"


def limited(ns=900 * MS, line=20, gets=False, another=False):
    """Two tasks are asleep at a line of `intercept`; a third one waits for a permit in what
    that calls, and blocks the loop. `another`: a thread does, and not the loop's."""
    trace = TraceBuilder(argv="limits.py", signals=SIGNALS)
    main, end = trace.thread("MainThread").running(0), 10 * MS + ns
    loop, lock = trace.loop(main), trace.lock("Semaphore", ACQUIRE)
    asleep = f"/app/limits.py:14 fetch\n/app/limits.py:{line} intercept"
    for n in range(2):
        task = loop.task("call", site="/app/limits.py:30 call").ready(3 * n).running(3 * n + 1)
        task.awaits(3 * n + 2, "sleep", site="/app/limits.py:14 fetch", stack=asleep)
        loop.step(task, 3 * n + 1, 3 * n + 2)
    waiter = trace.thread("worker").native(0) if another else main
    call = loop.task("call", site="/app/limits.py:30 call").ready(MS).running(MS + 1)
    waiter.lock_wait(10 * MS, "Semaphore", lock=lock, site=ACQUIRE, stack=WAITS, acquired=gets)
    waiter.native(end)
    call.done(end + MS)
    loop.step(call, MS + 1, end + MS)
    if another:
        waiter.end(end + 3 * MS)
    main.end(end + 4 * MS)
    return trace.ended(end + 5 * MS)


def test_its_tasks_have_them(tmp_path):
    found, *_ = find_in(tmp_path, limited())
    assert (found.finding, found.severity_ns) == ("deadlock", 900 * MS)
    assert found.text == (
        "Deadlock at 10.0 ms, for 900 ms: `MainThread` waits for a permit of a `Semaphore` in "
        "`acquire` (limits.py:11), called in `intercept` (limits.py:18), and 2 tasks `call`, "
        "which hold one, cannot go on, since that blocks their loop. What blocks a loop "
        "must not wait for its tasks: use asyncio's own `Semaphore` or pool, or wait in a "
        "thread (`await asyncio.to_thread(...)`)."
    )


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"line": 16}, id="they are before that line"),
        pytest.param({"ns": 400 * MS}, id="not for long"),
        pytest.param({"gets": True}, id="it gets one"),
        pytest.param({"another": True}, id="a thread waits, and not the loop"),
    ],
)
def test_somebody_else_may_have_them(tmp_path, story):
    assert "deadlock" not in kinds(tmp_path, limited(**story))
