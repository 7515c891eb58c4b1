"""Jobs that go on after a time-out, and for which the program then waits all the same."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds

RESULT, LEAVE = "/app/calls.py:18 fetch_all", "/app/calls.py:14 fetch_all"
LOOP_ENDS = "/usr/lib/python3.13/asyncio/base_events.py:623 BaseEventLoop._do_shutdown"
CALL = "/app/calls.py:8 call_api"
SHUTDOWN = "executor shutdown"


def calls(timed_out=True, more_ns=600 * MS, next_job=False, end=SHUTDOWN, by=""):
    """The main thread waits 300 ms for the result of a job, and then for the pool's end."""
    trace = TraceBuilder(argv="calls.py", signals=SIGNALS)
    main, worker = trace.thread("MainThread").native(0), trace.thread("pool_0")
    worker.runs(MS, "call_api", "/app/calls.py:7 call_api", by=main.submits(0))
    second = main.submits(2 * MS)
    result, ends = trace.lock("Future.result", RESULT), trace.lock(end, LEAVE)
    main.lock_wait(10 * MS, "Future.result", lock=result, site=RESULT, acquired=not timed_out)
    worker.sleep(MS, site=CALL)
    main.native(310 * MS)
    over = 320 * MS + more_ns
    if next_job:
        worker.native(311 * MS)
        worker.runs(312 * MS, "store", "/app/calls.py:30 store", by=second)
        worker.sleep(312 * MS, site="/app/calls.py:31 store")
    if end:
        main.lock_wait(320 * MS, end, lock=ends, site=LEAVE, stack=by, owner=worker)
        worker.native(over - MS).release(over, ends, to=main)
    worker.end(over)
    main.native(over).end(over + MS)
    return trace.ended(over + 2 * MS)


def test_a_time_out_that_only_moves_the_wait(tmp_path):
    found, *_ = find_in(tmp_path, calls())
    assert found.finding == "wait in vain"
    assert found.text == (
        "Waited in vain: `MainThread` in `fetch_all` (calls.py:18) gave up waiting for "
        "`call_api` (calls.py:7) after 300 ms, but the program then waited 600 ms in "
        "`executor shutdown` in `fetch_all` (calls.py:14) for it to end all the same (at "
        "320 ms), 99 % of that time asleep in `call_api` (calls.py:8). A time-out ends the "
        "wait, not the job: give what the job does a time-out of its own, or leave the pool "
        "with `shutdown(wait=False, cancel_futures=True)`."
    )
    assert (found.severity_ns, found.evidence.site) == (600 * MS, LEAVE)


def test_it_is_told_once(tmp_path):
    told = [one for one in find_in(tmp_path, calls()) if one.finding == "wait in vain"]
    assert len(told) == 1


def test_a_loop_that_ends_says_no_more(tmp_path):
    assert kinds(tmp_path, calls(by=LOOP_ENDS)) == ["wait in vain"]
    assert kinds(tmp_path, calls(timed_out=False, by=LOOP_ENDS)) == ["slow end"]


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"timed_out": False}, id="its result came"),
        pytest.param({"more_ns": 400 * MS}, id="not long"),
        pytest.param({"next_job": True}, id="the worker does something else"),
        pytest.param({"end": ""}, id="nobody waits for the end"),
    ],
)
def test_who_is_not_waited_for_twice(tmp_path, story):
    assert kinds(tmp_path, calls(**story)) == []
