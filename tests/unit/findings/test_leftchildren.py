"""Children that nobody waits for."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds
from tracer import schema as s

START = "/app/notify.py:12 notify"


def notifies(count=16, every=40 * MS, reaped=0, site=START):
    """`MainThread` starts a child now and then; the first `reaped` are waited for."""
    trace = TraceBuilder(argv="notify.py", signals=SIGNALS)
    main = trace.thread("MainThread").native(0)
    for n in range(count):
        main.spawn((10 + n) * MS + n * every, 200 + n, "mail", site)
    end = (20 + count) * MS + count * every
    for n in range(reaped):
        args = {s.ARG_CHILD: 200 + n, s.ARG_STATUS: 0}
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


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"count": 15}, id="a few"),
        pytest.param({"every": MS}, id="all at once"),
        pytest.param({"reaped": 1}, id="somebody waits for children"),
        pytest.param({"site": "/lib/python3.13/popen.py:1 start"}, id="a library's"),
    ],
)
def test_children_that_are_no_fault(tmp_path, story):
    assert "workers never exit" not in kinds(tmp_path, notifies(**story))
