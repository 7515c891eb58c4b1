"""Tasks that take an item when nobody awaits them any more."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds

GETS, WAITS = "/usr/lib/python3.13/asyncio/queues.py:172", "/app/feed.py:12 consume"
ASKS = "/app/feed.py:23 order"


def rounds(count=4, what="wait", noticed=False, how="done"):
    """Each round of `consume` makes a `get` and waits 50 ms; items come a round later."""
    trace = TraceBuilder(argv="feed.py", signals=SIGNALS)
    thread = trace.thread("MainThread").native(0)
    loop = trace.loop(thread)
    queue = trace.lock("Queue.get", WAITS)
    main = loop.task("consume", site="/app/feed.py:8 consume").ready(0).running(1)
    orders = [loop.task("order", site="/app/feed.py:20 order") for _ in range(count)]
    for n, order in enumerate(orders):
        order.ready(2 + n).running(10 + n).awaits(
            20 + n, "sleep", site="/app/feed.py:21 order"
        )
    gets = []
    for n in range(count + 2):
        at = 100 * MS * n + 1_000
        get = loop.task("Queue.get", site=GETS, parent=main.id)
        gets.append(get.ready(at, by=main).running(at + 500))
        get.awaits(at + 600, "Queue.get", lock=queue.id)
        main.awaits(at + 700, what, site=WAITS)
        item, is_due = at + 30 * MS, 0 < n <= count
        if is_due:
            order, get = orders[n - 1], gets[n - 1]
            order.ready(item, waker="timer").running(item + 1)
            get.ready(item + 2, by=order).running(item + 3).done(item + 4, how)
            order.awaits(item + 20, "future", site=ASKS)
        if noticed and is_due:
            main.ready(item + 100, waker="timer").running(item + 200)
        else:
            main.ready(at + 50 * MS, waker="timer").running(at + 50 * MS + 1)
        main.awaits(at + 51 * MS, "sleep", site="/app/feed.py:30 consume")
        main.ready(at + 99 * MS, waker="timer").running(at + 99 * MS + 1)
    end = 100 * MS * (count + 3)
    for n, order in enumerate(orders):
        order.ready(end, waker="timer", via="Timeout._on_timeout").running(end + n)
        order.done(end + 10 + n)
    thread.end(end + MS)
    return trace.ended(end + 2 * MS)


def test_forgotten_gets(tmp_path):
    found = next(one for one in find_in(tmp_path, rounds()) if one.finding == "orphaned task")
    assert found.text == (
        "`Queue.get` (asyncio/queues.py:172): at least 4 orphaned tasks, made by `consume`, "
        "that took what they waited for (Queue.get) when nobody awaited them any more, so "
        "that it was lost: each time the await that they were made for had ended without "
        "them, and another one was made (at 130 ms). 4 tasks `order`, who had given it, then "
        "waited 1.68 s in vain in `order` (feed.py:23). Await the same task again in the "
        "next round, or cancel it before the next one."
    )


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"count": 2}, id="two"),
        pytest.param({"what": "sleep"}, id="made before they are needed"),
        pytest.param({"noticed": True}, id="they are awaited"),
        pytest.param({"how": "cancelled"}, id="they are cancelled"),
    ],
)
def test_nothing_is_lost(tmp_path, story):
    assert "orphaned task" not in kinds(tmp_path, rounds(**story))
