"""A task that awaits the end of all tasks, itself among them; and some that await others."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds

STOP, MAIN = "/app/app.py:19 stop", "/app/app.py:27 main"


def shutdown(ns=900 * MS, end_soon=3, beside="", child=False, main="wait", what="gather"):
    """`stop` awaits tasks that `main` made, of which some end soon, and `main` awaits `stop`
    until it gives up."""
    trace = TraceBuilder(argv="app.py", signals=SIGNALS)
    thread = trace.thread("MainThread").native(0)
    loop, end = trace.loop(thread), 10 * MS + ns
    root = loop.task("main", site="/app/app.py:22 main").ready(0).running(0)
    workers = [
        loop.task("work", site="/app/app.py:5 work", parent=root.id).ready(n + 1)
        for n in range(end_soon)
    ]
    stop = loop.task("stop", site="/app/app.py:15 stop", parent=root.id)
    for n, one in enumerate(workers):
        one.running(10 + n).awaits(20 + n, "sleep", site="/app/app.py:7 work")
    more = loop.task("more", site="/app/app.py:40 more", parent=stop.id if child else root.id)
    if beside:
        more.ready(30).running(40).awaits(50, beside, site="/app/app.py:41 more")
    stop.ready(5 * MS, by=root).running(6 * MS)
    root.awaits(9 * MS, main, acquired=False, site=MAIN)
    stop.awaits(10 * MS, what, site=STOP)
    for n, one in enumerate(workers):
        one.ready(60 * MS + n, waker="timer").running(60 * MS + n).done(60 * MS + n + 5)
    root.ready(end, waker="timer").running(end).done(end + 100)
    thread.end(end + MS)
    return trace.ended(end + MS)


def test_it_awaits_all_and_itself(tmp_path):
    found = find_in(tmp_path, shutdown())
    assert found[0].finding == "deadlock"
    assert found[0].text == (
        "Deadlock at 10.0 ms, for 900 ms: `main` in `main` (app.py:27) waits for the end of "
        "`stop`; `stop` in `stop` (app.py:19) waits for the end of `main`. Whoever waits for "
        "all tasks must leave out itself (`asyncio.current_task()`) and those that wait for "
        "it."
    )


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"end_soon": 1}, id="it may await what is no task"),
        pytest.param({"beside": "sleep"}, id="a clock goes on, which it may await"),
        pytest.param({"beside": "socket", "child": True}, id="it awaits a task of its own"),
        pytest.param({"main": "sleep"}, id="nobody awaits it"),
        pytest.param({"what": "future"}, id="it awaits an answer"),
    ],
)
def test_it_awaits_others(tmp_path, story):
    assert "deadlock" not in kinds(tmp_path, shutdown(**story))
