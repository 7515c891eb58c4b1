"""Loops without tasks that wait: what had arrived while they were blocked."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds

STORE = "/app/feed.py:9 store"


def feed(times=3, ns=200 * MS, after=3, scheduled=False, waits_first=False):
    """`store` sleeps in a callback; then the loop has some for other connections to run."""
    trace = TraceBuilder(argv="feed.py", signals=SIGNALS)
    thread = trace.thread("MainThread")
    loop, at = trace.loop(thread), MS
    thread.running(0)
    for _ in range(times):
        thread.sleep(at, site=STORE).running(at + ns)
        step = loop.callback("Feed.received", "/app/feed.py:5 Feed.received", at, at + ns)
        at += ns
        if waits_first:
            loop.select(at, at + MS)
            at += MS
        for _ in range(after):
            by = step if scheduled else None
            loop.callback("Feed.ready", "/app/feed.py:15 Feed.ready", at, at + MS // 10, by=by)
            at += MS // 10
        loop.select(at, at + 100 * MS)
        at += 100 * MS
    thread.end(at)
    return trace.ended(at + MS)


def test_others_have_sent_something_meanwhile(tmp_path):
    (found,) = find_in(tmp_path, feed())
    assert found.finding == "loop blocked"
    assert found.text == (
        "`Feed.received` (feed.py:5) blocks the event loop for up to 200 ms (at 1.00 ms); 3 "
        "of its steps took more than 20.0 ms while others waited, 600 ms in total; it "
        "spends 100 % of that time "
        "in `sleep` (feed.py:9); as soon as it was over, the loop had up to 3 callbacks to "
        "run at once, for data that had arrived and timers that were due."
    )
    assert found.severity_ns == 600 * MS
    assert found.evidence.site == "/app/feed.py:5 Feed.received"


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"after": 1}, id="one connection"),
        pytest.param({"times": 2, "ns": 300 * MS}, id="twice"),
        pytest.param({"times": 10, "ns": 45 * MS}, id="short"),
        pytest.param({"ns": 150 * MS}, id="not half a second"),
        pytest.param({"scheduled": True}, id="its own callbacks"),
        pytest.param({"waits_first": True}, id="nothing had arrived"),
    ],
)
def test_nobody_was_kept_waiting(tmp_path, story):
    assert kinds(tmp_path, feed(**story)) == []
