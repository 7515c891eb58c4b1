"""A `notify` that woke one of several who waited for the same."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds

WAIT = "/app/config.py:15 wait_ready"


def services(count=3, ns=700 * MS, woken=1, goes_on=200 * MS, again=False, site=WAIT):
    """`loader` notifies at 300 ms, which wakes `woken` of those who wait; the others sleep on
    until a time-out `ns` later."""
    trace = TraceBuilder(argv="config.py", signals=SIGNALS)
    loader = trace.thread("loader").native(0)
    waiting = [trace.thread(f"service-{n}").native(0) for n in range(count)]
    ready, end = trace.lock("Condition.wait", WAIT), 300 * MS + ns
    for n, thread in enumerate(waiting):
        where = WAIT if n < woken else site
        thread.lock_wait(10 * MS, "Condition.wait", lock=ready, site=where, acquired=n < woken)
    for n, thread in enumerate(waiting):
        if n < woken:
            loader.release(300 * MS + n, ready, to=thread)
            thread.native(300 * MS + n)
        else:
            thread.native(end)
    if again:
        for thread in waiting:
            thread.lock_wait(end + MS, "Condition.wait", lock=ready, site=WAIT, acquired=False)
            thread.native(end + 100 * MS)
    for thread in waiting:
        thread.end(end + goes_on)
    loader.end(end + goes_on)
    return trace.ended(end + goes_on + MS)


def test_one_of_three_was_woken(tmp_path):
    (found,) = find_in(tmp_path, services())
    assert found.finding == "missed wake-up"
    assert found.text == (
        "Missed wake-up: 2 threads `service-N` slept in `Condition.wait` in `wait_ready` "
        "(config.py:15) until the time-out, though `loader` notified the condition at "
        "300 ms: that woke `service-0`, which waited for the same. 1.40 s lost in 2 waits, "
        "the longest 990 ms (at 10.0 ms). Call `notify_all` where several wait for one "
        "change."
    )
    assert (found.severity_ns, found.evidence.site) == (1400 * MS, WAIT)


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"woken": 3}, id="all were woken"),
        pytest.param({"woken": 0, "count": 2}, id="nobody notified"),
        pytest.param({"ns": 200 * MS}, id="little was lost"),
        pytest.param({"again": True}, id="idle workers look again"),
        pytest.param({"goes_on": 10 * MS}, id="idle workers end"),
    ],
)
def test_waits_that_are_no_missed_ones(tmp_path, story):
    assert "missed wake-up" not in kinds(tmp_path, services(**story))
