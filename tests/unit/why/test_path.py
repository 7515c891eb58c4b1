"""The critical path across threads and loops: by way of the callbacks that carry it."""

from pathlib import Path

from tests.support.builder.trace import TraceBuilder
from tests.support.explaining import answer
from tests.support.models import model_of
from tests.support.numbers import MS
from tracer import schema as s
from viewer.analysis.why.step import Did, Step
from viewer.render.text.steps import step_text

SET_RESULT = ("set_result", "/app/app.py:9 set_result")
SIGNALS = "tasks,threads,gc,gil,locks,io,sched"

type Row = tuple[Did, str, float, float]  # what, who, from ms, until ms


def path_of(directory: Path, trace: TraceBuilder, **asked: str | int) -> tuple[Step, ...]:
    model = model_of(directory, trace)
    return answer(model, **asked).problems[0].worst.path


def rows(path: tuple[Step, ...], base_ns: int = 1_000_000_000) -> list[Row]:
    return [
        (step.did, step.who, (step.start_ns - base_ns) / MS, (step.end_ns - base_ns) / MS)
        for step in path
    ]


def test_a_thread_schedules_what_wakes_a_task(tmp_path: Path) -> None:
    """Through the callback, which came late, to the thread and what it did before."""
    trace = TraceBuilder(signals=SIGNALS)
    loop, worker = trace.loop(trace.thread("MainThread")), trace.thread("worker")
    task = loop.task("fetch", site="/app/app.py:1 fetch").ready(0).running(MS)
    loop.step(task, MS, 2 * MS)
    task.awaits(2 * MS, "future", site="/app/app.py:3 fetch")
    worker.sleep(2 * MS, site="/app/app.py:20 job").running(8 * MS)
    wakes = worker.wakes(9 * MS)
    worker.end(10 * MS)
    callback = loop.callback(*SET_RESULT, 20 * MS, 22 * MS, by=wakes)
    task.ready(21 * MS, by=callback, waker_thread=worker.tid, via=SET_RESULT[0])
    task.running(22 * MS).done(23 * MS)
    loop.step(task, 22 * MS, 23 * MS)
    path = path_of(tmp_path, trace.ended(24 * MS), task="fetch", at_ns=1_010_000_000)
    assert rows(path)[:5] == [
        (Did.WAITED, "fetch #1", 2, 21),
        (Did.CALLBACK, "set_result", 20, 21),
        (Did.WAITED, "set_result", 9, 20),
        (Did.RAN, "worker", 8, 9),
        (Did.CALLED, "worker", 2, 8),
    ]
    assert step_text(path[1]) == "callback `set_result` (app.py:9) ran"
    assert step_text(path[2]) == "`set_result` was ready"


def test_a_task_schedules_a_callback_that_schedules_another(tmp_path: Path) -> None:
    """Each is a step, and the waits of callbacks that are short are none."""
    trace = TraceBuilder()
    loop = trace.loop(trace.thread("MainThread"))
    first = loop.task("first", site="/app/app.py:5 first").ready(0).running(MS)
    loop.step(first, MS, 3 * MS)
    gives = first.state
    first.done(3 * MS)
    one = loop.callback("one", "/app/app.py:10 one", 3 * MS + 10, 4 * MS, by=gives)
    two = loop.callback("two", "/app/app.py:12 two", 4 * MS + 10, 5 * MS, by=one)
    task = loop.task("fetch", site="/app/app.py:1 fetch")
    task.ready(5 * MS, by=two, waker_task=first.id, via="two").running(6 * MS).done(7 * MS)
    loop.step(task, 6 * MS, 7 * MS)
    path = path_of(tmp_path, trace.ended(8 * MS), task="fetch")
    assert [(step.did, step.who) for step in path][:4] == [
        (Did.WAITED, "fetch #2"),
        (Did.CALLBACK, "two"),
        (Did.CALLBACK, "one"),
        (Did.RAN, "first #1"),
    ]


def test_long_steps_have_their_arrow_inside(tmp_path: Path) -> None:
    """Where the step's slice was written already the arrow begins within it."""
    trace = TraceBuilder()
    loop = trace.loop(trace.thread("MainThread"))
    first = loop.task("first", site="/app/app.py:5 first").ready(0).running(MS)
    loop.step(first, MS, 100 * MS)
    inside = loop.wakes(60 * MS)
    first.done(100 * MS)
    callback = loop.callback(*SET_RESULT, 101 * MS, 200 * MS, by=inside)
    assert callback.flows == []
    task = loop.task("fetch", site="/app/app.py:1 fetch")
    task.ready(180 * MS, by=loop.wakes(180 * MS), waker_task=first.id, via=SET_RESULT[0])
    task.running(200 * MS).done(201 * MS)
    loop.step(task, 200 * MS, 201 * MS)
    path = path_of(tmp_path, trace.ended(202 * MS), task="fetch")
    assert rows(path)[:4] == [
        (Did.WAITED, "fetch #2", 180, 200),
        (Did.CALLBACK, "set_result", 101, 180),
        (Did.WAITED, "set_result", 60, 101),
        (Did.RAN, "first #1", 1, 60),
    ]


