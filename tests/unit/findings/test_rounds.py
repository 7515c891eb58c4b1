"""Answers from outside that come a few at a time."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in

HTTP = "/usr/lib/python3.13/http/client.py"
ASK = "/app/shop.py:9 ask"
STACK = f"{HTTP}:292 HTTPResponse._read_status\n{HTTP}:331 HTTPResponse.begin\n{ASK}"


def asks(
    ends=(250, 251, 500, 501, 750, 752, 1_000, 1_001), apart_ns=MS, stack=STACK, own_peer=False
):
    """Threads ask a server nearly at once; `ends`: when each has its answer, in ms."""
    trace = TraceBuilder(argv="shop.py", signals=SIGNALS)
    last = max(ends) * MS + 100 * MS
    for n, end in enumerate(ends):
        thread = trace.thread(f"ask-{n}").native(0)
        thread.io(n * apart_ns, "socket.recv_into", site=ASK, stack=stack, own_peer=own_peer)
        thread.native(end * MS).end(last)
    return trace.ended(last + MS)


def test_two_at_a_time(tmp_path):
    (found,) = find_in(tmp_path, asks())
    assert found.finding == "slow answer"
    assert found.text == (
        "Slow answer: 8 threads `ask-N` in `ask` (shop.py:9) asked at the same time "
        "(`socket.recv_into`, at 6.00 ms), and the answers came 2 at a time, in 4 rounds "
        "250 ms apart, the last after 994 ms: something that the trace does not show serves 2 "
        "at a time. The others lost 2.98 s in total."
    )
    assert "a limit on the way" in found.next_step


def test_one_at_a_time(tmp_path):
    (found,) = find_in(tmp_path, asks(ends=range(100, 900, 100)))
    assert "the answers came 1 at a time, in 8 rounds 100 ms apart" in found.text


def test_the_last_round_is_smaller(tmp_path):
    (found,) = find_in(tmp_path, asks(ends=(250, 251, 252, 500, 501, 502, 750)))
    assert "3 at a time, in 3 rounds" in found.text


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"ends": (250, 500, 750, 1_000, 1_250)}, id="few"),
        pytest.param({"ends": (400, 401, 402, 800, 801, 802)}, id="two rounds"),
        pytest.param({"ends": (250, 251, 252, 500, 750, 751, 1_000)}, id="of uneven size"),
        pytest.param({"ends": (250, 251, 500, 501, 950, 951, 1_200)}, id="at uneven times"),
        pytest.param({"ends": range(600, 608)}, id="all at once"),
        pytest.param({"apart_ns": 30 * MS}, id="asked one after the other"),
        pytest.param({"ends": range(60, 540, 60)}, id="little"),
        pytest.param({"stack": ASK}, id="no answer of a server"),
        pytest.param({"own_peer": True}, id="its own server"),
    ],
)
def test_answers_that_come_otherwise(tmp_path, story):
    found = find_in(tmp_path, asks(**story))
    assert not any("at a time, in" in one.text for one in found)
