"""Connections with a thread of their own: what tasks ask for waits behind a slow query."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds

STATS, USER = "/app/web.py:10 stats", "/app/web.py:14 get_user"
CORE = "/venv/lib/python3.13/site-packages/aiosqlite/core.py:63 _connection_worker_thread"
ASKS = "executor (aiosqlite)"


EXECUTE = "sqlite3.Connection.execute"


def shared(query_ns=400 * MS, rounds=3, users=3, own=False, preempted=False):
    """`stats` runs slow queries; users ask for a row each 5 ms after such a query begins.
    `own`: their connection is another one. `preempted`: a query is, after each 4 ms."""
    trace = TraceBuilder(argv="web.py", signals=SIGNALS)
    main = trace.thread("MainThread").native(0)
    threads = [trace.thread(f"Thread-{n} (run)").native(0) for n in range(2 if own else 1)]
    loop = trace.loop(main)
    stats = loop.task("stats", site="/app/web.py:8 stats").ready(0).running(0)
    tasks = [loop.task("web", site="/app/web.py:20 web").ready(0) for _ in range(users)]
    for n, task in enumerate(tasks):
        task.running(10 + n).awaits(11 + n, "sleep")
    at = 100
    for _ in range(rounds):
        stats.awaits(at, ASKS, site=STATS)
        threads[0].io(at + 10, EXECUTE, site=CORE, stack=CORE)
        for cut in range(at + 4 * MS, at + query_ns - 2 * MS, 5 * MS) if preempted else ():
            threads[0].preempted(cut)
            threads[0].io(cut + MS, EXECUTE, site=CORE, stack=CORE, continues=True)
        for n, task in enumerate(tasks):
            asked = at + 5 * MS + n * 10
            task.ready(asked, waker="timer").running(asked + 1)
            task.awaits(asked + 2, ASKS, site=USER)
            if own:
                threads[1].io(asked + 3, EXECUTE, site=CORE, stack=CORE)
                threads[1].native(asked + 6 + n)
                task.ready(asked + 6 + n).running(asked + 7 + n).awaits(asked + 8 + n, "sleep")
        at += query_ns
        threads[0].native(at)
        for n, task in enumerate(tasks if not own else ()):
            task.ready(at + 50 + n * 10).running(at + 51 + n * 10)
            task.awaits(at + 53 + n * 10, "sleep")
        stats.ready(at + 10).running(at + 20)
        at += MS
    for task in (stats, *tasks):
        task.ready(at).running(at + 1).done(at + 2)
    for thread in (main, *threads):
        thread.end(at + MS)
    return trace.ended(at + 2 * MS)


@pytest.mark.parametrize("preempted", [False, True], ids=["at once", "in many pieces"])
def test_rows_behind_a_slow_query(tmp_path, preempted):
    found = find_in(tmp_path, shared(preempted=preempted))
    assert [one.finding for one in found] == ["thread-pool starvation"]
    assert found[0].text.startswith(
        "Thread-pool starvation: the only worker of `aiosqlite` is busy with `stats` "
        "(web.py:10), "
    )
    said = "Meanwhile 9 calls of `get_user` (web.py:14), submitted by 3 tasks `web`, waited "
    assert said in found[0].text
    said = "for a worker, 3.56 s in total, the longest 395 ms (at 5.00 ms). Run `stats` in "
    assert said in found[0].text  # they were begun, though each took no time


QUICKER = {"query_ns": 95 * MS, "rounds": 12}


def test_rows_behind_many_queries(tmp_path):
    assert kinds(tmp_path, shared(**QUICKER)) == ["thread-pool starvation"]


def test_who_waits_behind_others_asks_not_too_often(tmp_path):
    found = find_in(tmp_path, shared(query_ns=100 * MS, rounds=24))
    in_turn = [one.evidence.site for one in found if one.finding == "awaits in turn"]
    assert in_turn == [STATS]


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"query_ns": 50 * MS}, id="little is lost"),
        pytest.param(QUICKER | {"own": True}, id="a connection of their own"),
    ],
)
def test_rows_that_come_at_once(tmp_path, story):
    assert kinds(tmp_path, shared(**story)) == []
