"""Waits for another process: which one, what it did meanwhile, what had to happen first."""

from pathlib import Path

import pytest

from tests.support.builder.family import Family
from tests.support.builder.threads import Thread
from tests.support.builder.trace import TraceBuilder
from tests.support.explaining import adds_up, answer, parent, parts, path, told
from tests.support.stories.waits import MS
from tracer import schema as s
from viewer.analysis.causes.elsewhere import Elsewhere
from viewer.analysis.causes.part import Kind
from viewer.analysis.io import io_rows
from viewer.analysis.why.explain import Explanation
from viewer.analysis.why.step import Did
from viewer.analysis.why.waits import What
from viewer.render.text.why import opening
from viewer.trace.model import build_model
from viewer.trace.reader import read_trace

WAIT = "/app/service.py:30 main"


def worst(tmp_path: Path, family: Family) -> Explanation:
    return told(tmp_path, family)[0]


def test_end_of_a_child(tmp_path: Path) -> None:
    """The child's first thread says what it did, while it recorded."""
    family, main = parent()
    child = family.fork(main, 10 * MS, 101, name="worker 1", started=30 * MS)
    main.io(20 * MS, "os.waitpid", site=WAIT)
    family.main(child).running(30 * MS).io(50 * MS, "socket.recv", site="/app/w.py:5 work")
    family.main(child).running(110 * MS).end(120 * MS)
    child.ended(121 * MS)
    main.running(125 * MS)
    family.ended(main, child, 125 * MS, status=0)
    main.end(130 * MS)
    family.first.ended(131 * MS)
    found, text = told(tmp_path, family)
    assert parts(found.causes) == [(Kind.CHILD, "worker 1", 105)]
    assert parts(found.causes[0].parts) == [
        (Kind.IO, "socket.recv", 60),
        (Kind.COMPUTING, "", 30),
        (Kind.STARTING, "", 10),
        (Kind.EXITING, "", 5),
    ]
    assert text == (
        "Thread `MainThread [service.py]` was in `os.waitpid` (service.py:30) for 105 ms, "
        "starting at 20.0 ms. For all of that time it waited for the child process "
        "`worker 1`, which spent 60.0 ms in `socket.recv` (w.py:5), 30.0 ms computing and "
        "10.0 ms starting, not recorded yet."
    )
    assert path(found) == [
        "`MainThread [service.py]` was in `os.waitpid` (service.py:30)",
        "`MainThread [worker 1]` ran",
        "`MainThread [worker 1]` was in `socket.recv` (w.py:5)",
        "`MainThread [worker 1]` ran",
        "`MainThread [service.py]` created `worker 1`",
        "`MainThread [service.py]` ran",
        "the cause is unknown",
    ]


def test_what_came_before_the_child_was_not_for_its_end(tmp_path: Path) -> None:
    """`Popen` opens its pipes first; the child's end was told at once."""
    family, main = parent()
    main.io(20 * MS, "io.open", site=WAIT).running(30 * MS)
    main.io(31 * MS, "subprocess.fork_exec", site=WAIT)
    main.spawn(40 * MS, 101, "uname -p", WAIT)
    main.running(41 * MS)
    family.first.instant(main.track, 45 * MS, s.CHILD_ENDED, s.CAT_THREAD, child=101, status=0)
    main.end(130 * MS)
    family.first.ended(131 * MS)
    model = build_model(read_trace(family.write(tmp_path)))
    assert Elsewhere.of(model).child_of_row.names_of_calls() == {}


@pytest.mark.parametrize("what", ["sleep", "socket.recv"])
def test_what_the_program_did_itself_was_not_for_the_end_of_a_child(
    tmp_path: Path, what: str
) -> None:
    """It does so for each item, and joins the child when that has ended long ago."""
    family, main = parent()
    child = family.fork(main, MS, 101, name="decode")
    family.main(child).running(2 * MS).end(25 * MS)
    for n in range(4):
        at = (10 + n * 20) * MS
        site = "/app/service.py:14 train"
        _ = main.sleep(at, site) if what == "sleep" else main.io(at, what, site=site)
        main.running(at + 20 * MS)
    family.ended(main, child, 100 * MS, status=0)
    main.end(101 * MS)
    family.first.ended(102 * MS)
    model = build_model(read_trace(family.write(tmp_path)))
    assert Elsewhere.of(model).child_of_row.names_of_calls() == {}


