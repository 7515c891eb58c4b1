"""Pools on a busy machine, on which whoever has a slot sleeps on."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, kinds

ASK, WORK = "/app/call.py:16 call", "/app/call.py:23 request"
ON_TIME, LATE, JITTER = (
    [20, 20, 20, 36, 36, 40, 30],
    [40, 40, 40],
    [20, 23, 26, 29, 32, 35, 38],
)


def slots(sleeps, users=7):
    """Tasks that come one by one share a permit, each asleep with it for so long."""
    trace = TraceBuilder(argv="call.py", signals=SIGNALS)
    thread = trace.thread("MainThread").native(0)
    loop, lock = trace.loop(thread), trace.lock("Semaphore", ASK)
    tasks = [loop.task("call", site="/app/call.py:14 call") for _ in range(users)]
    for n, task in enumerate(tasks):
        task.ready(n * 6 * MS).running(n * 6 * MS + 1)
        if n:
            task.awaits(n * 6 * MS + 2, "Semaphore", site=ASK, lock=lock.id)
    now = 3
    for n, task in enumerate(tasks):
        now = max(now, n * 6 * MS + 3)
        task.awaits(now, "sleep", site=WORK)
        now += sleeps[n % len(sleeps)] * MS
        task.ready(now, waker="timer").running(now + 1)
        if n + 1 < users:
            tasks[n + 1].ready(now + 2, by=task).running(now + 3)
        task.done(now + 4)
        now += 5
    thread.end(now + MS)
    return trace.ended(now + 2 * MS)


@pytest.mark.parametrize(
    ("sleeps", "users", "is_told"),
    [
        pytest.param(ON_TIME, 8, False, id="late sleeps alone make it half a second"),
        pytest.param(LATE, 8, True, id="they sleep so long"),
        pytest.param(JITTER, 8, True, id="each sleeps for another time"),
        pytest.param(ON_TIME, 12, True, id="half a second without that"),
        pytest.param(LATE[:1], 4, False, id="little is lost"),
    ],
)
def test_what_is_lost_by_the_pool(tmp_path, sleeps, users, is_told):
    assert ("pool exhausted" in kinds(tmp_path, slots(sleeps, users))) is is_told
