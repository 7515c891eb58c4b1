"""Threads that wait for a socket for a moment, again and again."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds
from tracer import schema as s

POLL = "/app/poll.py:5 poll"
LIBRARY = "/venv/lib/python3.13/site-packages/bus/client.py:64 Listener.run"
SUBSCRIBE = "/app/prices.py:20 subscribe"


def reader(times=600, ns=MS, vain=True, site=POLL, started="", what="socket.recv"):
    """A thread waits for a socket for a moment, again and again; a library's, if `started`."""
    trace = TraceBuilder(argv="poll.py", signals=SIGNALS)
    main, thread = trace.thread("MainThread").native(0), trace.thread("reader")
    if started:
        stack = {s.ARG_SITE: LIBRARY, s.ARG_STACK: f"{LIBRARY}\n{started}"}
        begun = trace.instant(main.track, 0, s.THREAD_START, s.CAT_THREAD, **stack)
        trace.arrow(begun, trace.instant(thread.track, 0, s.THREAD_STARTED, s.CAT_THREAD))
    at = MS
    for _ in range(times):
        thread.io(at, what, site=site, stack=site, fd=7, timed_out=vain).native(at + ns)
        at += ns + MS // 10
    thread.end(at)
    main.end(at)
    return trace.ended(at + MS)


def test_tiny_time_outs_of_calls(tmp_path):
    (found,) = find_in(tmp_path, reader(what="select.select"))
    assert found.finding == "busy loop"
    assert found.text == (
        "`reader` polls in `poll` (poll.py:5): `select.select` runs into its time-out 600 "
        "times, after 1.00 ms on average, for 660 ms (at 1.00 ms). Wait without a time-out, "
        "or take a longer one: it returns at once when something comes."
    )
    assert found.evidence.site == POLL


def test_a_librarys_thread_is_named_by_who_started_it(tmp_path):
    (found,) = find_in(tmp_path, reader(site=LIBRARY, started=SUBSCRIBE))
    assert "`reader` polls in `subscribe` (prices.py:20): `socket.recv` runs" in found.text


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"times": 400}, id="not often"),
        pytest.param({"ns": 3 * MS}, id="for longer"),
        pytest.param({"vain": False}, id="something comes each time"),
        pytest.param({"site": LIBRARY, "started": LIBRARY}, id="a library's own"),
    ],
)
def test_a_thread_that_waits_for_a_socket(tmp_path, story):
    assert kinds(tmp_path, reader(**story)) == []
