"""Some of many equal tasks get no answer."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds

WAIT = "/app/rpc.py:9 call"


def calls(lost=2, answered=4, ns=1_500 * MS, usual=20 * MS, what="future", twice=False):
    """Tasks that await a reply each: the last ones to the end, when they are cancelled."""
    trace = TraceBuilder(argv="rpc.py", signals=SIGNALS)
    thread = trace.thread("MainThread").native(0)
    loop, end = trace.loop(thread), ns + 50 * MS
    gone = []
    for n in range(answered + lost):
        task = loop.task("call", site="/app/rpc.py:6 call").ready(n).running(n)
        at, is_lost = n + 1, n >= answered
        if twice:
            task.awaits(at, what, site=WAIT, stack=WAIT)
            at += usual
            task.ready(at, waker="io").running(at)
            at += 1
        task.awaits(at, what, site=WAIT, stack=WAIT)
        if is_lost:
            gone.append(task)
        else:
            task.ready(at + usual, waker="io").running(at + usual).done(at + usual + 1)
    main = loop.task("main", site="/app/rpc.py:20 main").ready(end).running(end)
    for task in gone:
        task.ready(end, by=main)
    main.done(end + 1)
    for n, task in enumerate(gone):
        task.running(end + n + 2).done(end + n + 3, "cancelled")
    thread.end(end + MS)
    return trace.ended(end + 2 * MS)


def test_two_replies_are_lost(tmp_path):
    (found,) = find_in(tmp_path, calls())
    assert found.finding == "wait in vain"
    assert found.text.startswith(
        "Waited in vain: 2 tasks `call` in `call` (rpc.py:9) got no answer in 2 of 6 waits in "
        "`future`. They waited 3.10 s in total"
    )
    assert "The others had theirs after 20.0 ms, typically." in found.text


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"lost": 1}, id="one"),
        pytest.param({"answered": 2}, id="few others"),
        pytest.param({"lost": 5}, id="most"),
        pytest.param({"ns": 900 * MS}, id="not for long"),
        pytest.param({"usual": 200 * MS}, id="answers take their time"),
        pytest.param({"what": "Queue.get"}, id="consumers are idle at the end"),
        pytest.param({"twice": True}, id="each waits there again and again"),
    ],
)
def test_no_lost_replies(tmp_path, story):
    assert kinds(tmp_path, calls(**story)) == []
