"""Tasks that connect again as soon as a connection has ended."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in

FOLLOW = "/app/feed.py:19 follow"
SOCKETS = "/venv/lib/python3.13/site-packages/websockets/asyncio/client.py"
CONNECT = f"{SOCKETS}:590 connect.__await_impl__\n{FOLLOW}"


def followed(times=200, each_ns=4 * MS, then="message (websockets)", site=FOLLOW):
    """Each attempt has two waits to connect, and one for what comes then."""
    trace = TraceBuilder(argv="feed.py", signals=SIGNALS)
    thread = trace.thread("MainThread").native(0)
    loop = trace.loop(thread)
    task = loop.task("follow", site=FOLLOW).ready(0).running(0)
    for n in range(times):
        at, part = MS + n * each_ns, each_ns // 4
        for k, what in enumerate(("connect (websockets)", "connect (websockets)", then)):
            begins = at + k * part
            task.awaits(begins, what, site=site, stack=CONNECT)
            task.ready(begins + part // 2, waker="io").running(begins + part // 2)
    end = MS + times * each_ns
    task.done(end)
    thread.end(end + MS)
    return trace.ended(end + 2 * MS)


def polls(tmp_path, trace):
    return [one for one in find_in(tmp_path, trace) if " polls " in one.text]


def test_it_connects_at_once(tmp_path):
    (found,) = find_in(tmp_path, followed())
    assert found.finding == "busy loop"
    assert found.text == (
        "`follow` polls in `follow` (feed.py:19, via `connect.__await_impl__`): it connects "
        "200 times in 799 ms (at 1.00 ms), again as soon as a connection has ended, one every "
        "3.99 ms on average. If the other side ends them, wait before the next attempt, "
        "longer each time; else keep one and use it again."
    )


@pytest.mark.parametrize("each_ns", [8 * MS])
def test_it_is_told_once(tmp_path, each_ns):
    """What these connections cost is told by the same finding."""
    assert [one.finding for one in find_in(tmp_path, followed(each_ns=each_ns))] == [
        "busy loop"
    ]


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"times": 90, "each_ns": 8 * MS}, id="few"),
        pytest.param({"each_ns": 12 * MS}, id="it waits in between"),
        pytest.param({"each_ns": 2 * MS}, id="for a moment"),
        pytest.param({"then": "response (httpx)"}, id="it asks for something"),
    ],
)
def test_other_connections(tmp_path, story):
    assert polls(tmp_path, followed(**story)) == []