def test_several_children_at_one_line(tmp_path: Path) -> None:
    """`for child in children: child.wait()`: each wait has its own child."""
    family, main = parent()
    first = family.fork(main, MS, 101, name="one")
    second = family.fork(main, 2 * MS, 102, name="two")
    main.io(3 * MS, "os.waitpid", site=WAIT).running(50 * MS)
    family.main(first).running(3 * MS).end(49 * MS)
    family.main(second).running(3 * MS).end(89 * MS)
    family.ended(main, first, 50 * MS, status=0)
    main.io(51 * MS, "os.waitpid", site=WAIT).running(90 * MS)
    family.ended(main, second, 90 * MS, status=0)
    main.end(91 * MS)
    family.first.ended(92 * MS)
    model = build_model(read_trace(family.write(tmp_path)))
    problems = [p for p in answer(model).problems if p.worst.waiter.process == 0]
    assert [(p.worst.wait.start_ns - model.start_ns, p.count) for p in problems] == [
        (3 * MS, 2)
    ]
    assert [cause.who for cause in problems[0].worst.causes] == ["one"]
    (row,) = (row for row in io_rows(model) if row.callable == "os.waitpid")
    assert row.children == ("one", "two")


def test_a_library_that_looks(tmp_path: Path) -> None:
    """`Popen.wait(timeout)` sleeps and looks: each sleep is for the child, which has a name
    even if it was not recorded."""
    family, main = parent()
    main.spawn(MS, 500, "git", "/app/service.py:9 start")
    stack = f"/usr/lib/python3.13/subprocess.py:9 Popen.wait\n{WAIT}"
    at = 2 * MS
    for n in (20, 30, 40):
        main.enter(at, "sleep", "sleep", {"site": WAIT, "stack": stack})
        main.running(at + n * MS)
        at += n * MS + 5_000
    child = TraceBuilder(pid=500)
    family.ended(main, child, at, status=0)
    main.end(at + MS)
    family.first.ended(at + 2 * MS)
    found, text = told(tmp_path, family)
    assert found.wait.ns == 40 * MS
    assert "it waited for the child process `git`." in text
    assert found.path[-1].did is Did.TIMER


def test_child_of_a_task(tmp_path: Path) -> None:
    """`await process.wait()`: the loop is told of the end, and wakes the task."""
    family, main = parent()
    loop = family.first.loop(main)
    task = loop.task("run", site="/app/service.py:12 run")
    child = family.fork(main, MS, 101, name="tool", origin="spawn", argv="/app/tool.py")
    task.ready(0).running(0).awaits(2 * MS, "future", site=WAIT)
    loop.step(task, 0, 2 * MS)
    main.io(2 * MS, "select.epoll.poll").running(80 * MS)
    loop.select(2 * MS, 80 * MS)
    family.main(child).running(5 * MS).end(79 * MS)
    loop.callback("_do_wait", "/lib/unix_events.py:9 _do_wait", 80 * MS, 82 * MS)
    family.ended(main, child, 81 * MS, status=0)
    task.ready(81 * MS + 1, waker="io").running(83 * MS)
    loop.step(task, 83 * MS, 84 * MS)
    task.done(84 * MS)
    main.end(85 * MS)
    family.first.ended(86 * MS)
    model = build_model(read_trace(family.write(tmp_path)))
    found = next(
        p.worst for p in answer(model, task="run").problems if p.worst.wait.what is What.AWAIT
    )
    adds_up(found.causes, found.wait.ns)
    assert parts(found.causes) == [(Kind.CHILD, "tool", 79 + 1e-6)]
    assert opening(found).startswith("`run` #1 in `service.py` awaited `future`")
    assert parts(found.causes[0].parts)[0] == (Kind.COMPUTING, "", 74)


