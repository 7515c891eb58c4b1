"""The only task that sends to clients, one of which does not read."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds

JOINED = "/app/chat.py:11 joined"
SENDS = "/app/chat.py:20 broadcast"
DRAIN = f"/usr/lib/python3.13/asyncio/streams.py:167 FlowControlMixin._drain_helper\n{SENDS}"


def chat(what="send (uvicorn)", ns=600 * MS, clients=3, senders=1, stack="", by=False,
         reads="message (uvicorn)", sender="broadcast", within="", leaves=0):  # fmt: skip
    """`clients` handlers wait for messages while so many others send to one client each.
    `by`: the handlers are made by a task, as those are that ask servers. `within`: the frame
    that they await; they leave so long before the end."""
    trace = TraceBuilder(argv="chat.py", signals=SIGNALS)
    thread = trace.thread("MainThread").native(0)
    loop = trace.loop(thread)
    main = loop.task("main", site="/app/chat.py:40 main").ready(0).running(0)
    handlers = [
        loop.task("joined", site="/app/chat.py:9 joined", parent=main.id)
        if by
        else loop.task("joined", site="/app/chat.py:9 joined")
        for _ in range(clients)
    ]
    for n, handler in enumerate(handlers):
        handler.ready(1 + n).running(1 + n)
        handler.awaits(5 + n, reads, site=JOINED, stack=f"{within}\n{JOINED}")
    for n in range(senders):
        task = loop.task(
            sender,
            site="/app/chat.py:9 joined"
            if sender == "joined"
            else f"/app/chat.py:18 {sender}",
            parent=main.id,
        )
        task.ready(20 + n).running(20 + n).awaits(
            MS + n, what, site=SENDS, stack=stack or SENDS
        )
        task.ready(MS + ns + n, waker="io").running(MS + ns + n).done(MS + ns + n)
    main.awaits(2 * MS, "sleep").ready(MS + ns + 20, waker="timer").running(MS + ns + 20)
    for n, handler in enumerate(handlers):
        end = MS + ns + 30 + n - leaves
        handler.ready(end, waker="io").running(end).done(end)
    main.done(MS + ns + 50)
    thread.end(ns + 3 * MS)
    return trace.ended(ns + 4 * MS)


def test_all_wait_for_one_client(tmp_path):
    (found,) = find_in(tmp_path, chat())
    assert found.finding == "slow client"
    assert found.text == (
        "Slow client: `broadcast` in `broadcast` (chat.py:20) waited in `send` for "
        "600 ms (at 1.00 ms), until a client that does not read had room; no other task sends "
        "there, and 3 tasks `joined` have connections."
    )
    assert (found.severity_ns, found.evidence.site) == (600 * MS, SENDS)


def test_a_stream_of_asyncio(tmp_path):
    assert kinds(tmp_path, chat(what="socket", stack=DRAIN, reads="socket")) == ["slow client"]


ENDS = "/venv/lib/python3.13/site-packages/websockets/asyncio/connection.py:664 Connection."


def test_handlers_that_wait_for_the_end_of_a_connection(tmp_path):
    story = {"reads": "future", "within": f"{ENDS}wait_closed", "leaves": 100 * MS}
    assert kinds(tmp_path, chat(**story)) == ["slow client"]


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"reads": "future", "within": f"{ENDS}ping"}, id="they wait for others"),
        pytest.param(
            {"reads": "future", "within": "/app/chat.py:60 Room.wait_closed"},
            id="a room's end",
        ),
        pytest.param({"leaves": 200 * MS}, id="they are there for a part of it"),
        pytest.param({"ns": 480 * MS}, id="it soon has room"),
        pytest.param({"clients": 2}, id="two clients"),
        pytest.param({"senders": 3}, id="a task for each client sends"),
        pytest.param({"by": True}, id="they are clients themselves"),
        pytest.param({"what": "socket"}, id="it reads"),
        pytest.param({"reads": "sleep"}, id="they do not wait for clients"),
        pytest.param({"sender": "joined"}, id="a handler sends to its own client"),
    ],
)
def test_nobody_else_waits(tmp_path, story):
    assert kinds(tmp_path, chat(**story)) == []
