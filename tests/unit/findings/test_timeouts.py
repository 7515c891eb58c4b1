"""Work that is cut short each time after as long."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds

TIMED = "/usr/lib/python3.13/asyncio/timeouts.py:129 Timeout._on_timeout"
CANCELS = "/usr/lib/python3.13/site-packages/rpc/server.py:9 Server.drop"
OWN = "/app/ask.py:30 first_of_two"
SLEEP = "/usr/lib/python3.13/asyncio/tasks.py:718 sleep"
STACK = "/app/ask.py:3 slow\n/app/ask.py:8 ask"


def asks(
    given=(250,) * 4,
    what="sleep",
    waker="timer",
    stack=TIMED,
    answers=0,
    of=STACK,
    other=STACK,
):
    """Two tasks whose calls are cut short after so many ms; `answers` of them come, with
    `other` as their stack."""
    trace = TraceBuilder(argv="ask.py", signals=SIGNALS)
    thread = trace.thread("MainThread").native(0)
    loop, at = trace.loop(thread), 0
    for n in range(2):
        at = n * MS
        task = loop.task("ask", site="/app/ask.py:5 ask").ready(at).running(at)
        for ms in given:
            task.awaits(at + MS, what, site="/app/ask.py:3 slow", stack=of)
            at += ms * MS
            task.ready(at, waker=waker, stack=stack).running(at)
            at += 5 * MS
        for _ in range(answers):
            task.awaits(at, what, site="/app/ask.py:3 slow", stack=other)
            task.ready(at + 10 * MS, waker="timer").running(at + 10 * MS)
            at += 11 * MS
        task.done(at + 30 * MS)
    thread.end(at + 40 * MS)
    return trace.ended(at + 41 * MS)


def rpcs(stack=CANCELS, lives=(300, 300, 310, 301), naps=1, by_io=False):
    """Tasks, one after the other, that are cancelled as they sleep."""
    trace = TraceBuilder(argv="rpc.py", signals=SIGNALS)
    thread = trace.thread("MainThread").native(0)
    loop, at = trace.loop(thread), 0
    main = loop.task("main", site="/app/rpc.py:40 main").ready(0).running(0)
    main.awaits(MS, "future", site="/app/rpc.py:41 main")
    for ms in lives:
        task = loop.task("flash", site="/app/rpc.py:9 flash").ready(at).running(at)
        for n in range(naps):
            task.awaits(at + n * ms * MS // naps + MS, "sleep", site="/app/rpc.py:6 load")
            end = at + (n + 1) * ms * MS // naps
            if n < naps - 1:
                task.ready(end, waker="timer").running(end)
        at += ms * MS
        main.ready(at - 1, waker="io").running(at - 1)
        if by_io:
            task.ready(at, waker="io", stack=stack)
        else:
            task.ready(at, by=main, stack=stack)
        main.awaits(at + 1, "future", site="/app/rpc.py:41 main")
        task.running(at + 2).done(at + MS)
        at += 40 * MS
    main.ready(at, waker="io").running(at).done(at + MS)
    thread.end(at + 2 * MS)
    return trace.ended(at + 3 * MS)


def test_calls_are_given_up_again_and_again(tmp_path):
    (found,) = find_in(tmp_path, asks())
    assert found.finding == "time-outs"
    assert found.text == (
        "Time-outs: 2 tasks `ask` in `ask` (ask.py:8) had about 249 ms for what takes longer. "
        "In 8 of 8 attempts the time ran out in `sleep` in `slow` (ask.py:3) (first at 250 "
        "ms): 1.99 s were lost."
    )
    assert found.evidence.site == "/app/ask.py:3 slow"


def test_what_a_library_awaits_besides_is_no_attempt(tmp_path):
    """As the reset of a connection, at the same line of the program."""
    reset = "/venv/lib/python3.13/site-packages/asyncpg/pool.py:9 Pool.release"
    (found,) = find_in(tmp_path, asks(answers=5, other=f"{reset}\n{STACK}"))
    assert "In 8 of 8 attempts the time ran out" in found.text


def test_a_busy_machine_is_late_with_some(tmp_path):
    (found,) = find_in(tmp_path, rpcs(lives=(300, 420, 300, 301, 390)))
    assert "5 of 5 attempts" in found.text


@pytest.mark.parametrize("by_io", [False, True])
def test_a_library_cancels_what_takes_too_long(tmp_path, by_io):
    (found,) = find_in(tmp_path, rpcs(by_io=by_io))
    assert found.finding == "time-outs"
    assert "4 tasks `flash` had about 301 ms" in found.text
    assert "In 4 of 4 attempts the time ran out in `sleep` in `load` (rpc.py:6)" in found.text


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"given": (250,)}, id="twice"),
        pytest.param({"given": (90,) * 4}, id="little is lost"),
        pytest.param({"given": (120, 250, 400, 600)}, id="each after another time"),
        pytest.param({"answers": 6}, id="most are answered"),
        pytest.param({"what": "Queue.get"}, id="it waits for an item for a moment"),
        pytest.param({"what": "message (aiohttp)"}, id="it waits for a client for a moment"),
        pytest.param({"stack": "/app/ask.py:3 slow"}, id="the sleeps were over"),
        pytest.param(
            {"what": "connect (redis)", "of": f"{SLEEP}\n{STACK}", "stack": ""},
            id="a pause of a library",
        ),
    ],
)
def test_no_time_outs(tmp_path, story):
    assert "time-outs" not in kinds(tmp_path, asks(**story))


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"stack": OWN}, id="the program wants only the first answer"),
        pytest.param({"naps": 30}, id="it goes round until it is told to end"),
        pytest.param(
            {"lives": (300, 900, 100, 500)}, id="each lived as long as it was needed"
        ),
    ],
)
def test_no_time_outs_of_tasks(tmp_path, story):
    assert "time-outs" not in kinds(tmp_path, rpcs(**story))
