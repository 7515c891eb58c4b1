"""Paths that come back to where they were, and locks that a suspended task holds."""

from pathlib import Path

from tests.support.builder.trace import TraceBuilder
from tests.support.explaining import answer
from tests.support.models import model_of
from tests.support.stories.waits import MS
from tracer import schema as s
from viewer.analysis.causes.part import Cause
from viewer.analysis.findings import Facts, find
from viewer.analysis.why.explain import Explanation
from viewer.analysis.why.step import Did
from viewer.render.text.why import paragraph, sentences

SIGNALS = "tasks,threads,gc,gil,locks,io"


def kinds(causes: tuple[Cause, ...]) -> list[tuple[str, str]]:
    return [(str(cause.kind), cause.who) for cause in causes]


def steps(explanation: Explanation) -> list[tuple[Did, str]]:
    return [(step.did, step.who) for step in explanation.path]


def test_a_thread_that_waits_for_itself_says_so_once(tmp_path: Path) -> None:
    trace = TraceBuilder(signals=SIGNALS)
    thread = trace.thread("worker").native(0)
    lock = trace.lock("Lock", "/app/d.py:1 f")
    lock.hold(MS, 900 * MS, thread, site="/app/d.py:1 f")
    thread.lock_wait(MS, "Lock", lock=lock, owner=thread, site="/app/d.py:2 g")
    found = answer(model_of(tmp_path, trace.ended(900 * MS))).problems[0].worst
    assert kinds(found.causes) == [("owner", "worker")]
    assert kinds(found.causes[0].parts) == [("cycle", "")]
    assert steps(found) == [(Did.WAITED, "worker"), (Did.CYCLE, "worker")]
    assert sentences(found).endswith(
        "`worker` held it (acquired at d.py:1) while waiting for itself, in a cycle."
    )


def test_threads_that_wait_for_each_other_are_each_told_once(tmp_path: Path) -> None:
    trace = TraceBuilder(signals=SIGNALS)
    a, b = (trace.thread(name).native(0) for name in "ab")
    one, two = (trace.lock("Lock", f"/app/d.py:{n} f") for n in (1, 2))
    one.hold(MS, 900 * MS, a)
    two.hold(MS, 900 * MS, b)
    a.lock_wait(2 * MS, "Lock", lock=two, owner=b)
    b.lock_wait(3 * MS, "Lock", lock=one, owner=a)
    found = answer(model_of(tmp_path, trace.ended(900 * MS))).problems[0].worst
    assert steps(found) == [(Did.WAITED, "a"), (Did.WAITED, "b"), (Did.CYCLE, "a")]


def suspended(first_wait_ns: int) -> TraceBuilder:
    """`flush` took a threading.Lock and awaits; `write`, on the same thread, wants it.

    The recorder knows of the hold from the first wait on.
    """
    trace = TraceBuilder(signals=SIGNALS)
    main = trace.thread("MainThread").native(0)
    loop = trace.loop(main)
    flush = loop.task("flush", site="/app/log.py:6 flush").ready(0).running(MS)
    write = loop.task("write", site="/app/log.py:9 write").ready(0)
    flush.awaits(2 * MS, "sleep", site="/app/log.py:8 flush")
    loop.step(flush, MS, 2 * MS)
    write.running(10 * MS)
    lock = trace.lock("Lock", "/app/log.py:10 write")
    lock.hold(first_wait_ns, 800 * MS, main, site="/app/log.py:7 flush")
    site = "/app/log.py:10 write"
    main.lock_wait(11 * MS, "Lock", lock=lock, owner=main, site=site, acquired=False)
    flush.ready(100 * MS, waker="timer")
    main.native(800 * MS)
    write.done(810 * MS)
    loop.step(write, 10 * MS, 810 * MS)
    return trace.ended(900 * MS)


