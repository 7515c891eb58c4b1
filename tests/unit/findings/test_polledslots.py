"""Pools of one's own that are asked for a free slot again and again."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds
from tracer import schema as s

ASKS = "/app/pool.py:19 Pool.take"
IN_REPORT = "/app/pool.py:30 report"
WORKS = "/app/pool.py:31 report"


def of_tasks(hold_ns=200 * MS, rate_ns=0, tasks=4, stack=f"{ASKS}\n{IN_REPORT}"):
    """Tasks sleep 20 ms at a time until the one before has ended, or a rate lets them."""
    trace = TraceBuilder(argv="pool.py", signals=SIGNALS)
    thread = trace.thread("MainThread").native(0)
    loop = trace.loop(thread)
    turn = rate_ns or hold_ns
    for n in range(tasks):
        task = loop.task("report", site="/app/pool.py:29 report").ready(n).running(10 + n)
        now = 20 + n
        while now < n * turn:
            task.awaits(now, "sleep", site=ASKS, stack=stack)
            now += 20 * MS
            task.ready(now, waker="timer").running(now + 1000)
            now += 2000
        task.awaits(now, "sleep", site=WORKS, stack=WORKS)
        end = now + hold_ns - 10 * MS
        task.ready(end, waker="timer").running(end + 1000).done(end + 2000)
    thread.end(tasks * turn + hold_ns)
    return trace.ended(tasks * turn + hold_ns + MS)


def of_threads(others=True, within=""):
    trace = TraceBuilder(argv="pool.py", signals=SIGNALS)
    for n in range(4):
        thread = trace.thread(f"job-{n}").native(0)
        now = 10 + n
        while now < n * 200 * MS:
            stack = f"{within}{ASKS}\n/app/pool.py:30 {'report' if others else '<module>'}"
            thread.enter(now, s.SLEEP, s.CAT_SLEEP, {s.ARG_STACK: stack, s.ARG_SITE: ASKS})
            now += 20 * MS
            thread.native(now)
            now += 1000
        thread.end(now + 190 * MS)
    return trace.ended(900 * MS)


def circle(pollers=4, ended_by_them=True, gives_up_ns=1_000 * MS, late_ns=0):
    """Tasks that have the connections ask for a lock; its owner waits for a connection."""
    trace = TraceBuilder(argv="cache.py", signals=SIGNALS)
    thread = trace.thread("MainThread").native(0)
    loop, conns = trace.loop(thread), trace.lock("Queue.get", "/app/cache.py:28 unlock")
    owner = loop.task("load", site="/app/cache.py:35 load").ready(0).running(0)
    owner.awaits(1, "sleep", site="/app/cache.py:36 load")
    asking = [
        loop.task("foo", site="/app/cache.py:45 foo").ready(n).running(10 + n)
        for n in range(pollers)
    ]
    other = loop.task("foo", site="/app/cache.py:45 foo").ready(20).running(20)
    takes = "/app/cache.py:28 unlock"
    other.awaits(30, "Queue.get", lock=conns.id, site=takes)
    owner.ready(100 * MS, waker="timer").running(100 * MS)
    owner.awaits(100 * MS + 1, "Queue.get", acquired=False, lock=conns.id, site=takes)
    give, end, stack = 100 * MS + gives_up_ns, 0, f"{ASKS}\n{IN_REPORT}"
    for n, task in enumerate(asking):
        now = 40 + n
        while now < give + late_ns * n:
            task.awaits(now, "sleep", site=ASKS, stack=stack)
            now += 20 * MS
            task.ready(now, waker="timer").running(now + 1000)
            now += 2000
        if not n:
            end = now
            clear = (
                loop.task("clear", site="/app/cache.py:50 clear")
                .ready(now - 10)
                .running(now - 5)
            )
            other.ready(now, by=task if ended_by_them else clear)
            clear.done(now + 1)
        task.awaits(now, "sleep", site=WORKS, stack=WORKS)
        task.ready(now + MS, waker="timer").running(now + MS).done(now + MS + 1)
    owner.ready(give, waker="timer", via="Timeout._on_timeout").running(give).done(give + 1)
    other.running(end + 2 * MS).done(end + 3 * MS)
    thread.end(end + late_ns * pollers + 100 * MS)
    return trace.ended(end + late_ns * pollers + 200 * MS)


def test_who_asks_has_what_the_answer_needs(tmp_path):
    (found,) = find_in(tmp_path, circle())
    assert found.finding == "deadlock"
    assert found.text == (
        "Deadlock at 100 ms, for 1.00 s: 4 tasks `foo` poll in `Pool.take` (pool.py:19) (4 "
        "times, 4.00 s), and go on only when `load` in `unlock` (cache.py:28) has given up "
        "waiting in `Queue.get` for what they have. Give it back before each pause."
    )


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"ended_by_them": False}, id="they have nothing of it"),
        pytest.param({"gives_up_ns": 400 * MS}, id="not for long"),
        pytest.param({"late_ns": 150 * MS}, id="they go on later"),
    ],
)
def test_no_circle_of_questions(tmp_path, story):
    assert "deadlock" not in kinds(tmp_path, circle(**story))


def test_tasks_poll_a_pool_of_one(tmp_path):
    (found,) = find_in(tmp_path, of_tasks())
    assert found.finding == "pool exhausted"
    assert found.text == (
        "Pool exhausted: 3 tasks `report` poll in `Pool.take` (pool.py:19) until one of those "
        "before them has ended: 3 waits of 60 pauses lost 1.20 s in total, the longest 600 ms "
        "(at 23 ns). It lets 1 through at a time, and each makes room for the next after 190 "
        "ms on average, 99 % of that time asleep in `report` (pool.py:31). The trace does not "
        "show who holds it: this follows from when each goes on. Hold it for less time, or "
        "raise their number; a semaphore or a queue would wake the next one at once."
    )
    assert found.evidence.site == ASKS


def test_threads_poll(tmp_path):
    (found,) = find_in(tmp_path, of_threads())
    assert found.finding == "pool exhausted"
    assert found.text.startswith(
        "Pool exhausted: 3 threads `job-N` poll in `Pool.take` (pool.py:19)"
    )


def test_a_lock_of_a_library_is_told_as_a_lock(tmp_path):
    within = "/venv/lib/python3.13/site-packages/diskcache/recipes.py:102 Lock.acquire\n"
    assert kinds(tmp_path, of_threads(within=within)) == ["lock convoy"]


def test_a_lock_of_the_programs_own_is_told_as_a_lock(tmp_path):
    (found,) = find_in(
        tmp_path, of_tasks(stack=f"/app/pool.py:19 FileLock.acquire\n{IN_REPORT}")
    )
    assert found.finding == "lock convoy"
    assert found.text.startswith("Lock convoy: 3 tasks `report` poll a lock")


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"hold_ns": 50 * MS, "rate_ns": 200 * MS}, id="a rate"),
        pytest.param({"tasks": 3}, id="two that ask"),
        pytest.param({"stack": ASKS}, id="its own pace"),
        pytest.param({"hold_ns": 80 * MS}, id="little is lost"),
    ],
)
def test_no_slots(tmp_path, story):
    assert kinds(tmp_path, of_tasks(**story)) == []


def test_threads_at_their_own_pace(tmp_path):
    assert kinds(tmp_path, of_threads(others=False)) == []


@pytest.mark.parametrize("gap_ns", [8 * MS, 40 * MS])
def test_equal_work_of_which_some_rest_in_between(tmp_path, gap_ns):
    """All sleep at one line as often; those that do not ask at once have nothing meanwhile."""
    trace = TraceBuilder(argv="pool.py", signals=SIGNALS)
    for n in range(6):
        thread, now = trace.thread(f"job-{n}").native(0), 10 + n
        for _ in range(3):
            stack = f"{ASKS}\n/app/pool.py:30 fetch"
            thread.enter(now, s.SLEEP, s.CAT_SLEEP, {s.ARG_STACK: stack, s.ARG_SITE: ASKS})
            now += 400 * MS - (gap_ns if n < 3 else 0)
            thread.native(now)
            now += gap_ns if n < 3 else 1000
        thread.end(now)
    assert kinds(tmp_path, trace.ended(1_400 * MS)) == []
