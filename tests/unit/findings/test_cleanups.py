"""Time-outs that take effect late, since what they cancelled awaits something first."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds

WAIT_FOR = "/usr/lib/python3.13/asyncio/tasks.py:507 wait_for\n/app/call.py:24 call"
CLEAN = "/app/call.py:9 close\n/app/call.py:18 fetch"


def calls(ns=300 * MS, inner=CLEAN, via="Timeout._on_timeout", scope=WAIT_FOR, again=False):
    """Two tasks give `fetch` 200 ms; it then awaits something for `ns`. `again`: and then it
    goes on inside of `wait_for`."""
    trace = TraceBuilder(argv="call.py", signals=SIGNALS)
    thread = trace.thread("MainThread").native(0)
    loop, end = trace.loop(thread), 200 * MS + ns + 20 * MS
    fetches = f"/app/call.py:16 fetch\n{scope}"
    for n in range(2):
        task = loop.task("call", site="/app/call.py:22 call").ready(n).running(n)
        task.awaits(n + 1, "future", site="/app/call.py:16 fetch", stack=fetches)
        at = 200 * MS + n
        task.ready(at, waker="timer", via=via).running(at + MS)
        stack = f"{inner}\n{scope}"
        task.awaits(at + 2 * MS, "sleep", site=inner.split("\n")[0], stack=stack)
        at += ns
        task.ready(at + 2 * MS, waker="timer").running(at + 3 * MS)
        if again:
            task.awaits(at + 4 * MS, "future", site="/app/call.py:19 fetch", stack=fetches)
            task.ready(at + 5 * MS, waker="io").running(at + 5 * MS)
        task.done(at + 6 * MS)
    thread.end(end)
    return trace.ended(end + MS)


def test_a_clean_up_delays_the_time_out(tmp_path):
    (found,) = find_in(tmp_path, calls())
    assert found.finding == "wait in vain"
    assert found.text == (
        "Waited in vain: 2 tasks `call` in `call` (call.py:24) gave up after 200 ms "
        "(`wait_for`), but then waited 300 ms more (at 202 ms) for what it had cancelled, "
        "which awaits `sleep` in `close` (call.py:9) in its clean-up: 2 waits, 600 ms in "
        "total. Clean up without awaiting, with a short time-out, or in a task of its own."
    )
    assert found.evidence.site == "/app/call.py:9 close"


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"ns": 200 * MS}, id="a short clean-up"),
        pytest.param({"inner": "/app/call.py:16 fetch"}, id="the next call of wait_for"),
        pytest.param({"via": "set_result"}, id="nothing was cut short"),
        pytest.param({"scope": "/app/call.py:24 call"}, id="no wait_for"),
        pytest.param({"again": True}, id="it goes on inside of wait_for"),
    ],
)
def test_no_late_time_out(tmp_path, story):
    assert kinds(tmp_path, calls(**story)) == []
