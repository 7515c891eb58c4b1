"""An answer that takes far longer than all others at its line, while somebody waits."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds

QUERY, MAIN = "/app/whois.py:9 query", "/app/whois.py:20 main"


def queries(late_ns=900 * MS, usual_ns=30 * MS, answers=11, is_joined=True, own_peer=False):
    """A thread reads answers of somebody outside; the last one is late. `main` joins it."""
    trace = TraceBuilder(argv="whois.py", signals=SIGNALS)
    reader, main = trace.thread("whois-1").native(0), trace.thread("MainThread").native(0)
    at = MS
    for n in range(answers + 1):
        ns = late_ns if n == answers else usual_ns
        reader.io(at, "socket.recv", site=QUERY, stack=QUERY, own_peer=own_peer)
        reader.native(at + ns)
        at += ns + MS
    end = trace.lock("Thread.join", MAIN)
    if is_joined:
        since = at - late_ns
        main.lock_wait(since, "Thread.join", lock=end, owner=reader, site=MAIN, stack=MAIN)
        reader.release(at, end, to=main)
    reader.end(at)
    main.native(at).end(at + MS)
    return trace.ended(at + 2 * MS)


def test_one_late_answer(tmp_path):
    (found,) = find_in(tmp_path, queries())
    assert (found.finding, found.severity_ns) == ("slow answer", 900 * MS)
    assert found.text == (
        "Slow answer: `whois-1` in `query` (whois.py:9) waited 900 ms in `socket.recv` (at "
        "342 ms), where 11 others took 30.0 ms, typically; meanwhile `MainThread` in `main` "
        "(whois.py:20) waited for it in `Thread.join`."
    )
    assert found.next_step.startswith("Give the read a time-out")
    assert found.behind == QUERY


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"is_joined": False}, id="nobody waits: it reads what comes seldom"),
        pytest.param({"late_ns": 480 * MS}, id="little is lost"),
        pytest.param({"usual_ns": 50 * MS}, id="it takes eighteen times as long"),
        pytest.param({"answers": 9}, id="nine others"),
        pytest.param({"own_peer": True}, id="the program itself answers"),
    ],
)
def test_no_late_answer(tmp_path, story):
    assert "slow answer" not in kinds(tmp_path, queries(**story))
