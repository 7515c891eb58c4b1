"""Pools whose workers wait for a job in their own queue."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds

WAIT, LOAD = "/app/jobs.py:11 wait_for_config", "/app/jobs.py:14 load_config"


def pool(workers=2, waiting=2, ns=1_200 * MS, queued=True, gives_up=True):
    """The workers wait for an event; `load_config` is queued behind them."""
    trace = TraceBuilder(argv="jobs.py", signals=SIGNALS)
    main = trace.thread("MainThread").native(0)
    event = trace.lock("Event.wait", WAIT)
    threads = [trace.thread(f"jobs_{n}") for n in range(workers)]
    for n, thread in enumerate(threads):
        submit = main.submits(MS + n)
        thread.native(2 * MS).runs(2 * MS + n, "wait_for_config", WAIT, by=submit)
    behind = main.submits(3 * MS) if queued else None
    end = 4 * MS + ns
    for n, thread in enumerate(threads):
        if n < waiting:
            thread.lock_wait(
                4 * MS + n, "Event.wait", lock=event, site=WAIT, acquired=not gives_up
            )
        thread.native(end + n * MS)
    if behind is None:
        behind = main.submits(end)
    threads[0].runs(end + MS, "load_config", LOAD, by=behind)
    for thread in (*threads, main):
        thread.end(end + 5 * MS)
    return trace.ended(end + 6 * MS)


def test_all_workers_wait_for_what_is_queued(tmp_path):
    found, *_ = find_in(tmp_path, pool())
    assert found.finding == "deadlock"
    assert found.text == (
        "Deadlock at 4.00 ms, for 1.20 s: all 2 workers of `jobs` wait in `Event.wait` in "
        "`wait_for_config` (jobs.py:11), while `load_config` (jobs.py:14) is queued in the "
        "same pool; it began when they had given up. If they wait for what it does, it needs "
        "a pool of its own, or must be submitted first."
    )


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"waiting": 1}, id="another worker is free"),
        pytest.param({"ns": 300 * MS}, id="not for long"),
        pytest.param({"queued": False}, id="it was submitted later"),
        pytest.param({"gives_up": False}, id="they are woken"),
    ],
)
def test_pools_that_go_on(tmp_path, story):
    assert "deadlock" not in kinds(tmp_path, pool(**story))
