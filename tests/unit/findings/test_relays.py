"""Limits whose next task is made as one before it ends."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds

ASKS, WORKS = "/app/limit.py:19 handle", "/app/limit.py:12 fetch"


def limited(count=8, each_ns=150 * MS, every_ns=30 * MS, pause_ns=0, extra=0, sites=1):
    """Two tasks of `fetch` at a time, each for a request that waits in a future."""
    trace = TraceBuilder(argv="limit.py", signals=SIGNALS)
    thread = trace.thread("MainThread").native(0)
    loop = trace.loop(thread)
    free, end = [0, 0], 0
    for n in range(count):
        came, site = n * every_ns + 100 * n, ASKS.replace("19", str(19 + n % sites))
        request = (
            loop.task("handle", site="/app/limit.py:17 handle").ready(came).running(came + 1)
        )
        request.awaits(came + 10, "future", site=site)
        lane = free.index(min(free))
        born = max(came + 20, free[lane])
        fetch = loop.task("fetch", site=WORKS).ready(born).running(born + 1)
        fetch.awaits(born + 10, "sleep", site="/app/limit.py:13 fetch")
        done = born + each_ns
        fetch.ready(done, waker="timer").running(done + 10)
        request.ready(done + 20, by=fetch).running(done + 40)
        fetch.done(done + 30)
        request.done(done + 50)
        free[lane] = done + 25 + pause_ns
        end = max(end, done)
    for _ in range(extra):
        task = loop.task("fetch", site=WORKS).ready(end).running(end + 1)
        task.done(end + 10)
    thread.end(end + MS)
    return trace.ended(end + 2 * MS)


def test_two_at_a_time(tmp_path):
    (found,) = find_in(tmp_path, limited())
    assert found.finding == "pool exhausted"
    assert found.text == (
        "Pool exhausted: 6 tasks `handle` waited in `handle` (limit.py:19) until `fetch` "
        "(limit.py:12) could begin for them: 6 waits lost 1.08 s in total, the longest 270 "
        "ms (at 180 ms). It runs 2 at a time, and the next one begins as one of them ends; "
        "each takes 150 ms on average, 99 % of that time asleep in `fetch` (limit.py:13). "
        "Raise that limit (`max_clients`, `limit`)."
    )
    assert found.evidence.site == ASKS


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"each_ns": 70 * MS}, id="little is lost"),
        pytest.param({"pause_ns": 20 * MS}, id="a rate"),
        pytest.param({"extra": 1}, id="not one for each"),
        pytest.param({"every_ns": 0}, id="a batch"),
    ],
)
def test_no_limit(tmp_path, story):
    assert "pool exhausted" not in kinds(tmp_path, limited(**story))


def test_a_batch_of_two_kinds(tmp_path):
    assert "pool exhausted" in kinds(tmp_path, limited(every_ns=0, sites=2))
