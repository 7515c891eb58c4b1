"""A new connection for each call."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds

FETCH = "/app/shop.py:9 fetch"
PACKAGES = "/venv/lib/python3.13/site-packages"
CONNECTS = f"{PACKAGES}/psycopg/connection.py:109 Connection.connect\n{FETCH}"
ANSWER = f"{PACKAGES}/psycopg/connection.py:495 Connection.wait\n{FETCH}"
TAKES = f"{PACKAGES}/sqlalchemy/engine/base.py:9 Engine.connect\n{FETCH}"


def calls(
    count=40, connect_ns=20 * MS, answer_ns=5 * MS, pause_ns=5 * MS, stack=CONNECTS,
    kept=0, kept_ns=2 * MS, longer_ns=0, asks=True,
):  # fmt: skip
    """A thread connects for each of its calls; then it makes others over what is there."""
    trace = TraceBuilder(argv="shop.py", signals=SIGNALS)
    thread, at = trace.thread("worker").native(0), MS
    for _ in range(count):
        thread.io(at, "poll", site=FETCH, stack=stack).native(at + connect_ns)
        at += connect_ns + MS // 10
        thread.io(at, "recv", site=FETCH, stack=ANSWER).native(at + answer_ns)
        at += answer_ns + pause_ns
    for _ in range(kept):
        if asks:
            thread.io(at, "sendall", site=FETCH, stack=ANSWER).native(at + MS // 10)
            at += MS // 10
        thread.io(at, "recv", site=FETCH, stack=ANSWER).native(at + kept_ns)
        at += kept_ns + MS
    thread.end(at + longer_ns)
    return trace.ended(at + longer_ns + MS)


def test_each_call_connects(tmp_path):
    (found,) = find_in(tmp_path, calls())
    assert found.finding == "new connections"
    assert found.text == (
        "New connections: `worker` in `fetch` (shop.py:9, via `Connection.connect`) connected "
        "at least 40 times, again and again (at 1.00 ms and later), which took 800 ms in "
        "total, 20.0 ms each on average."
    )
    assert found.severity_ns == 800 * MS
    assert found.evidence.site.startswith(FETCH)
    assert "keep a connection" in found.next_step


def test_many_connections_that_are_cheap(tmp_path):
    assert kinds(tmp_path, calls(connect_ns=8 * MS)) == ["new connections"]


def test_a_new_connection_is_answered_late(tmp_path):
    trace = calls(connect_ns=MS, answer_ns=22 * MS, kept=10)
    (found,) = find_in(tmp_path, trace)
    assert found.severity_ns == 40 * MS + 40 * 20 * MS
    assert found.text.endswith(
        "which took 840 ms in total: the first answer of a new connection took 22.0 ms on "
        "average, that of a kept one mostly 2.00 ms."
    )


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"count": 19, "connect_ns": 40 * MS}, id="few"),
        pytest.param({"connect_ns": 7 * MS}, id="cheap"),
        pytest.param({"answer_ns": 90 * MS}, id="little beside the answers"),
        pytest.param({"stack": TAKES}, id="it takes one of a pool"),
        pytest.param({"longer_ns": 10_000 * MS}, id="at the start"),
        pytest.param(
            {"connect_ns": MS, "answer_ns": 22 * MS, "kept": 10, "kept_ns": 10 * MS},
            id="kept ones are hardly quicker",
        ),
        pytest.param(
            {"connect_ns": MS, "answer_ns": 22 * MS, "kept": 10, "asks": False},
            id="the rest of the answers is quick",
        ),
    ],
)
def test_connections_that_are_right(tmp_path, story):
    assert "new connections" not in kinds(tmp_path, calls(**story))


SLEEP = "/usr/lib/python3.13/asyncio/tasks.py:718 sleep"


def tasks(count=30, ns=25 * MS, stays=False, pieces=1, stack=ANSWER):
    """Tasks that connect, one after the other; each ends soon, or keeps what it opened."""
    trace = TraceBuilder(argv="shop.py", signals=SIGNALS)
    thread = trace.thread("MainThread").running(0)
    loop, at, made = trace.loop(thread), MS, []
    for _ in range(count):
        task = loop.task("serve", site="/app/shop.py:7 serve").ready(at).running(at)
        for _ in range(pieces):
            task.awaits(at + 1, "connect (redis)", site=FETCH, stack=stack)
            loop.step(task, at, at + 1)
            at += ns // pieces
            task.ready(at, waker="io").running(at)
        if stays:
            task.awaits(at + 1, "message (redis)", site="/app/shop.py:11 serve")
            made.append(task)
        else:
            task.done(at + 1)
        loop.step(task, at, at + 1)
        at += MS
    for task in made:
        task.ready(at, waker="io").running(at).done(at + 1)
        loop.step(task, at, at + 1)
        at += MS
    thread.end(at)
    return trace.ended(at + MS)


def test_each_task_connects(tmp_path):
    (found,) = find_in(tmp_path, tasks())
    assert found.text.startswith("New connections: 30 tasks `serve` in `fetch` (shop.py:9")
    assert found.severity_ns >= 740 * MS


def test_a_connection_of_several_awaits(tmp_path):
    (found,) = find_in(tmp_path, tasks(pieces=5))
    assert "connected 30 times" in found.text


def test_pauses_of_a_client_that_does_not_connect(tmp_path):
    story = tasks(stack=f"{SLEEP}\n{ANSWER}")
    assert "new connections" not in kinds(tmp_path, story)


def test_tasks_that_keep_their_connections(tmp_path):
    assert "new connections" not in kinds(tmp_path, tasks(stays=True))


POOL = "/usr/lib/python3.13/site-packages/asyncpg/pool.py:150 Holder.connect"
SET_UP = f"/app/shop.py:4 prepare\n{POOL}\n/app/shop.py:12 store"
QUERY = "/app/shop.py:12 store"


def events(count=8, set_up_ns=140 * MS, query_ns=20 * MS, stack=SET_UP, kept=0):
    """A task whose pool opens a connection for each event, which the program then sets up."""
    trace = TraceBuilder(argv="shop.py", signals=SIGNALS)
    thread = trace.thread("MainThread").running(0)
    loop, at = trace.loop(thread), MS
    task = loop.task("main", site="/app/shop.py:20 main").ready(at).running(at)
    for _ in range(count):
        asks = (("connect", 5 * MS, f"{POOL}\n{QUERY}"), ("query", set_up_ns, stack))
        for what, ns, of in (*asks, ("query", query_ns, QUERY)):
            site = next(one for one in of.split("\n") if one.startswith("/app"))
            task.awaits(at + 1, f"{what} (asyncpg)", site=site, stack=of)
            loop.step(task, at, at + 1)
            at += ns
            task.ready(at, waker="io").running(at)
    for _ in range(kept):
        task.awaits(at + 1, "query (asyncpg)", site=QUERY, stack=QUERY)
        loop.step(task, at, at + 1)
        at += MS
        task.ready(at, waker="io").running(at)
    loop.step(task, at, at + 1)
    task.done(at + 1)
    thread.end(at + MS)
    return trace.ended(at + MS)


def test_few_connections_that_are_dear_to_set_up(tmp_path):
    (found,) = find_in(tmp_path, events())
    assert found.text.startswith("New connections: `main` in `store` (shop.py:12")
    assert "connected 8 times, again and again" in found.text
    assert "1.16 s in total" in found.text


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"count": 7, "set_up_ns": 200 * MS}, id="seven"),
        pytest.param({"set_up_ns": 100 * MS}, id="cheap"),
        pytest.param({"query_ns": 160 * MS}, id="the query takes longer"),
        pytest.param({"kept": 16}, id="it keeps what it has opened"),
        pytest.param({"stack": "/app/shop.py:4 prepare\n/app/shop.py:12 store"}, id="its own"),
    ],
)
def test_few_connections_that_are_right(tmp_path, story):
    assert "new connections" not in kinds(tmp_path, events(**story))
