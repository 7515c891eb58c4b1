"""Tasks that do the work of one message after the other, while the next ones are there."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds

LOOKUP = "/app/serve.py:4 lookup"
HELPER = f"{LOOKUP}\n/app/serve.py:7 on_message\n/app/serve.py:10 handler"
NEXT = "/app/serve.py:9 handler"
SOCKETS = "/venv/lib/python3.13/site-packages/websockets/asyncio/connection.py"
SEND = "/app/serve.py:20 feed"
MESSAGE = "message (websockets)"


def served(
    times=25, ns=40 * MS, what="sleep", stack=HELPER, waits_after=25, listens=MESSAGE,
    sends=0, sent_ns=MS, first_listens=False, late=(),
):  # fmt: skip
    """Calls of a helper; the task waits for a message after every `waits_after` of them. A
    `feed` sends for so many calls at a time, and goes on `sent_ns` after the last of them, or
    20 ms after it where that is the n-th of `late`."""
    trace = TraceBuilder(argv="serve.py", signals=SIGNALS)
    thread = trace.thread("MainThread").native(0)
    loop = trace.loop(thread)
    task = loop.task("handler", site=NEXT)
    feed = loop.task("feed", site="/app/serve.py:19 feed")
    task.ready(0).running(0)
    feed.ready(0).running(1)
    at = MS
    if first_listens:
        task.awaits(at, MESSAGE, site=NEXT, stack=NEXT)
        task.ready(at + MS, waker="io").running(at + MS)
        at += 2 * MS
    if sends:
        feed.awaits(at, "send (websockets)", site=SEND, stack=SEND)
    for n in range(1, times + 1):
        task.awaits(at, what, site=LOOKUP, stack=stack)
        at += ns
        task.ready(at, waker="timer" if what == "sleep" else "io").running(at)
        if sends and n % sends == 0:
            on = at + (20 * MS if n // sends in late else sent_ns)
            feed.ready(on, waker="io").running(on)
            feed.awaits(on + 1, "send (websockets)", site=SEND, stack=SEND)
        if listens and n % waits_after == 0:
            task.awaits(at, listens, site=NEXT, stack=NEXT)
            at += MS
            task.ready(at, waker="io").running(at)
    task.done(at + MS)
    if sends:
        feed.ready(at + sent_ns + 2, waker="io").running(at + sent_ns + 2)
    feed.done(at + sent_ns + 3 * MS)
    thread.end(at + sent_ns + 4 * MS)
    return trace.ended(at + sent_ns + 5 * MS)


def test_one_message_at_a_time(tmp_path):
    (found,) = find_in(tmp_path, served())
    assert (found.finding, found.severity_ns) == ("awaits in turn", 24 * 40 * MS)
    assert found.text == (
        "Awaits in turn: `handler` (serve.py:9) calls `lookup` (serve.py:4) 25 times, one "
        "after the other, in `on_message` (serve.py:7), and each call waits in `await sleep`: "
        "1.00 s of 1.00 s (at 1.00 ms), the longest 40.0 ms. Until then it takes no other "
        "message, and it hardly ever had to wait for one."
    )


def test_what_it_waits_for_may_be_outside(tmp_path):
    (found,) = find_in(tmp_path, served(what="response (httpx)"))
    assert "each call waits in `await response (httpx)`" in found.text


def test_who_sends_waits_for_it(tmp_path):
    """Also where the next message was there each time."""
    (found,) = find_in(tmp_path, served(sends=5, listens=""))
    assert (found.finding, found.severity_ns) == ("slow consumer", 1_001 * MS - 4)
    assert found.text.startswith(
        "Slow consumer: `feed` in `feed` (serve.py:20) waited 1.00 s to send, most likely to "
        "`handler`, since it goes on just after that each time. `handler` (serve.py:9) calls "
        "`lookup` (serve.py:4) 25 times"
    )


def test_a_busy_machine_is_late_with_one_of_four(tmp_path):
    (found,) = find_in(tmp_path, served(sends=5, listens="", late=(2,)))
    assert found.finding == "slow consumer"


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"waits_after": 1}, id="an answer, and then the next request"),
        pytest.param({"listens": ""}, id="it takes nothing"),
        pytest.param({"listens": "", "first_listens": True}, id="a greeting, then calls"),
        pytest.param({"times": 9, "ns": 120 * MS, "waits_after": 9}, id="few"),
        pytest.param({"ns": 39 * MS}, id="little is lost"),
        pytest.param(
            {"stack": f"{LOOKUP}\n/app/serve.py:10 handler"}, id="in the task's own function"
        ),
        pytest.param(
            {"listens": "", "sends": 5, "sent_ns": 20 * MS}, id="sent to another one"
        ),
        pytest.param({"listens": "", "sends": 5, "late": (1, 2, 3)}, id="mostly to another"),
    ],
)
def test_no_advice(tmp_path, story):
    assert kinds(tmp_path, served(**story)) == []


def relayed(gets=MESSAGE, consumers=1, times=25, ns=40 * MS):
    """Items of a queue, into which a `reader` puts what it gets, or makes; one consumer does
    the work of all, and then waits for more."""
    trace = TraceBuilder(argv="serve.py", signals=SIGNALS)
    loop = trace.loop(thread := trace.thread("MainThread").native(0))
    queue = trace.lock("Queue.get", NEXT)
    reader = loop.task("reader", site=SEND).ready(0).running(1).awaits(2, gets, site=SEND)
    tasks = [loop.task("handler", site=NEXT).ready(0).running(3) for _ in range(consumers)]
    for n, task in enumerate(tasks):
        task.awaits(4 + n, "Queue.get", lock=queue.id, site=NEXT, stack=NEXT)
    at = MS
    reader.ready(at, waker="io").running(at)
    tasks[0].ready(at, by=reader)
    reader.done(at + 1)
    tasks[0].running(at := at + 2)
    for _ in range(times):
        tasks[0].awaits(at, "sleep", site=LOOKUP, stack=HELPER)
        at += ns
        tasks[0].ready(at, waker="timer").running(at)
    tasks[0].awaits(at + 1, "Queue.get", lock=queue.id, site=NEXT, stack=NEXT)
    at += 2 * MS
    for task in tasks:
        task.ready(at).running(at + 1).done(at := at + 2)
    thread.end(at + MS)
    return trace.ended(at + 2 * MS)


@pytest.mark.parametrize(
    ("story", "found"),
    [
        pytest.param({}, ["awaits in turn"], id="messages"),
        pytest.param({"gets": "sleep"}, [], id="jobs of the program's own"),
        pytest.param({"consumers": 2}, [], id="others take some of them"),
        pytest.param({"times": 9, "ns": 120 * MS}, [], id="few"),
    ],
)
def test_messages_from_a_queue(tmp_path, story, found):
    assert kinds(tmp_path, relayed(**story)) == found
