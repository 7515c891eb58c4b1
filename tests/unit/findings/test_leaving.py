"""Programs that take long to end."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds

JOIN = "/usr/lib/python3.13/threading.py:1092 Thread.join"
SHUTDOWN = "/app/export.py:36 Exporter.shutdown"
SLEEPS = "/app/export.py:26 Exporter.export"


def ends(ns=800 * MS, asleep_ns=780 * MS, stack=(JOIN, SHUTDOWN), main=True):
    """The main thread joins `exporter`, which sleeps between its attempts."""
    trace = TraceBuilder(argv="export.py", signals=SIGNALS)
    if not main:
        trace.thread("MainThread").native(0).end(MS)
    thread = trace.thread("MainThread" if main else "closer").running(0)
    exporter = trace.thread("exporter").native(0)
    exporter.sleep(10 * MS, site=SLEEPS).native(10 * MS + asleep_ns)
    lock = trace.lock("Thread.join", SHUTDOWN)
    thread.lock_wait(10 * MS, "Thread.join", lock=lock, site=SHUTDOWN, stack="\n".join(stack))
    exporter.release(10 * MS + ns, lock, to=thread)
    exporter.end(10 * MS + ns)
    thread.running(10 * MS + ns).end(20 * MS + ns)
    return trace.ended(30 * MS + ns)


def test_an_exit_handler_joins_who_sleeps(tmp_path):
    (found,) = find_in(tmp_path, ends())
    assert found.finding == "slow end"
    assert found.text == (
        "Slow end: `MainThread` waits for the end of `exporter` in `Exporter.shutdown` "
        "(export.py:36), when the program is over: 800 ms (at 10.0 ms), 98 % of that time "
        "asleep in `Exporter.export` (export.py:26)."
    )
    assert found.severity_ns == 800 * MS
    assert found.next_step.startswith("Let the thread wait for an event")


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"ns": 400 * MS, "asleep_ns": 390 * MS}, id="not long"),
        pytest.param({"asleep_ns": 600 * MS}, id="it works on"),
        pytest.param({"stack": (JOIN, SHUTDOWN, "/app/m.py:9 <module>")}, id="not at exit"),
        pytest.param({"stack": (JOIN,)}, id="a library's own threads"),
        pytest.param({"main": False}, id="not the main thread"),
    ],
)
def test_what_is_no_slow_end(tmp_path, story):
    assert kinds(tmp_path, ends(**story)) == []
