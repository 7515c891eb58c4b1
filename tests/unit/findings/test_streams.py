"""Tasks at both ends of a connection that wait for each other to send."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds

STREAMS = "/usr/lib/python3.13/asyncio/streams.py"
OPENS = "/app/chat.py:14 session"
ASKS, SERVES = "/app/chat.py:18 session", "/app/chat.py:8 handle"
READ = f"{STREAMS}:539 StreamReader._wait_for_data\n{STREAMS}:562 StreamReader.readline\n"


def connection(gave_up=600 * MS, closed=MS, opens=True, before=0, answers=1, by="io", born=40):
    """`session` asks and waits until its time-out; `handle` waits until it is closed then."""
    trace = TraceBuilder(argv="chat.py", signals=SIGNALS)
    thread = trace.thread("MainThread").native(0)
    loop = trace.loop(thread)
    client = loop.task("session", site="/app/chat.py:12 session").ready(0).running(1)
    opened = f"{STREAMS}:48 open_connection\n{OPENS}" if opens else OPENS
    client.awaits(2, "socket", site=OPENS, stack=opened).ready(50, waker="io").running(51)
    for n in range(before):
        client.awaits(100 + 10 * n, "socket", site=ASKS, stack=READ + ASKS)
        client.ready(104 + 10 * n, waker="io").running(105 + 10 * n)
    client.awaits(1_000, "socket", site=ASKS, stack=READ + ASKS)
    handles = []
    for n in range(answers):
        task = loop.task("handle", site="/app/chat.py:7 handle").ready(born).running(born + 1)
        handles.append(
            task.awaits(born + 2_000 + n, "socket", site=SERVES, stack=READ + SERVES)
        )
    client.ready(gave_up, waker="timer").running(gave_up + 10).done(gave_up + 20)
    for n, task in enumerate(handles):
        at = gave_up + closed + 100 * n
        task.ready(at, waker=by).running(at + 10).done(at + 20)
    thread.end(gave_up + closed + MS)
    return trace.ended(gave_up + closed + 2 * MS)


def test_both_read(tmp_path):
    (found,) = find_in(tmp_path, connection())
    assert found.finding == "wait in vain"
    assert found.text == (
        "Waited in vain: `session` in `session` (chat.py:18) waits in `readline`, "
        "while `handle` in `handle` (chat.py:8), most likely at the other end, waits in "
        "`readline`, each for the other to send, until the first gave up: 1 wait, 600 ms (at "
        "1.00 µs). If an answer was due, send what the other "
        "end still waits for (a newline, the whole length, `write_eof`), or let it answer "
        "before."
    )
    assert (found.severity_ns, found.evidence.site) == (600 * MS - 1_000, ASKS)


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"gave_up": 400 * MS}, id="for a moment"),
        pytest.param({"closed": 60 * MS}, id="the other one waits on"),
        pytest.param({"opens": False}, id="a server ends an idle connection"),
        pytest.param({"before": 3}, id="it listens"),
        pytest.param({"answers": 2}, id="two that may be at the other end"),
        pytest.param({"born": 110 * MS}, id="the other one began later"),
        pytest.param({"by": "timer"}, id="both give up"),
    ],
)
def test_others_may_answer(tmp_path, story):
    assert kinds(tmp_path, connection(**story)) == []
