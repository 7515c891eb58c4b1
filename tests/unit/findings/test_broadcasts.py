"""Tasks that write to several connections in turn, of which one has no room."""

import pytest

from tests.support.builder.threads import Lock
from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds

TELL = "/app/chat.py:17 broadcast"
ASYNCIO = "/usr/lib/python3.13/asyncio/streams.py"
DRAIN = (
    f"{ASYNCIO}:172 FlowControlMixin._drain_helper\n{ASYNCIO}:386 StreamWriter.drain\n{TELL}"
)
SOCKETS = "/venv/lib/python3.13/site-packages/websockets/asyncio/connection.py"
SEND = f"{SOCKETS}:1083 Connection.drain\n{SOCKETS}:403 Connection.send\n{TELL}"


def broadcast(waits, what="socket", stack=DRAIN, tasks=1):
    """Waits for room in connections, each of so many ms; of several tasks each its part."""
    trace = TraceBuilder(argv="chat.py", signals=SIGNALS)
    thread = trace.thread("MainThread").running(0)
    loop = trace.loop(thread)
    every = [loop.task("serve", site="/app/chat.py:9 serve") for _ in range(tasks)]
    for n, task in enumerate(every):
        task.ready(n * MS).running((n + 1) * MS)
    at, locks = 10 * MS, dict[str, Lock]()
    for n, (connection, ms) in enumerate(waits):
        task = every[n % tasks]
        lock = locks.setdefault(connection, trace.lock("socket", TELL))
        task.awaits(at, what, lock=lock.id, site=TELL, stack=stack)
        at += ms * MS
        task.ready(at, waker="io").running(at + MS)
        at += 2 * MS
    for n, task in enumerate(every):
        task.done(at + n * MS)
    thread.end(at + tasks * MS)
    return trace.ended(at + (tasks + 1) * MS)


def test_one_of_three_does_not_read(tmp_path):
    (found,) = find_in(tmp_path, broadcast([("a", 10), ("b", 900), ("c", 20), ("b", 30)]))
    assert (found.finding, found.severity_ns) == ("slow client", 930 * MS)
    assert found.text == (
        "Slow client: `serve` in `broadcast` (chat.py:17) waited in `drain` for 930 ms "
        "in total, the longest 900 ms (at 22.0 ms), until one of 3 connections to which it "
        "writes in turn had room; the others took 30.0 ms in all."
    )
    assert found.evidence.site == TELL


def test_one_is_slow_each_time(tmp_path):
    waits = [("a", 2), ("b", 100), ("c", 2)] * 6
    (found,) = find_in(tmp_path, broadcast(waits, "send (websockets)", SEND))
    assert "waited in `send` for 600 ms in total, the longest 100 ms" in found.text


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"waits": [("b", 900), ("b", 200)]}, id="one connection"),
        pytest.param({"waits": [("a", 10), ("b", 450)]}, id="little is lost"),
        pytest.param({"waits": [("a", 300), ("b", 800)]}, id="all are slow"),
        pytest.param(
            {"waits": [("a", 50), *[("b", 90)] * 9]}, id="one long file after another"
        ),
        pytest.param({"waits": [("a", 10), ("b", 900)], "tasks": 2}, id="a task for each"),
        pytest.param(
            {"waits": [("a", 10), ("b", 900)], "stack": f"{ASYNCIO}:539 StreamReader.read"},
            id="it reads",
        ),
    ],
)
def test_others_that_wait_for_room(tmp_path, story):
    assert "slow client" not in kinds(tmp_path, broadcast(**story))
