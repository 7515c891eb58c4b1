"""`close` of a library that does not end."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds

PACKAGES = "/venv/lib/python3.13/site-packages"
CLOSE = "/app/shop.py:29 main"
STACK = f"{PACKAGES}/asyncpg/pool.py:1092 Pool.close\n{CLOSE}"


def closes(ns=1_500 * MS, stack=STACK, follows=True, gives_up=True):
    """`main` closes a pool of which `follow` has a connection."""
    trace = TraceBuilder(argv="shop.py", signals=SIGNALS)
    thread = trace.thread("MainThread").running(0)
    loop = trace.loop(thread)
    main = loop.task("main", site="/app/shop.py:20 main").ready(0).running(MS)
    follow = loop.task("follow", site="/app/shop.py:10 follow").ready(0)
    lock = trace.lock("Event", CLOSE)
    main.awaits(MS + 1, "Event", site=CLOSE, stack=stack, lock=lock.id, acquired=not gives_up)
    loop.step(main, MS, MS + 1)
    end = MS + 1 + ns
    if follows:
        follow.running(MS // 2).awaits(MS // 2 + 1, "query (asyncpg)", site=CLOSE)
        loop.step(follow, MS // 2, MS // 2 + 1)
        follow.ready(3 * MS, waker="io").running(3 * MS)
        follow.awaits(3 * MS + 1, "sleep", site="/app/shop.py:14 follow")
        loop.step(follow, 3 * MS, 3 * MS + 1)
    main.ready(end, waker="timer" if gives_up else "io").running(end)
    main.done(end + 1, "cancelled" if gives_up else "done")
    loop.step(main, end, end + 1)
    follow.ready(end + MS, waker="timer").running(end + MS).done(end + MS + 1)
    loop.step(follow, end + MS, end + MS + 1)
    thread.end(end + 2 * MS)
    return trace.ended(end + 3 * MS)


def test_somebody_still_has_a_connection(tmp_path):
    (found,) = find_in(tmp_path, closes())
    assert (found.finding, found.severity_ns) == ("wait in vain", 1_500 * MS)
    assert found.text == (
        "Waited in vain: `main` in `main` (shop.py:29, via `Pool.close`) waited 1.50 s in "
        "`Pool.close` (asyncpg/pool.py:1092) (at 1.00 ms) and gave up. Meanwhile `follow`, "
        "which had used it, lived on, 99 % of that time asleep in `follow` (shop.py:14). "
        "Cancel and await its users before you close it."
    )


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"ns": 900 * MS}, id="a moment"),
        pytest.param({"gives_up": False}, id="it ends"),
        pytest.param({"stack": CLOSE}, id="no library closes"),
    ],
)
def test_other_waits(tmp_path, story):
    assert "wait in vain" not in kinds(tmp_path, closes(**story))


def sessions(count=3, ns=400 * MS, stack=STACK):
    """`main` opens and closes one client after the other, whose peer says nothing."""
    trace = TraceBuilder(argv="shop.py", signals=SIGNALS)
    thread = trace.thread("MainThread").running(0)
    loop, at = trace.loop(thread), MS
    main = loop.task("main", site="/app/shop.py:20 main").ready(0).running(at)
    lock = trace.lock("Event", CLOSE)
    for _ in range(count):
        main.awaits(at + 1, "Event", site=CLOSE, stack=stack, lock=lock.id, acquired=False)
        loop.step(main, at, at + 1)
        at += ns
        main.ready(at, waker="timer").running(at)
    loop.step(main, at, at + 1)
    main.done(at + 1)
    thread.end(at + MS)
    return trace.ended(at + 2 * MS)


def test_each_client_takes_its_time_to_close(tmp_path):
    found = next(one for one in find_in(tmp_path, sessions()) if "Pool.close" in one.text)
    assert (found.finding, found.severity_ns) == ("wait in vain", 3 * 400 * MS - 3)
    assert "(at 1.00 ms) and gave up, 3 times, 1.20 s in total." in found.text


@pytest.mark.parametrize("story", [{"count": 2}, {"ns": 240 * MS}, {"stack": CLOSE}])
def test_clients_that_close_soon(tmp_path, story):
    said = [one.text for one in find_in(tmp_path, sessions(**story))]
    assert not any("in `Pool.close`" in text for text in said)
