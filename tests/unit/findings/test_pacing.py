"""Batches that share permits: a pace of their own, or held up by a few, or kept asleep."""

import pytest

from tests.support.builder.trace import Task, TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds

TENACITY = "/lib/site-packages/tenacity/asyncio/__init__.py:9 AsyncRetrying.__call__"
CALL = "/app/batch.py:12 back_off"


def batch(
    quick_ns=5 * MS,
    slow_ns=600 * MS,
    slow=2,
    permits=2,
    asks="",
    asked_ns=10 * MS,
    stack=CALL,
):
    """`main` starts tasks that share permits: some keep one for long, then quick ones."""
    trace = TraceBuilder(argv="batch.py", signals=SIGNALS)
    loop = trace.loop(trace.thread("MainThread"))
    main = loop.task("main", site="/app/batch.py:1 main").ready(0).running(1)
    lock = trace.lock("Semaphore", "/app/batch.py:9 call")
    members = [
        loop.task("call", site="/app/batch.py:8 call", parent=main.id).ready(2)
        for _ in range(6)
    ]
    main.awaits(10, "gather")
    gave: list[tuple[int, Task]] = []
    for n, task in enumerate(members):
        task.running(20 + n)
        at_ns = 0
        if n >= permits:
            at_ns, by = gave.pop(0)
            task.awaits(40, "Semaphore", lock=lock.id, site="/app/batch.py:9 call")
            task.ready(at_ns, by=by).running(at_ns + 20)
            by.done(at_ns + 10)
        start = max(at_ns, 40) + 30 + n
        if asks:
            task.awaits(start, asks, site="/app/batch.py:10 call")
            task.ready(start + asked_ns).running(start + asked_ns + 1)
            start += asked_ns + 2
        task.awaits(start, "sleep", site=CALL, stack=stack)
        end = start + (slow_ns if n < slow else quick_ns) + n
        task.ready(end).running(end + 1)
        gave.append((end + 2 + n, task))
        gave.sort(key=lambda one: one[0])
    for at_ns, by in gave:
        by.done(at_ns)
    return trace.ended(4 * (slow_ns + asked_ns))


def test_quick_tasks_of_a_batch_behind_slow_ones(tmp_path):
    (found,) = find_in(tmp_path, batch())
    assert found.finding == "pool exhausted"
    assert "2 permits of a `Semaphore`" in found.text
    assert "asleep in `back_off` (batch.py:12)" in found.text


def test_quick_tasks_behind_several_rounds_of_slow_ones(tmp_path):
    (found,) = find_in(tmp_path, batch(slow=4))
    assert found.finding == "pool exhausted"


def test_a_batch_that_sleeps_between_attempts(tmp_path):
    story = {"quick_ns": 300 * MS, "slow_ns": 300 * MS, "stack": f"{TENACITY}\n{CALL}"}
    (found,) = find_in(tmp_path, batch(**story))
    assert found.finding == "pool exhausted"


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"quick_ns": 300 * MS}, id="all are slow"),
        pytest.param({"quick_ns": 90 * MS, "slow": 4}, id="not much slower"),
        pytest.param(
            {"quick_ns": 600 * MS, "stack": f"{CALL}\n{TENACITY}"}, id="the attempt sleeps"
        ),
        pytest.param({"slow_ns": 100 * MS}, id="little is lost"),
    ],
)
def test_a_batch_at_a_pace(tmp_path, story):
    assert kinds(tmp_path, batch(**story)) == []


def test_others_pass_by_the_slow_one(tmp_path):
    """The permits are no fault then; the batch only waits for that one in the end."""
    assert kinds(tmp_path, batch(slow=1)) == ["slow answer"]


def test_a_batch_that_sleeps_when_its_work_is_done(tmp_path):
    (found,) = find_in(tmp_path, batch(quick_ns=300 * MS, asks="socket"))
    assert found.finding == "pool exhausted"
    assert "98 % of that time asleep in `back_off` (batch.py:12)" in found.text


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"asks": "sleep"}, id="that sleep may be its work"),
        pytest.param({"asks": "socket", "asked_ns": 400 * MS}, id="the work takes longer"),
    ],
)
def test_a_batch_that_works(tmp_path, story):
    assert kinds(tmp_path, batch(quick_ns=300 * MS, slow_ns=300 * MS, **story)) == []


def test_a_permit_that_is_a_lock(tmp_path):
    """One permit sets no pace: it lets one pass at a time, as a lock does."""
    (found,) = find_in(tmp_path, batch(permits=1, slow=0, quick_ns=300 * MS))
    assert found.finding == "pool exhausted"
    assert "share 1 permit of a `Semaphore`" in found.text
