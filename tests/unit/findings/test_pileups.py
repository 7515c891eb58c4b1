"""Threads that pile up, since a server does not answer them."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds

ASK = "/app/news.py:13 fetch"


def readers(count=20, every_ns=60 * MS, at_once=0, connects=True, answered=0):
    """Each connects and reads to the end; some have their answer."""
    trace = TraceBuilder(argv="news.py", signals=SIGNALS)
    main = trace.thread("MainThread").native(0)
    last = count * every_ns + 200 * MS
    for n in range(count):
        at = every_ns if n < at_once else (n + 1) * every_ns
        thread = trace.thread(f"refresh-{n}").native(at)
        if connects:
            thread.io(at + 10, "socket.connect", site=ASK).native(at + MS)
        thread.io(at + 2 * MS, "socket.recv")
        if n < answered:
            thread.native(at + 9 * MS).end(at + 10 * MS)
    main.end(last)
    return trace.ended(last + MS)


def test_threads_that_have_no_answer(tmp_path):
    (found,) = find_in(tmp_path, readers())
    assert found.finding == "workers never exit"
    assert found.text == (
        "Threads pile up: 20 threads `refresh-N` were made one after the other and have not "
        "ended: each connected in `fetch` (news.py:13) and still waits in `socket.recv` for "
        "an answer. Give the socket a time-out, or close it when nobody needs it any more."
    )
    assert found.evidence.site == ASK


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"count": 15}, id="few"),
        pytest.param({"at_once": 17}, id="made at once"),
        pytest.param({"connects": False}, id="their clients may stay"),
        pytest.param({"count": 22, "answered": 5}, id="some have their answer"),
    ],
)
def test_threads_that_may_wait(tmp_path, story):
    assert kinds(tmp_path, readers(**story)) == []