def test_a_lock_across_an_await_is_the_tasks(tmp_path: Path) -> None:
    """Not the thread's, which would wait for itself: it is `flush` that has to run."""
    found = answer(model_of(tmp_path, suspended(11 * MS)), thread="MainThread").problems[0]
    assert kinds(found.worst.causes) == [("owner", "flush #1")]
    assert kinds(found.worst.causes[0].parts) == [("ready", ""), ("await", "sleep")]
    assert "`flush` #1 held it (acquired at log.py:7)" in paragraph(found)
    assert "awaiting `sleep` (log.py:8)" in paragraph(found)
    assert [(step.did, step.who, step.what) for step in found.worst.path] == [
        (Did.WAITED, "MainThread", "lock wait: Lock"),
        (Did.WAITED, "flush #1", "ready"),
        (Did.WAITED, "flush #1", "await sleep"),
        (Did.TIMER, "", ""),
    ]


def test_a_lock_taken_in_a_job_is_the_tasks_that_submitted_it(tmp_path: Path) -> None:
    """The worker that took it has another job by now."""
    trace = TraceBuilder(signals=SIGNALS)
    loop = trace.loop(trace.thread("MainThread").native(0))
    worker = trace.thread("pool_0").native(0)
    job = {"name": "take", s.ARG_SITE: "/app/up.py:5 take"}
    for n, name in enumerate(("first", "second")):
        task, at = loop.task("upload", name=name, site="/app/up.py:7 upload"), n * 10 * MS
        task.ready(at).running(at)
        flow = next(trace.flow_ids)
        assert task.state is not None
        task.state.flows.append(flow)
        begun = trace.instant(worker.track, at + 2 * MS, s.RUN, s.CAT_THREAD, **job)
        begun.ends_flows.append(flow)
        task.awaits(at + MS, "executor", site="/app/up.py:8 upload")
        loop.step(task, at, at + MS)
    lock = trace.lock("Lock", "/app/up.py:5 take")
    lock.hold(13 * MS, 700 * MS, worker, site="/app/up.py:5 take")
    worker.lock_wait(13 * MS, "Lock", lock=lock, owner=worker, site="/app/up.py:5 take")
    worker.native(700 * MS)
    found = answer(model_of(tmp_path, trace.ended(800 * MS)), thread="pool_0").problems[0]
    assert kinds(found.worst.causes) == [("owner", "first")]
    assert kinds(found.worst.causes[0].parts) == [("await", "executor")]


def test_the_deadlock_names_the_task_that_has_the_lock(tmp_path: Path) -> None:
    model = model_of(tmp_path, suspended(11 * MS))
    (found,) = (each for each in find(Facts(model)) if each.finding == "deadlock")
    assert (
        "the lock that the task `flush Task-1` holds, acquired in `flush` (log.py:7)"
        in found.text
    )


def test_a_task_that_awaits_its_own_lock_waits_for_itself(tmp_path: Path) -> None:
    """Though a timeout ended it, and though it was cancelled by that."""
    trace = TraceBuilder(signals=SIGNALS)
    loop = trace.loop(trace.thread("MainThread").native(0))
    task = loop.task("outer", site="/app/s.py:2 outer").ready(0).running(0)
    lock = trace.lock("asyncio.Lock", "/app/s.py:6 inner")
    lock.hold(MS, 501 * MS, task, site="/app/s.py:3 outer")
    site = "/app/s.py:6 inner"
    task.awaits(MS, "Lock", lock=lock.id, owner_task=task.id, owner_name=task.name, site=site)
    loop.step(task, 0, MS)
    task.ready(500 * MS, waker="timer").running(500 * MS).done(501 * MS, s.CANCELLED)
    loop.step(task, 500 * MS, 501 * MS)
    found = answer(model_of(tmp_path, trace.ended(600 * MS))).problems[0]
    assert paragraph(found) == (
        "`outer` #1 began to await `Lock` (s.py:6) at 1.00 ms and was cancelled 499 ms later; "
        "nobody had woken it until then. For all of that time `outer` #1 held it (acquired at "
        "s.py:3) while waiting for itself, in a cycle."
    )
    assert steps(found.worst) == [(Did.WAITED, "outer #1"), (Did.CYCLE, "outer #1")]
