"""Awaits one after the other: advice, and when it is none."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds

HELPER = "/app/turns.py:4 lookup\n/app/turns.py:5 load_all\n/app/turns.py:6 handle"
OWN = "/app/turns.py:4 lookup\n/app/turns.py:6 handle"


def turns(
    times=8, ns=50 * MS, tasks=2, stack=HELPER, done=True, other_ns=0, what="sleep", connects=0
):
    trace = TraceBuilder(argv="turns.py", signals=SIGNALS)
    thread = trace.thread("MainThread").native(0)
    loop = trace.loop(thread)
    end = 0
    for n in range(tasks):
        task = loop.task("handle", site="/app/turns.py:6 handle")
        at = n * 10
        task.ready(at).running(at)
        for _ in range(times):
            for _ in range(connects):
                task.awaits(at, "connect (redis)", site="/app/turns.py:4 lookup", stack=stack)
                at += ns // 2
                task.ready(at, waker="io").running(at)
            task.awaits(at, what, site="/app/turns.py:4 lookup", stack=stack)
            at += ns
            task.ready(at, waker="io" if "(" in what else "timer").running(at)
        if other_ns:
            task.awaits(at, "sleep", site="/app/turns.py:9 handle")
            at += other_ns
            task.ready(at, waker="timer").running(at)
        task.done(at + 1, "done" if done else "cancelled")
        end = max(end, at + 1)
    thread.end(end + MS)
    return trace.ended(end + 2 * MS)


def test_awaits_in_turn(tmp_path):
    (found,) = find_in(tmp_path, turns())
    assert found.finding == "awaits in turn"
    assert found.text == (
        "Awaits in turn: `handle` (turns.py:6) calls `lookup` (turns.py:4) 8 times, one after "
        "the other, in `load_all` (turns.py:5), and each call waits in `await sleep`: 400 ms "
        "of 400 ms (at 0), the longest 50.0 ms. If none depends on the one before, `await "
        "asyncio.gather(...)` takes as long as the longest; 700 ms would be saved over all "
        "tasks."
    )
    assert found.severity_ns == 2 * 7 * 50 * MS


FASTAPI = "/venv/lib/python3.13/site-packages/fastapi/routing.py:381 run_endpoint_function"
ANYIO = "/venv/lib/python3.13/site-packages/anyio/_core/_eventloop.py:21 wrapper"


def test_a_handler_that_a_framework_calls(tmp_path):
    (found,) = find_in(tmp_path, turns(stack=f"{OWN}\n{FASTAPI}"))
    assert found.text.startswith(
        "Awaits in turn: `handle` (turns.py:6) calls `lookup` (turns.py:4) 8 times, one after "
        "the other, in `handle` (turns.py:6), and each call waits in `await sleep`: "
    )


def test_calls_that_also_connect(tmp_path):
    (found,) = find_in(tmp_path, turns(what="command (redis)", connects=1))
    assert "each call waits in `await command (redis)`: 400 ms of " in found.text


def test_calls_that_mostly_connect(tmp_path):
    assert kinds(tmp_path, turns(what="command (redis)", connects=3)) == ["new connections"]


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"times": 4, "ns": 200 * MS}, id="few"),
        pytest.param({"ns": 30 * MS}, id="little to save"),
        pytest.param({"tasks": 1, "times": 20}, id="one task: it may pace itself"),
        pytest.param({"stack": OWN}, id="in the task's own function"),
        pytest.param({"stack": f"{OWN}\n{ANYIO}"}, id="which anyio only wraps"),
        pytest.param({"what": "socket"}, id="cut short by a time-out: attempts"),
        pytest.param({"done": False}, id="a ticker, cancelled in the end"),
        pytest.param({"other_ns": 300 * MS}, id="not most of its life"),
    ],
)
def test_no_advice(tmp_path, story):
    assert kinds(tmp_path, turns(**story)) == []


def asks(times=20, ns=60 * MS, first=True, pause_ns=0, what="socket", connect_ns=0):
    """One task calls `check` for each host, which connects and then waits for the answer.

    `connect_ns`: or it connects once, to one host.
    """
    trace = TraceBuilder(argv="turns.py", signals=SIGNALS)
    thread = trace.thread("MainThread").native(0)
    task = trace.loop(thread).task("main", site="/app/turns.py:40 main").ready(0).running(0)
    at, calls = 10, "/app/turns.py:31 refresh\n/app/turns.py:40 main"
    if connect_ns:
        line = "/app/turns.py:23 check"
        task.awaits(at, "connect (httpcore)", site=line, stack=f"{line}\n{calls}")
        at += connect_ns
        task.ready(at, waker="io").running(at)
    for _ in range(times):
        if first:
            line = "/app/turns.py:21 check"
            task.awaits(at, what, site=line, stack=f"{line}\n{calls}")
            task.ready(at + 1000, waker="io").running(at + 2000)
        line = "/app/turns.py:23 check"
        task.awaits(at + 3000, what, site=line, stack=f"{line}\n{calls}")
        at += ns
        task.ready(at, waker="io").running(at)
        if pause_ns:
            task.awaits(at, "sleep", site="/app/turns.py:33 refresh", stack=calls)
            at += pause_ns
            task.ready(at, waker="timer").running(at)
    task.awaits(at, "sleep", site="/app/turns.py:41 main")
    task.ready(at + 2_000 * MS, waker="timer").running(at + 2_000 * MS)
    task.done(at + 2_000 * MS + 1)
    thread.end(at + 2_001 * MS)
    return trace.ended(at + 2_002 * MS)


@pytest.mark.parametrize(
    "story",
    [
        {},
        {"first": False, "what": "executor"},
        {"first": False, "what": "subprocess"},
        {"first": False, "what": "response (httpcore)"},
        {"first": False, "what": "command (redis)"},
        {"first": False, "what": "response (httpcore)", "connect_ns": 5 * MS},
    ],
)
def test_one_task_asks_many_in_turn(tmp_path, story):
    (found,) = find_in(tmp_path, asks(**story))
    assert "`main` (turns.py:40) calls `check` (turns.py:23) 20 times, one after" in found.text


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"first": False}, id="it may listen"),
        pytest.param({"ns": 40 * MS}, id="little to save"),
        pytest.param({"times": 9, "ns": 150 * MS}, id="few"),
        pytest.param({"pause_ns": 30 * MS}, id="it paces itself"),
        pytest.param({"first": False, "what": "message (redis)"}, id="it listens"),
    ],
)
def test_one_task_that_may_await_in_turn(tmp_path, story):
    assert kinds(tmp_path, asks(**story)) == []


NOTIFIES = (
    "/venv/lib/python3.13/site-packages/psycopg/connection_async.py:380 "
    "AsyncConnection.notifies"
)


def queries(count=30, ns=20 * MS, tasks=1, between=0, lines=1, what="query (asyncpg)", runs=0,
    inside="",
):  # fmt: skip
    trace = TraceBuilder(argv="turns.py", signals=SIGNALS)
    thread = trace.thread("MainThread").native(0)
    loop, end = trace.loop(thread), 0
    for n in range(tasks):
        task, at = loop.task("show_orders", site="/app/turns.py:6 show_orders"), n * 10
        task.ready(at).running(at)
        for k in range(count):
            site = f"/app/turns.py:{9 + k % lines} load_customer"
            if inside:
                task.awaits(at, what, site=site, stack=f"{inside}\n{site}")
            else:
                task.awaits(at, what, site=site)
            at += ns
            task.ready(at, waker="io").running(at)
            at += runs
            if between:
                task.awaits(at, "message (websockets)", site="/app/turns.py:30 show_orders")
                at += between
                task.ready(at, waker="io").running(at)
        task.done(at + 1)
        end = max(end, at + 1)
    thread.end(end + MS)
    return trace.ended(end + 2 * MS)


def test_a_query_for_each_row(tmp_path):
    (found,) = find_in(tmp_path, queries())
    assert found.finding == "awaits in turn"
    assert found.text == (
        "Awaits in turn: `show_orders` in `load_customer` (turns.py:9) awaits `query "
        "(asyncpg)` 30 times, one query after the other, for 600 ms (at 0); the awaits "
        "took 600 ms over all tasks. One query for all of them (a join, `= any(...)`, "
        "`executemany`) saves a round trip each."
    )
    assert found.severity_ns == 600 * MS


def test_an_orm_has_its_own_to_do_with_each_row(tmp_path):
    (found,) = find_in(tmp_path, queries(runs=19 * MS))
    assert "30 times, one query after the other, for 1.15 s" in found.text


def test_requests_add_up(tmp_path):
    (found,) = find_in(tmp_path, queries(tasks=3, ns=10 * MS))
    assert found.severity_ns == 3 * 300 * MS


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"count": 19, "ns": 40 * MS}, id="few"),
        pytest.param({"ns": 16 * MS}, id="little time"),
        pytest.param({"count": 400, "ns": 15 * MS // 10}, id="quick ones"),
        pytest.param({"between": 10 * MS}, id="it waits for requests"),
        pytest.param({"runs": 22 * MS}, id="it has more to do with each"),
        pytest.param({"lines": 2}, id="different queries"),
        pytest.param({"what": "command (redis)"}, id="it may wait for a job"),
        pytest.param({"inside": NOTIFIES}, id="it listens"),
    ],
)
def test_queries_that_may_be_as_they_are(tmp_path, story):
    assert kinds(tmp_path, queries(**story)) == []
