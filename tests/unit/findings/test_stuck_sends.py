"""Threads that stand in a send, since the other side does not read."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds

SENDS = "/app/chat.py:21 send_to_all"


def sends(usual=12, usual_ns=MS // 20, stuck_ns=1_500 * MS, call="socket.sendall"):
    trace = TraceBuilder(argv="chat.py", signals=SIGNALS)
    thread, now = trace.thread("broadcaster").native(0), MS
    for _ in range(usual):
        thread.io(now, call, site=SENDS).native(now + usual_ns)
        now += usual_ns + 10 * MS
    thread.io(now, call, site=SENDS).native(now + stuck_ns).end(now + stuck_ns + MS)
    return trace.ended(now + stuck_ns + 2 * MS)


def test_the_other_side_does_not_read(tmp_path):
    (found,) = find_in(tmp_path, sends())
    assert found.finding == "slow client"
    assert found.text == (
        "Slow client: `broadcaster` in `send_to_all` (chat.py:21) hung in `socket.sendall`, "
        "which usually takes 50.0 µs there: 1 time, 1.50 s (at 122 ms). Whoever has the other "
        "end did not read meanwhile, and the buffers between them were full."
    )
    assert found.severity_ns == 1_500 * MS


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"stuck_ns": 900 * MS}, id="not long"),
        pytest.param({"usual": 9}, id="what is usual is not known"),
        pytest.param({"usual_ns": 100 * MS}, id="it is always slow"),
        pytest.param({"call": "socket.recv"}, id="it waits for what others send"),
    ],
)
def test_sends_that_are_not_stuck(tmp_path, story):
    assert "slow client" not in kinds(tmp_path, sends(**story))
