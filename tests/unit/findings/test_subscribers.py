"""Threads that handle messages from outside in turn, without time for more."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds

REDIS = "/venv/lib/python3.13/site-packages/redis/client.py"
TAKES = f"{REDIS}:1250 PubSub.get_message\n{REDIS}:1423 PubSubWorkerThread.run"
LISTENS = f"{REDIS}:1205 PubSub.listen\n/app/feed.py:20 follow"
HANDLER, STORE = "/app/feed.py:7 on_order", "/app/feed.py:8 on_order"


def subscriber(times=12, each_ns=150 * MS, pauses_ns=0, called=True, takes=TAKES):
    """A thread waits for messages, handles some of them in turn, and waits again. Either the
    library calls the handler, or the program's own loop does."""
    trace = TraceBuilder(argv="feed.py", signals=SIGNALS)
    thread, at = trace.thread("feed"), 0
    below = takes if called else "/app/feed.py:21 follow"

    def wait(until):
        read = f"{REDIS}:1110 PubSub.parse_response\n{takes}"
        thread.io(at, "select.poll.poll", site="/app/feed.py:20 follow", stack=read)
        thread.native(until)

    wait(100 * MS)
    at = 100 * MS
    for _ in range(times):
        thread.io(at, "socket.recv", site=STORE, stack=f"{STORE}\n{below}")
        thread.native(at + each_ns)
        at += each_ns + 1000
        if pauses_ns:
            wait(at + pauses_ns)
            at += pauses_ns
    wait(at + 100 * MS)
    thread.end(at + 101 * MS)
    return trace.ended(at + 102 * MS)


def test_a_handler_that_is_slow(tmp_path):
    (found,) = find_in(tmp_path, subscriber())
    assert found.finding == "slow consumer"
    assert found.text == (
        "Slow consumer: `feed` handles the messages of redis's pubsub one after the other, "
        "and had no time for more for 1.80 s (at 100 ms): it was busy with `on_order` "
        "(feed.py:8), 99 % of that time in `socket.recv` in `on_order` (feed.py:8). What came "
        "meanwhile had to wait. Hand what is slow to other threads, so that it takes the next "
        "message at once."
    )
    assert (found.evidence.site, found.evidence.start_ns) == (STORE, 1100 * MS)


WATCH = "/venv/lib/python3.13/site-packages/watchdog/observers/api.py"
OBSERVES = f"{WATCH}:499 BaseObserver.dispatch_events\n{WATCH}:248 EventDispatcher.run"


def test_an_observer_whose_handler_is_slow(tmp_path):
    (found,) = find_in(tmp_path, subscriber(takes=OBSERVES))
    assert "`feed` handles the events of watchdog's observer one after the" in found.text
    assert found.text.endswith("so that it takes the next event at once.")


def test_a_loop_that_is_slow(tmp_path):
    (found,) = find_in(tmp_path, subscriber(called=False, takes=LISTENS))
    assert "had no time for more for 1.80 s" in found.text


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"pauses_ns": 2 * MS}, id="it waits for each message"),
        pytest.param({"times": 6}, id="for less than a second"),
        pytest.param({"times": 2, "each_ns": 600 * MS}, id="one message or two"),
        pytest.param({"called": False, "takes": LISTENS, "times": 7, "each_ns": 200 * MS},
                     id="what one message may be for"),
        pytest.param({"takes": "/app/redis.py:3 PubSub.get_message"}, id="another's class"),
    ],
)  # fmt: skip
def test_a_subscriber_that_keeps_up(tmp_path, story):
    assert kinds(tmp_path, subscriber(**story)) == []
