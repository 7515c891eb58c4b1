"""Signal handlers that are blocked while a loop is in its poll."""

import pytest

from tests.support.builder.encoding import Arg
from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds
from tests.support.models import model_of
from tracer import schema as s
from viewer.analysis.availability import latency

POLL = (
    "/usr/lib/python3.13/selectors.py:452 EpollSelector.select\n"
    "/usr/lib/python3.13/asyncio/base_events.py:1989 BaseEventLoop._run_once\n"
    "/app/beat.py:30 <module>"
)
WRITE, DUMP, BEAT = "/app/beat.py:5 write", "/app/beat.py:3 dump", "/app/beat.py:20 heartbeat"
INSIDE = f"{WRITE}\n{DUMP}\n{POLL}"


def interrupted(ns=150 * MS, times=1, stack=INSIDE, slept=50 * MS, late=True):
    """A heartbeat sleeps for 50 ms at a time; in its last sleeps a handler runs and blocks."""
    trace = TraceBuilder(argv="beat.py", signals=SIGNALS)
    thread = trace.thread("MainThread").running(0)
    loop = trace.loop(thread)
    task = loop.task("heartbeat", site=BEAT)
    at = MS
    for n in range(6 + times):
        task.ready(at, waker="timer").running(at).awaits(at + MS, "sleep", site=BEAT)
        loop.step(task, at, at + MS)
        begun = at = at + MS
        thread.io(at, "select.epoll.poll", site="/app/beat.py:30 <module>", stack=POLL)
        if n >= 6:
            said: dict[str, Arg] = {s.ARG_SITE: WRITE, s.ARG_STACK: stack}
            thread.enter(at + 10 * MS, s.SLEEP, s.CAT_SLEEP, said)
            thread.native(at + 10 * MS + ns)
            at += 10 * MS + ns if late else max(slept, 10 * MS + ns)
        else:
            at += slept
        thread.running(at)
        loop.select(begun, at)
    task.ready(at, waker="timer").running(at).done(at + MS)
    loop.step(task, at, at + MS)
    thread.end(at + 9 * MS)
    return trace.ended(at + 10 * MS)


def test_a_handler_that_blocks(tmp_path):
    (found,) = find_in(tmp_path, interrupted())
    assert (found.finding, found.severity_ns) == ("loop blocked", 110 * MS)
    assert found.text == (
        "`dump` (beat.py:3), the handler of a signal, blocks the event loop for up to 150 ms "
        "(at 318 ms); 1 time, 150 ms in total, 100 % of that time asleep in `write` "
        "(beat.py:5); 1 overdue task waited behind it, 110 ms in total."
    )
    assert "add_signal_handler" in found.next_step
    assert found.evidence.site == DUMP


def test_three_that_are_shorter(tmp_path):
    (found,) = find_in(tmp_path, interrupted(ns=60 * MS, times=3))
    assert "; 3 times, 180 ms in total, " in found.text


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"ns": 90 * MS}, id="once, and not long"),
        pytest.param({"ns": 19 * MS, "times": 5}, id="often, but short"),
        pytest.param({"slept": 200 * MS, "late": False}, id="nobody was due"),
        pytest.param({"stack": f"{WRITE}\n{DUMP}\n/app/beat.py:30 <module>"}, id="no handler"),
        pytest.param({"stack": f"/usr/lib/python3.13/faulthandler.py:9 dump\n{POLL}"},
                     id="a library's"),
    ],
)  # fmt: skip
def test_handlers_that_do_no_harm(tmp_path, story):
    assert kinds(tmp_path, interrupted(**story)) == []


def test_the_loop_does_not_answer_meanwhile(tmp_path):
    """The handler ran in the last window, which has what remains beyond three of 100 ms."""
    (row,) = latency(model_of(tmp_path, interrupted())).loops
    assert (row.windows, row.available) == (4, 3)
    (row,) = latency(model_of(tmp_path, interrupted(stack=POLL))).loops
    assert row.available == row.windows
