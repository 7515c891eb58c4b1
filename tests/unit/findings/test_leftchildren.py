"""Children that nobody waits for."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds
from tracer import schema as s

START = "/app/notify.py:12 notify"


def notifies(count=16, every=40 * MS, reaped=0, site=START, signal=0, rest=0):
    """`MainThread` starts a child now and then; the first `reaped` are waited for, `rest`
    after the last was started, and ended by `signal`."""
    trace = TraceBuilder(argv="notify.py", signals=SIGNALS)
    main = trace.thread("MainThread").native(0)
    for n in range(count):
        main.spawn((10 + n) * MS + n * every, 200 + n, "mail", site)
    end = (20 + count) * MS + count * every + rest
    for n in range(reaped):
        how = {s.ARG_SIGNAL: signal} if signal else {s.ARG_STATUS: 0}
        args = {s.ARG_CHILD: 200 + n, **how}
        trace.instant(main.track, end - MS, s.CHILD_ENDED, s.CAT_THREAD, **args)
    main.end(end)
    return trace.ended(end + MS)


def test_children_are_left(tmp_path):
    (found,) = find_in(tmp_path, notifies())
    assert found.finding == "workers never exit"
    assert found.text.startswith(
        "Processes pile up: 16 children were started in `notify` (notify.py:12), from "
        "10.0 ms on, and in 667 ms nobody waited for one"
    )
    assert found.evidence.site == START


def test_children_are_killed_together(tmp_path):
    """They were started all the time, and none had ended when the last one was."""
    (found,) = find_in(tmp_path, notifies(reaped=16, signal=9))
    assert found.text.startswith(
        "Processes pile up: 16 children were started in `notify` (notify.py:12), from 10.0 ms "
        "on, and in 665 ms nobody waited for one: all ran on until they were killed together."
    )


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"reaped": 16, "signal": 9, "rest": 400 * MS}, id="workers of a service"),
        pytest.param({"reaped": 16}, id="all end by themselves"),
        pytest.param({"reaped": 15, "signal": 9}, id="not all are killed"),
        pytest.param({"count": 15}, id="a few"),
        pytest.param({"every": MS}, id="all at once"),
        pytest.param({"reaped": 1}, id="somebody waits for children"),
        pytest.param({"site": "/lib/python3.13/popen.py:1 start"}, id="a library's"),
    ],
)
def test_children_that_are_no_fault(tmp_path, story):
    assert "workers never exit" not in kinds(tmp_path, notifies(**story))
