"""Waits for one condition: who gives up hands on what it was notified of, and waits itself."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds

TAKE = "/app/pool.py:14 take"


def takers(count=3, same=True, ns=600 * MS):
    """Each wakes the next one when its time is over, which waits again at once."""
    trace = TraceBuilder(argv="pool.py", signals=SIGNALS)
    thread = trace.thread("MainThread").running(0)
    loop, one = trace.loop(thread), trace.lock("Condition", TAKE)
    tasks = [loop.task("visitor", site="/app/pool.py:30 visitor") for _ in range(count)]
    locks = [one if same else trace.lock("Condition", TAKE) for _ in tasks]
    for n, (task, lock) in enumerate(zip(tasks, locks, strict=True)):
        at = MS + n * 20 * MS
        task.ready(at).running(at)
        task.awaits(at + 1, "Condition", lock=lock.id, acquired=n > 0, site=TAKE)
        loop.step(task, at, at + 1)
    for n, task in enumerate(tasks):
        at = MS + n * 20 * MS + ns
        task.ready(at, waker="timer").running(at + 1)
        if n + 1 < count:
            tasks[n + 1].ready(at + 2, by=task)
        task.done(at + 3, "failed: TimeoutError")
        loop.step(task, at + 1, at + 3)
        if n + 1 < count:
            then = tasks[n + 1]
            then.running(at + 4)
            then.awaits(at + 5, "Condition", lock=locks[n + 1].id, acquired=False, site=TAKE)
            loop.step(then, at + 4, at + 5)
    thread.end(ns + 80 * MS)
    return trace.ended(ns + 81 * MS)


def test_nobody_notifies(tmp_path):
    (found,) = find_in(tmp_path, takers())
    assert found.finding == "wait in vain"
    assert found.text == (
        "Waited in vain: 3 tasks `visitor` in `take` (pool.py:14) gave up 3 waits in "
        "`Condition`, 1.80 s in total, the longest 600 ms (at 1.00 ms); 2 of them had been "
        "woken meanwhile and waited again at once. Look at what should have ended it, and "
        "whether it was ever started."
    )


def test_somebody_who_sleeps_in_another_condition(tmp_path):
    assert "missed wake-up" in kinds(tmp_path, takers(same=False))


@pytest.mark.parametrize("story", [{"ns": 150 * MS}, {"count": 1}])
def test_little_is_lost(tmp_path, story):
    assert kinds(tmp_path, takers(**story)) == []
