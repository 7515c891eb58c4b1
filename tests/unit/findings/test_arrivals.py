"""Tasks that share permits: a batch that is only paced, or requests that come one by one."""

import pytest

from tests.support.builder.trace import Task, TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds


def arrivals(every_ns=20 * MS, count=20, held_ns=100 * MS):
    """One task makes others, which share two permits, one by one: as requests come."""
    trace = TraceBuilder(argv="api.py", signals=SIGNALS)
    loop = trace.loop(trace.thread("MainThread"))
    site, lock = "/app/api.py:9 call", trace.lock("Semaphore", "/app/api.py:9 call")
    main = loop.task("clients", site="/app/api.py:20 clients").ready(0).running(1)
    main.awaits(2, "sleep", site="/app/api.py:22 clients")
    tasks = [
        loop.task("call", site="/app/api.py:8 call", parent=main.id) for _ in range(count)
    ]
    events, free = list[tuple[int, int, str]](), [0, 0]
    for n in range(count):
        born = MS + n * every_ns
        slot = free.index(min(free))
        got = max(born, free[slot])
        free[slot] = got + held_ns + 100
        events += [(born, n, "waits" if got > born else "has"), (got + held_ns, n, "ends")]
        if got > born:
            events.append((got + 50, n, "gets"))
    by: dict[int, Task] = {}
    holders = list[int]()
    for at, n, what in sorted(events):
        task = tasks[n]
        if what in ("has", "waits"):
            task.ready(at).running(at)
        if what == "has":
            task.awaits(at + 1, "sleep", site="/app/api.py:12 call")
            holders.append(n)
        elif what == "waits":
            task.awaits(at + 1, "Semaphore", lock=lock.id, site=site)
        elif what == "gets":
            task.running(at).awaits(at + 1, "sleep", site="/app/api.py:12 call")
            holders.append(n)
        else:
            task.ready(at, waker="timer").running(at)
            holders.remove(n)
            waiting = [m for t, m, w in sorted(events) if w == "gets" and t > at]
            if waiting and waiting[0] not in by:
                by[waiting[0]] = task
                tasks[waiting[0]].ready(at + 1, by=task)
            task.done(at + 2)
    return trace.ended(max(at for at, _, _ in events) + MS)


def test_tasks_that_one_task_makes_as_requests_come(tmp_path):
    (found,) = find_in(tmp_path, arrivals())
    assert found.finding == "pool exhausted"
    assert "share 2 permits of a `Semaphore`" in found.text


@pytest.mark.parametrize("story", [{"every_ns": MS}, {"every_ns": 55 * MS}, {"count": 8}])
def test_tasks_of_a_batch_and_a_service_that_keeps_up(tmp_path, story):
    assert kinds(tmp_path, arrivals(**story)) == []