def test_child_of_a_task_that_another_callback_wakes(tmp_path: Path) -> None:
    """asyncio hands the end of a child on; another child's end in between is not for it."""
    family, main = parent()
    loop = family.first.loop(main)
    task = loop.task("run", site="/app/service.py:12 run")
    child, other = (family.fork(main, n * MS, 100 + n, name=f"tool {n}") for n in (1, 2))
    task.ready(0).running(0).awaits(2 * MS, "future", site=WAIT)
    loop.step(task, 0, 2 * MS)
    loop.select(2 * MS, 80 * MS)
    told = loop.callback("_do_wait", "/lib/u.py:9 _do_wait", 80 * MS, 82 * MS)
    family.ended(main, child, 81 * MS, status=0)
    loop.callback("_do_wait", "/lib/u.py:9 _do_wait", 82 * MS, 84 * MS)
    family.ended(main, other, 83 * MS, status=0)
    loop.callback("_exited", "/lib/u.py:20 _exited", 84 * MS, 86 * MS, by=told)
    task.ready(85 * MS, waker="io").running(87 * MS)
    loop.step(task, 87 * MS, 88 * MS)
    task.done(88 * MS)
    for process in (child, other):
        family.main(process).running(5 * MS).end(70 * MS)
        process.ended(79 * MS)
    main.end(89 * MS)
    family.first.ended(90 * MS)
    model = build_model(read_trace(family.write(tmp_path)))
    found = next(
        p.worst for p in answer(model, task="run").problems if p.worst.wait.what is What.AWAIT
    )
    assert parts(found.causes) == [(Kind.CHILD, "tool 1", 83)]


def pool() -> tuple[Family, Thread, Thread, list[TraceBuilder]]:
    family, main = parent()
    manager = family.first.thread("QueueManagerThread", 110)
    workers = [family.fork(main, 0, 101, name="one"), family.fork(main, 0, 102, name="two")]
    for worker in workers:
        family.main(worker).running(0)
    return family, main, manager, workers


def finish(family: Family, workers: list[TraceBuilder], *threads: Thread) -> None:
    for worker in workers:
        family.main(worker).end(200 * MS)
        worker.ended(201 * MS)
    for thread in threads:
        thread.end(200 * MS)
    family.first.ended(202 * MS)


def test_result_of_a_job(tmp_path: Path) -> None:
    """Queued behind another job of the worker, run, on its way back; and it adds up."""
    family, main, manager, workers = pool()
    before = family.job(5, "first", main, 2 * MS, "/app/service.py:20 main")
    job = family.job(5, "second", main, 10 * MS, "/app/service.py:21 main")
    lock = family.first.lock("Condition.wait", WAIT)
    main.lock_wait(20 * MS, "Future.result", lock=lock, site=WAIT)
    manager.io(3 * MS, "select.poll.poll", site="/lib/process.py:9 wait").native(41 * MS)
    before.run(workers[0], 5 * MS, 40 * MS).received(manager, 42 * MS)
    manager.io(43 * MS, "select.poll.poll", site="/lib/process.py:9 wait").native(105 * MS)
    family.main(workers[0]).io(60 * MS, "open", site="/app/service.py:5 second")
    family.main(workers[0]).running(80 * MS)
    job.run(workers[0], 45 * MS, 100 * MS).received(manager, 106 * MS)
    manager.release(107 * MS, lock, to=main)
    main.running(108 * MS)
    finish(family, workers, main, manager)
    found, text = told(tmp_path, family)
    assert parts(found.causes) == [
        (Kind.JOB, "second [one]", 55),
        (Kind.QUEUED, "", 25),
        (Kind.RESULT, "", 6),
        (Kind.WOKEN, "", 2),
    ]
    assert parts(found.causes[0].parts) == [(Kind.COMPUTING, "", 35), (Kind.IO, "open", 20)]
    assert text == (
        "Thread `MainThread [service.py]` waited in `Future.result` (service.py:30) for "
        "88.0 ms, starting at 20.0 ms. For 55.0 ms of that a worker ran the job "
        "`second [one]` (service.py:21), which spent 35.0 ms computing and 20.0 ms in `open` "
        "(service.py:5); for 25.0 ms the job was queued: no worker had begun it; for 6.00 ms "
        "the result of the job was on its way; other: 2.00 ms."
    )
    assert path(found) == [
        "`MainThread [service.py]` waited for `Future.result` (service.py:30)",
        "job `second` (service.py:21) ran in `one`",
        "job `first` (service.py:20) ran in `one`",
        "`MainThread [service.py]` submitted the job `first`",
        "`MainThread [service.py]` ran",
        "the cause is unknown",
    ]


