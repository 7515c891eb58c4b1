"""Tokens that are with threads which wait for coroutines that need one."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds

RUN = "/app/web.py:13 load_user"
ACQUIRE = "/site-packages/anyio/_backends/_asyncio.py:700 CapacityLimiter.acquire"
STACK = f"{ACQUIRE}\n{RUN}"
VIEW = "/app/web.py:17 sync_view"


def views(threads=2, ns=600 * MS, waits=True):
    """Two requests have the tokens; `threads` of theirs wait for what needs another one."""
    trace = TraceBuilder(argv="web.py", signals=SIGNALS)
    main = trace.thread("MainThread").running(0)
    loop = trace.loop(main)
    workers = [trace.thread("AnyIO worker thread").native(0) for _ in range(2)]
    requests = [loop.task("request", site="/app/web.py:22 request") for _ in range(2)]
    loads = [loop.task("load_user", site="/app/web.py:12 load_user") for _ in range(2)]
    told = ", ".join(f"request ({task.id})" for task in requests)
    at, end = MS, 50 * MS + ns
    for task in requests:
        task.ready(0).running(at).awaits(at + MS, "executor", site="/app/web.py:22 request")
        loop.step(task, at, at + MS)
        at += 2 * MS
    for task in loads:
        task.ready(at).running(at)
        task.awaits(
            at + MS, "CapacityLimiter", acquired=False, site=RUN, stack=STACK, holders=told
        )
        loop.step(task, at, at + MS)
        at += 2 * MS
    for n, worker in enumerate(workers[:threads]):
        result = trace.lock("Future.result", VIEW)
        worker.wakes(at + n)
        if waits:
            worker.lock_wait(at + n + 1, "Future.result", lock=result, site=VIEW)
        else:
            worker.sleep(at + n + 1, site=VIEW)
        worker.native(end)
    main.io(at + 10, "select.epoll.poll").running(end)
    for thread in (main, *workers):
        thread.end(end + MS)
    return trace.ended(end + 2 * MS)


def test_threads_that_ask_for_what_needs_a_thread(tmp_path):
    found, *_ = find_in(tmp_path, views())
    assert found.finding == "deadlock"
    assert (
        "2 tasks `load_user` wait for a token of anyio's limiter in `load_user` "
        "(web.py:13, via `CapacityLimiter.acquire`), and 2 tasks `request` hold them all and "
        "their threads wait in `sync_view` (web.py:17) for coroutines of the same loop."
    ) in found.text


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"threads": 1}, id="one of the threads works"),
        pytest.param({"waits": False}, id="they do something else"),
        pytest.param({"ns": 200 * MS}, id="little is lost"),
    ],
)
def test_threads_that_give_back(tmp_path, story):
    assert "deadlock" not in kinds(tmp_path, views(**story))
