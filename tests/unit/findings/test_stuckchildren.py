"""Tasks for which somebody waits in vain: all at one event, or never started."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds

ENTERS, WAITS = "/app/calls.py:13 enter", "/app/calls.py:35 main"
LIB = "/usr/lib/python3.13/site-packages/anyio/_backends/_asyncio.py"


def calls(count=3, ns=1_200 * MS, locks=1, served=False, gives_up=True):
    """`main` gives its calls a time, in which all wait for one event."""
    trace = TraceBuilder(argv="calls.py", signals=SIGNALS)
    thread = trace.thread("MainThread").native(0)
    loop = trace.loop(thread)
    events = [trace.lock("Event", ENTERS) for _ in range(locks)]
    main = loop.task("main", site="/app/calls.py:28 main").ready(0).running(1)
    first = loop.task("probe", site="/app/calls.py:22 probe", parent=main.id)
    first.ready(2, by=main).running(3).awaits(4, "sleep", site="/app/calls.py:23 probe")
    first.ready(40 * MS, waker="cancel").running(40 * MS + 1).done(40 * MS + 2, "cancelled")
    tasks = [
        loop.task("call", site="/app/calls.py:24 call", parent=main.id) for _ in range(count)
    ]
    for n, task in enumerate(tasks):
        task.ready(50 * MS, by=main).running(50 * MS + n)
        task.awaits(
            51 * MS + n, "Event", lock=events[n % locks].id, site=ENTERS, acquired=served
        )  # fmt: skip
    main.awaits(52 * MS, "wait", site=WAITS)
    end = 52 * MS + ns
    if gives_up:
        main.ready(end, waker="timer").running(end + 1)
        for n, task in enumerate(tasks):
            how = {"waker": "nobody"} if served else {"by": main}
            task.ready(end + 2, **how).running(end + 10 + n)
            task.done(end + 20 + n, "done" if served else "cancelled")
        main.done(end + 50)
    else:
        for n, task in enumerate(tasks):
            task.ready(end + 2, waker="timer").running(end + 10 + n)
            task.done(end + 20 + n, "done")
        main.ready(end + 50, by=None).running(end + 51).done(end + 52)
    thread.end(end + MS)
    return trace.ended(end + 2 * MS)


def test_all_wait_for_one_event(tmp_path):
    (found,) = find_in(tmp_path, calls())
    assert found.finding == "wait in vain"
    assert found.text == (
        "Waited in vain: 3 tasks `call` in `enter` (calls.py:13) waited for one `Event` that "
        "nobody ever ended: 3 waits, 3.60 s in total (at 51.0 ms), until `main` in `main` "
        "(calls.py:35), which waited for them, gave up after 1.20 s. `probe` was cancelled "
        "before: what it should have ended belongs in a `finally`. Look at what should have "
        "ended it, and whether it was ever started."
    )


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"count": 1}, id="one alone"),
        pytest.param({"ns": 800 * MS}, id="not for long"),
        pytest.param({"locks": 3}, id="each for its own"),
        pytest.param({"gives_up": False}, id="their own time-outs"),
    ],
)
def test_tasks_that_may_wait(tmp_path, story):
    assert not any("for one `Event`" in one.text for one in find_in(tmp_path, calls(**story)))


def start(how="cancelled", ns=600 * MS, frame="TaskGroup.start", late=0):
    trace = TraceBuilder(argv="serve.py", signals=SIGNALS)
    thread = trace.thread("MainThread").native(0)
    loop = trace.loop(thread)
    main = loop.task("main", site="/app/serve.py:20 main").ready(0).running(1)
    serve = loop.task("serve", site="/app/serve.py:7 serve", parent=main.id)
    site = "/app/serve.py:22 main"
    main.awaits(100 * MS, "future", site=site, stack=f"{LIB}:1044 {frame}\n{site}")
    serve.ready(100 * MS + late).running(100 * MS + late + 1)
    serve.awaits(101 * MS + late, "sleep", site="/app/serve.py:9 serve")
    end = 100 * MS + ns + late
    serve.ready(end, waker="timer").running(end + 1).done(end + 2, how)
    main.ready(end + 3, waker="timer").running(end + 4).done(end + 5)
    thread.end(end + MS)
    return trace.ended(end + 2 * MS)


def test_never_started(tmp_path):
    (found,) = find_in(tmp_path, start())
    assert found.finding == "wait in vain"
    assert found.text == (
        "Waited in vain: `main` in `main` (serve.py:22, via `TaskGroup.start`) waited 600 ms "
        "in `start` (at 100 ms) until it gave up: `serve` never called "
        "`task_status.started()`; it spent 99 % of that time asleep in `serve` (serve.py:9). "
        "Call it as soon as others may go on, before anything that waits for them."
    )


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"how": "done"}, id="the task ended"),
        pytest.param({"ns": 300 * MS}, id="not for long"),
        pytest.param({"frame": "TaskGroup.__aexit__"}, id="no start"),
        pytest.param({"late": 100 * MS}, id="another task"),
    ],
)
def test_other_waits(tmp_path, story):
    assert kinds(tmp_path, start(**story)) == []