def test_job_of_a_task(tmp_path: Path) -> None:
    """`run_in_executor` with processes: the manager's thread wakes the task."""
    family, main, manager, workers = pool()
    loop = family.first.loop(main)
    task = loop.task("handle", site="/app/service.py:12 handle")
    task.ready(0).running(0)
    job = family.job(5, "resize", main, MS, "/app/service.py:13 handle")
    task.awaits(2 * MS, "executor", site="/app/service.py:13 handle")
    loop.step(task, 0, 2 * MS)
    main.io(2 * MS, "select.epoll.poll").running(91 * MS)
    loop.select(2 * MS, 91 * MS)
    manager.io(2 * MS, "select.poll.poll").native(89 * MS)
    job.run(workers[1], 12 * MS, 82 * MS).received(manager, 89 * MS)
    wake = manager.wakes(90 * MS)
    task.ready(91 * MS, by=wake, waker_thread=110).running(92 * MS)
    loop.step(task, 92 * MS, 93 * MS)
    task.done(93 * MS)
    finish(family, workers, main, manager)
    found = worst(tmp_path, family)
    assert found.wait.what is What.AWAIT
    assert parts(found.causes) == [
        (Kind.JOB, "resize [two]", 70),
        (Kind.QUEUED, "", 10),
        (Kind.RESULT, "", 7),
        (Kind.WOKEN, "", 2),
    ]
    assert path(found)[1:4] == [
        "job `resize` (service.py:13) ran in `two`",
        "`MainThread [service.py]` submitted the job `resize`",
        "`handle` #1 ran",
    ]


def test_job_that_never_began(tmp_path: Path) -> None:
    """It was queued to the end."""
    family, main, manager, workers = pool()
    family.job(5, "lost", main, 10 * MS, "/app/service.py:20 main")
    job = family.job(5, "late", main, 11 * MS, "/app/service.py:20 main")
    lock = family.first.lock("Condition.wait", WAIT)
    main.lock_wait(20 * MS, "Future.result", lock=lock, site=WAIT)
    manager.io(12 * MS, "select.poll.poll").native(100 * MS)
    job.received(manager, 101 * MS)
    manager.release(102 * MS, lock, to=main)
    main.running(103 * MS)
    finish(family, workers, main, manager)
    assert parts(worst(tmp_path, family).causes) == [(Kind.QUEUED, "", 83)]


@pytest.mark.parametrize("between", [0, 5 * MS])
def test_another_wait_between(tmp_path: Path, between: int) -> None:
    """A thread that waited for something else since it read a result ended nobody's job."""
    family, main, manager, workers = pool()
    job = family.job(5, "work", main, 10 * MS, "/app/service.py:20 main")
    lock = family.first.lock("Condition.wait", WAIT)
    main.lock_wait(20 * MS, "Event.wait", lock=lock, site=WAIT)
    manager.io(12 * MS, "select.poll.poll").native(60 * MS)
    job.run(workers[0], 15 * MS, 55 * MS).received(manager, 60 * MS)
    if between:
        manager.sleep(61 * MS, "/app/service.py:70 watch").native(61 * MS + between)
    manager.release(70 * MS, lock, to=main)
    main.running(71 * MS)
    finish(family, workers, main, manager)
    kinds = {cause.kind for cause in worst(tmp_path, family).causes}
    assert (Kind.JOB in kinds) is (between == 0)
