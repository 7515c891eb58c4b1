"""Small messages that the kernel holds back."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds

CALL, SERVE = "/app/rpc.py:27 call", "/app/rpc.py:15 serve"


def calls(
    times=12,
    ns=42 * MS,
    server=SERVE,
    together=True,
    name="socket.recv",
    quick=0,
    more=0,
    source="",
):
    """A client asks in two pieces; both ends wait until the second one is sent. `more`: as do
    others, 5 ms later each. `source`: another thread, that goes on just before they do."""
    trace = TraceBuilder(argv="rpc.py", signals=SIGNALS)
    main, serves, at = trace.thread("MainThread").native(0), trace.thread("server"), MS
    serves.native(0)
    later = 0 if together else 10 * MS
    for _ in range(times):
        main.io(at, name, site=CALL)
        serves.io(at + later + 1, name, site=server).native(at + later + ns - MS)
        main.native(at + ns)
        at += ns + 20 * MS
    for _ in range(quick):
        main.io(at, name, site=CALL).native(at + 25 * MS)
        at += 30 * MS
    main.end(at)
    serves.end(at)
    if source:
        ticks, since = trace.thread("source").native(0), MS
        for _ in range(times if source == "ticks" else 0):
            ticks.sleep(since + 1, site="/app/rpc.py:40 tick").native(since + ns - 3 * MS // 2)
            since += ns + 20 * MS
        if source == "sleeps":
            ticks.sleep(MS // 2, site="/app/rpc.py:40 tick").native(at - 1)
        ticks.end(at)
    for n in range(1, more + 1):
        client, other, since = trace.thread(f"web-{n}"), trace.thread(f"server-{n}"), MS
        client.native(0)
        other.native(0)
        for _ in range(times):
            client.io(since + n * 5 * MS, name, site=CALL).native(since + n * 5 * MS + ns)
            other.io(since + n * 5 * MS + 1, name, site=server)
            other.native(since + n * 5 * MS + ns - MS)
            since += ns + 20 * MS
        client.end(at)
        other.end(at)
    return trace.ended(at + MS)


def test_two_small_messages(tmp_path):
    (found,) = find_in(tmp_path, calls())
    assert (found.finding, found.severity_ns) == ("slow answer", 504 * MS)
    assert found.text.startswith(
        "Slow answer: `MainThread` in `call` (rpc.py:27) and `server` in `serve` (rpc.py:15) "
        "both wait in `recv` for 42.0 ms and then go on together, 12 times, 504 ms in total"
    )
    assert found.text.endswith("Send both in one piece, or set `TCP_NODELAY`.")


def test_another_thread_that_stands_still(tmp_path):
    (found,) = find_in(tmp_path, calls(source="sleeps"))
    assert "while nobody else here did anything" in found.text


def test_several_clients_are_told_once(tmp_path):
    (found,) = find_in(tmp_path, calls(more=2))
    assert found.severity_ns == 3 * 504 * MS
    assert "3 threads `MainThread` and `web-N` in `call` (rpc.py:27)" in found.text
    assert ", 36 times, 1.51 s in total" in found.text


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"times": 9}, id="seldom"),
        pytest.param({"ns": 80 * MS}, id="another time"),
        pytest.param({"server": CALL}, id="the same line: somebody sends to both"),
        pytest.param({"together": False}, id="one goes on later"),
        pytest.param({"name": "os.read"}, id="a pipe"),
        pytest.param({"ns": 52 * MS}, id="a pace"),
        pytest.param({"source": "ticks"}, id="one that was asleep until then sends"),
        pytest.param({"source": "works"}, id="one that works sends"),
        pytest.param({"quick": 4}, id="others take their time"),
    ],
)
def test_other_answers(tmp_path, story):
    assert kinds(tmp_path, calls(**story)) == []