def test_a_thread_waits_for_what_a_loop_does(tmp_path: Path) -> None:
    """Future.result of run_coroutine_threadsafe: by the callback to the task that was done."""
    trace = TraceBuilder(signals=SIGNALS)
    main, worker = trace.thread("MainThread"), trace.thread("worker")
    loop = trace.loop(main)
    task = loop.task("there", site="/app/app.py:5 there").ready(0).running(MS)
    loop.step(task, MS, 10 * MS)
    done = task.state
    task.done(10 * MS)
    loop.callback("_call_set_state", "/lib/futures.py:3 f", 10 * MS + 9, 13 * MS, by=done)
    lock = trace.lock("Lock", "/app/app.py:30 ask")
    worker.lock_wait(2 * MS, "Future.result", lock=lock, site="/app/app.py:30 ask")
    main.running(0).release(12 * MS, lock, to=worker).end(14 * MS)
    worker.gil_wait(12 * MS).running(14 * MS).end(15 * MS)
    path = path_of(tmp_path, trace.ended(15 * MS), thread="worker", at_ns=1_005_000_000)
    assert rows(path)[:3] == [
        (Did.WAITED, "worker", 2, 12),
        (Did.CALLBACK, "_call_set_state", 10.000009, 12),
        (Did.RAN, "there #1", 1, 10),
    ]


def ended_by(directory: Path, **args: str) -> Did:
    """What the path ends with when a callback without an arrow sets a thread's event."""
    trace = TraceBuilder(signals=SIGNALS)
    main, worker = trace.thread("MainThread"), trace.thread("worker")
    loop = trace.loop(main)
    loop.callback("tick", "/app/app.py:3 tick", 11 * MS, 13 * MS).args.update(args)
    lock = trace.lock("Lock", "/app/app.py:30 ask")
    worker.lock_wait(2 * MS, "Event.wait", lock=lock, site="/app/app.py:30 ask")
    main.running(0).release(12 * MS, lock, to=worker).end(14 * MS)
    worker.gil_wait(12 * MS).running(14 * MS).end(15 * MS)
    path = path_of(directory, trace.ended(15 * MS), thread="worker", at_ns=1_005_000_000)
    assert (path[1].did, path[1].who) == (Did.CALLBACK, "tick")
    return path[2].did


def test_callbacks_of_timers_and_of_the_outside(tmp_path: Path) -> None:
    """Nobody scheduled them: the trace says which are timers'."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    assert ended_by(tmp_path / "a", **{s.ARG_WAKER: "timer"}) is Did.TIMER
    assert ended_by(tmp_path / "b") is Did.IO


def test_a_thread_that_a_step_started(tmp_path: Path) -> None:
    """The path goes on with the task whose step it was."""
    trace = TraceBuilder(signals=SIGNALS)
    main, worker, waiter = (trace.thread(name) for name in ("MainThread", "worker", "waiter"))
    loop = trace.loop(main)
    task = loop.task("starts", site="/app/app.py:5 starts").ready(0).running(MS)
    loop.step(task, MS, 10 * MS)
    task.done(10 * MS)
    lock = trace.lock("Lock", "/app/app.py:30 ask")
    waiter.lock_wait(MS, "Event.wait", lock=lock, site="/app/app.py:40 waits")
    start = trace.instant(main.track, 5 * MS, s.THREAD_START, s.CAT_THREAD)
    worker.running(6 * MS)
    assert worker.state is not None
    trace.arrow(start, worker.state)
    worker.release(9 * MS, lock, to=waiter).end(10 * MS)
    waiter.gil_wait(9 * MS).running(10 * MS).end(11 * MS)
    path = path_of(tmp_path, trace.ended(15 * MS), thread="waiter", at_ns=1_002_000_000)
    assert rows(path)[:4] == [
        (Did.WAITED, "waiter", 1, 9),
        (Did.RAN, "worker", 6, 9),
        (Did.CREATED, "MainThread", 5, 5),
        (Did.RAN, "starts #1", 1, 5),
    ]
