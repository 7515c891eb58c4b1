"""Tiny jobs of a thread pool that a task awaits one by one, and objects of a manager that are
asked again and again."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds

READS = "/app/load.py:14 load"
LINE = ("readline", "/app/load.py:3 readline")
US = 1_000


def lines(count=1_100, take_ns=500 * US, work_ns=50 * US, gil_ns=0):
    """`load` awaits a job for each line, which works for a part of the time that it takes, or
    waits for the GIL first."""
    trace = TraceBuilder(argv="load.py", signals=SIGNALS)
    main = trace.thread("MainThread").native(0)
    worker = trace.thread("asyncio_0")
    loop = trace.loop(main)
    load = loop.task("load", site="/app/load.py:9 load").ready(0).running(1)
    idle = trace.lock("executor idle", "")
    now = 10
    for _ in range(count):
        source = load.state
        load.awaits(now, "executor", site=READS)
        begun = now + (take_ns - work_ns) // 2
        worker.runs(begun, *LINE, by=source).native(begun)
        if gil_ns:
            worker.gil_wait(begun + 1, holder=main).native(begun + 1 + gil_ns)
        worker.lock_wait(begun + work_ns, "executor idle", lock=idle, site="")
        now += take_ns
        load.ready(now, waker="thread").running(now + 10)
        now += 100
    load.done(now)
    main.end(now + MS)
    worker.end(now + MS)
    return trace.ended(now + 2 * MS)


def test_tiny_jobs(tmp_path):
    (found,) = find_in(tmp_path, lines())
    assert found.finding == "awaits in turn"
    assert found.text == (
        "Awaits in turn: `load` in `load` (load.py:14) awaits 1,100 jobs of a thread pool, "
        "mostly `readline` (load.py:3), one after the other: 550 ms (at 10 ns), 90 % of it "
        "the round trip to the thread. Hand over more at once: all of it, or a block, in "
        "one job (`asyncio.to_thread`)."
    )
    assert found.evidence.site == READS


def test_jobs_that_mostly_wait_for_the_gil(tmp_path):
    """That is no work of theirs."""
    (found,) = find_in(tmp_path, lines(work_ns=300 * US, gil_ns=100 * US))
    assert "60 % of it the round trip to the thread" in found.text


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"count": 900}, id="some"),
        pytest.param({"take_ns": 400 * US}, id="little is lost"),
        pytest.param({"work_ns": 300 * US}, id="mostly work"),
        pytest.param({"work_ns": 300 * US, "gil_ns": 40 * US}, id="mostly work all the same"),
        pytest.param({"take_ns": 1_200 * US}, id="jobs that take a while"),
    ],
)
def test_others(tmp_path, story):
    assert kinds(tmp_path, lines(**story)) == []


KEYS = "/app/load.py:14 load\n/app/load.py:20 main"


def asked(count=1_100, ns=500 * US, stack=KEYS, what="command (redis)", other_ns=0, by="io"):
    """`main` asks for each key in `load`, and may wait for something else in between."""
    trace = TraceBuilder(argv="load.py", signals=SIGNALS)
    main = trace.thread("MainThread").native(0)
    trace.thread("worker")
    loop = trace.loop(main)
    task = loop.task("main", site="/app/load.py:18 main").ready(0).running(1)
    now = 10
    for _ in range(count):
        task.awaits(now, what, site=READS, stack=stack)
        now += ns
        task.ready(now, waker=by).running(now)
        if other_ns:
            task.awaits(now, "socket", site="/app/load.py:15 load", stack=stack)
            now += other_ns
            task.ready(now, waker="io").running(now)
    task.done(now)
    main.end(now + MS)
    return trace.ended(now + 2 * MS)


def test_questions_to_a_server(tmp_path):
    (found,) = find_in(tmp_path, asked())
    assert found.finding == "awaits in turn"
    assert found.text == (
        "Awaits in turn: `main` in `load` (load.py:14) awaits `command (redis)` 1,100 times, "
        "one after the other: 550 ms (at 10 ns), 500 µs each, 100 % of it waiting. Ask for "
        "many at once (`mget`, a pipeline, `= any(...)`, `executemany`): each saves a round "
        "trip."
    )
    assert found.evidence.site == READS


def test_answers_that_the_main_task_asks_for_in_turn(tmp_path):
    (found,) = find_in(tmp_path, asked(15, 80 * MS, what="response (aiohttp)"))
    assert found.text == (
        "Awaits in turn: `main` in `load` (load.py:14) awaits `response (aiohttp)` 15 times, "
        "one after the other: 1.20 s of 1.20 s (at 10 ns), the longest 80.0 ms. If none "
        "depends on the one before, `await asyncio.gather(...)` takes as long as the longest."
    )
    assert found.severity_ns == 14 * 80 * MS


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"count": 9, "ns": 120 * MS}, id="few"),
        pytest.param({"count": 15, "ns": 60 * MS}, id="short"),
        pytest.param({"stack": "/app/load.py:14 load"}, id="a client, in its own function"),
        pytest.param({"other_ns": 30 * MS}, id="takes messages in between"),
    ],
)
def test_answers_that_may_need_each_other(tmp_path, story):
    story = {"count": 15, "ns": 80 * MS, "what": "response (aiohttp)"} | story
    assert kinds(tmp_path, asked(**story)) == []


def test_jobs_that_the_trace_does_not_know(tmp_path):
    (found,) = find_in(tmp_path, asked(2_000, 300 * US, what="executor", by="thread"))
    assert "awaits 2,000 jobs of a thread pool, one after the other: 600 ms" in found.text


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"count": 900}, id="some"),
        pytest.param({"ns": 400 * US}, id="little is lost"),
        pytest.param({"stack": "/app/load.py:14 load"}, id="a client, in its own function"),
        pytest.param({"ns": 1_900 * US, "other_ns": 600 * US}, id="takes messages in between"),
        pytest.param({"what": "executor", "by": "thread", "ns": 600 * US}, id="work"),
    ],
)
def test_questions_that_must_be_asked(tmp_path, story):
    assert kinds(tmp_path, asked(**story)) == []


LIB = "/usr/lib/python3.13/multiprocessing"
RECV = f"{LIB}/connection.py:395 Connection._recv"
CALL = f"{LIB}/managers.py:824 BaseProxy._callmethod"
TALLY = "/app/count.py:9 tally"


def asked_manager(
    times=300, each_ns=3 * MS, pause_ns=MS, stack=(RECV, CALL, "<string>:2 get", TALLY)
):
    """A thread asks a manager's process, and does something of its own in between."""
    trace = TraceBuilder(argv="count.py", signals=SIGNALS)
    thread, at = trace.thread("MainThread").native(0), MS
    for _ in range(times):
        thread.io(at, "os.read", site=stack[-2], stack="\n".join(stack))
        thread.native(at + each_ns)
        at += each_ns + pause_ns
    thread.end(at)
    return trace.ended(at + MS)


def test_a_dict_of_a_manager_entry_by_entry(tmp_path):
    (found,) = find_in(tmp_path, asked_manager())
    assert (found.finding, found.severity_ns) == ("awaits in turn", 900 * MS)
    assert found.text.startswith(
        "Awaits in turn: `MainThread` in `tally` (count.py:9) asks a manager's process at "
        "least 300 times, one call after the other (at 1.00 ms): 900 ms of waiting, 75 % of "
        "the time from the first to the last, 3.00 ms each."
    )
    assert found.evidence.site == TALLY


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"times": 190}, id="now and then"),
        pytest.param({"each_ns": MS, "pause_ns": 0}, id="little is lost"),
        pytest.param({"pause_ns": 4 * MS}, id="it does more on its own"),
        pytest.param({"each_ns": 6 * MS}, id="it waits for what the object keeps"),
        pytest.param({"stack": (RECV, f"{LIB}/managers.py:256 Server.serve_client", TALLY)},
                     id="the manager itself"),
    ],
)  # fmt: skip
def test_managers_that_are_asked_as_they_should(tmp_path, story):
    assert kinds(tmp_path, asked_manager(**story)) == []
