"""Which waits weigh, and how much: calls, sleeps, timeouts, pools, idle workers."""

from pathlib import Path

import pytest

from tests.support.explaining import answer
from tests.support.models import model_of
from tests.support.scene import Scene, told
from tests.support.stories.waits import MS
from tracer import schema as s
from tracer.cli import main as tracer
from viewer.analysis.causes.part import Kind
from viewer.analysis.why.waits import What
from viewer.render.text.steps import step_text
from viewer.render.text.why import paragraph


def test_a_thread_that_stands_in_a_call_waits(tmp_path: Path) -> None:
    scene = Scene()
    acceptor = scene.thread("acceptor")
    site = "/app/tls.py:12 serve"
    acceptor.io(10 * MS, "ssl.SSLSocket.do_handshake", site=site).native(910 * MS)
    found = scene.problems(tmp_path)
    assert told(found) == [(What.CALL, "acceptor", "ssl.SSLSocket.do_handshake")]
    assert paragraph(found[0]) == (
        "Thread `acceptor` was in `ssl.SSLSocket.do_handshake` (tls.py:12) for 900 ms, "
        "starting at 10.0 ms. For all of that time it waited for something outside the "
        "program."
    )


@pytest.mark.parametrize("call", ["os.fsync", "ssl.SSLContext.set_default_verify_paths"])
def test_a_call_that_waits_for_nobody(tmp_path: Path, call: str) -> None:
    """What it is for takes its time; nothing arrives from outside."""
    scene = Scene()
    scene.thread("saver").io(10 * MS, call, site="/app/save.py:12 save").native(910 * MS)
    (found,) = scene.problems(tmp_path)
    assert paragraph(found) == (
        f"Thread `saver` was in `{call}` (save.py:12) for 900 ms, starting at 10.0 ms. For "
        "all of that time the call itself was working."
    )
    assert step_text(found.worst.path[-1]) == "the call was done"


def test_pieces_of_a_call_are_one_call(tmp_path: Path) -> None:
    scene = Scene()
    site = "/app/db.py:3 ask"
    worker = scene.thread("worker").io(0, "sqlite3.Connection.execute", site=site)
    for at in (100, 200, 300):
        worker.io(at * MS, "sqlite3.Connection.execute", site=site, continues=True)
    worker.native(400 * MS)
    (found,) = scene.problems(tmp_path)
    assert (found.count, found.total_ns) == (1, 400 * MS)


def test_a_library_that_sleeps_and_looks_waits_for_what_it_was_called_for(
    tmp_path: Path,
) -> None:
    scene = Scene()
    stack = "/usr/lib/python3.13/subprocess.py:2060 Popen._wait\n"
    stack += "/usr/lib/python3.13/subprocess.py:1280 Popen.wait\n/app/run.py:7 run_tool"
    for n in range(10):
        scene.main.sleep(n * 50 * MS, site="/app/run.py:7 run_tool")
        assert scene.main.state is not None
        scene.main.state.args[s.ARG_STACK] = stack
        scene.main.native((n * 50 + 49) * MS)
    (found,) = scene.problems(tmp_path)
    assert (found.worst.subject, found.count, found.total_ns) == ("Popen.wait", 10, 490 * MS)
    assert [cause.kind for cause in found.worst.causes] == [Kind.CHILD]


def test_order_is_by_time_lost(tmp_path: Path) -> None:
    """Seconds in a condition come before microseconds of the GIL and what the kernel took."""
    scene = Scene()
    runner = scene.thread("runner")
    runner.lock_wait(0, "Condition.wait", lock=7, acquired=False).preempted(900 * MS)
    runner.gil_wait(904 * MS, holder=scene.main).native(904 * MS + 3_000)
    assert told(scene.problems(tmp_path)) == [
        (What.IDLE, "runner", "Condition.wait"),
        (What.PREEMPTED, "runner", ""),
        (What.GIL, "runner", ""),
    ]


def test_many_short_waits_outweigh_one_long_one(tmp_path: Path) -> None:
    scene = Scene()
    a, b = scene.thread("a"), scene.thread("b")
    lock = scene.trace.lock("Lock", "/app/x.py:1 f")
    for n in range(50):
        lock.hold(n * 10 * MS, (n * 10 + 8) * MS, b)
        a.lock_wait(n * 10 * MS, "Lock", lock=lock, owner=b).native((n * 10 + 8) * MS)
    b.io(0, "socket.recv", site="/app/x.py:9 g").native(100 * MS)
    found = scene.problems(tmp_path)
    assert [(p.worst.wait.what, p.total_ns) for p in found] == [
        (What.LOCK, 400 * MS),
        (What.CALL, 100 * MS),
    ]


def test_less_than_a_millisecond_is_nothing_worth_mentioning(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scene = Scene()
    scene.thread("a").gil_wait(0, holder=scene.main).native(600_000)
    file = tmp_path / "short.pftrace"
    file.write_bytes(scene.trace.ended(MS).data())
    assert tracer(["why", str(file)]) == 0
    assert "lost less than 1 ms to waits" in capsys.readouterr().out
    assert tracer(["why", str(file), "--thread", "a"]) == 0
    assert "waited 600 µs for the GIL" in capsys.readouterr().out


def test_a_worker_at_an_empty_queue_is_idle(tmp_path: Path) -> None:
    """So is one that looks again and again, and a server that waits for whoever comes."""
    scene = Scene()
    queue = scene.trace.lock("Queue.get", "/app/w.py:1 work")
    worker, looker, server = map(scene.thread, ("worker", "looker", "server"))
    worker.lock_wait(0, "Queue.get", lock=queue, site="/app/w.py:1 work")
    scene.main.release(500 * MS, queue, to=worker)
    worker.native(500 * MS)
    for n in range(4):
        looker.lock_wait(n * 100 * MS, "Queue.get", lock=9, acquired=False)
        looker.native((n * 100 + 99) * MS)
    server.io(0, "socket.accept", site="/app/w.py:7 serve").native(900 * MS)
    assert scene.problems(tmp_path) == []


def test_a_queue_whose_getters_put_back_is_a_pool(tmp_path: Path) -> None:
    """Who waits there waits for those who have its slots."""
    scene = Scene()
    queue = scene.trace.lock("Queue.get", "/app/p.py:1 take")
    a, b = scene.thread("a"), scene.thread("b")
    a.lock_wait(0, "Queue.get", lock=queue, site="/app/p.py:1 take")
    b.release(300 * MS, queue, to=a)
    a.native(300 * MS)
    b.lock_wait(400 * MS, "Queue.get", lock=queue, site="/app/p.py:1 take")
    a.release(600 * MS, queue, to=b)
    b.native(600 * MS)
    (found,) = scene.problems(tmp_path)
    assert (found.worst.subject, found.count, found.total_ns) == ("Queue.get", 2, 500 * MS)


def test_who_owes_something_is_not_idle(tmp_path: Path) -> None:
    """`runner` waits for a condition while `main` waits for `runner`."""
    scene = Scene()
    runner = scene.thread("runner")
    done = scene.trace.lock("Event.wait", "/app/r.py:2 main")
    more = scene.trace.lock("Condition.wait", "/app/r.py:9 run")
    helper = scene.thread("helper")
    runner.lock_wait(0, "Condition.wait", lock=more, site="/app/r.py:9 run")
    scene.main.lock_wait(100 * MS, "Event.wait", lock=done, site="/app/r.py:2 main")
    helper.release(800 * MS, more, to=runner)
    runner.native(800 * MS).release(810 * MS, done, to=scene.main)
    scene.main.native(810 * MS)
    assert told(scene.problems(tmp_path)) == [
        (What.IDLE, "runner", "Condition.wait"),
        (What.IDLE, "MainThread", "Event.wait"),
    ]


def test_a_timeout_says_that_nobody_came(tmp_path: Path) -> None:
    scene = Scene()
    site = "/app/c.py:7 run_jobs"
    scene.thread("runner").lock_wait(
        0, "Condition.wait", lock=7, site=site, acquired=False
    ).native(900 * MS)
    (found,) = scene.problems(tmp_path)
    assert paragraph(found) == (
        "Thread `runner` waited in `Condition.wait` (c.py:7) for 900 ms, starting at 0, and "
        "gave up. For all of that time it waited in vain: nobody woke it before the timeout."
    )


def test_an_await_that_a_timer_ended_timed_out(tmp_path: Path) -> None:
    """But for a sleep: that is what a timer is for."""
    scene = Scene()
    loop = scene.loop()
    stop, ticker = (loop.task(n, site=f"/app/q.py:1 {n}") for n in ("stop", "ticker"))
    for n, (task, what) in enumerate(((stop, "Queue.join"), (ticker, "sleep"))):
        task.ready(n * MS).running(n * MS).awaits(n * MS + 1_000, what, site="/app/q.py:9 f")
        loop.step(task, n * MS, n * MS + 1_000)
        task.ready((800 + n) * MS, waker="timer").running((800 + n) * MS)
        loop.step(task, (800 + n) * MS, (800 + n) * MS + 1_000)
        task.done((800 + n) * MS + 1_000)
    found = scene.problems(tmp_path)
    assert told(found) == [
        (What.AWAIT, "stop #1", "Queue.join"),
        (What.AWAIT, "ticker #2", "sleep"),
    ]
    kinds = [[cause.kind for cause in problem.worst.causes] for problem in found]
    assert kinds == [[Kind.TIMEOUT], [Kind.TIMER]]


def test_an_idle_task_is_no_problem(tmp_path: Path) -> None:
    """A worker at a queue or channel, a ticker that sleeps forever, an event never set."""
    scene = Scene()
    loop = scene.loop()
    idle = ("Queue.get", "sleep", "Event", "Server.serve_forever", "sleep_forever", "signal")
    for n, what in enumerate((*idle, "MemoryChannel.receive", "MemoryObjectStream.receive")):
        task = loop.task(f"f{n}", site=f"/app/i.py:{n} f{n}").ready(n * MS).running(n * MS)
        task.awaits(n * MS + 1_000, what, site="/app/i.py:9 f")
        loop.step(task, n * MS, n * MS + 1_000)
    assert scene.problems(tmp_path) == []


def test_imports_read_files_for_the_machines_account(tmp_path: Path) -> None:
    """What a start takes comes after what the program waited for."""
    scene = Scene()
    scene.main.io(0, "os.stat", site="<frozen importlib._bootstrap>:1360 _find_and_load")
    scene.main.native(300 * MS).io(400 * MS, "socket.recv", site="/app/m.py:3 ask")
    scene.main.native(500 * MS)
    assert [p.worst.subject for p in scene.problems(tmp_path)] == ["socket.recv", "os.stat"]


def test_a_leak_is_one_problem(tmp_path: Path) -> None:
    """Its awaits are not listed again among the other waits of their coroutine."""
    scene = Scene()
    loop = scene.loop()
    main = loop.task("main", site="/app/leak.py:20 main").ready(0).running(1)
    end = 700 * MS
    for n in range(160):
        task = loop.task("call", site="/app/leak.py:9 call", parent=main.id)
        task.ready(4 * MS * n + 2, by=main).running(4 * MS * n + 3)
        task.awaits(4 * MS * n + 4, "future", site="/app/leak.py:11 call")
        task.ready(end, by=main).running(end).done(end, s.CANCELLED)
    for n in range(20):
        answered = loop.task("call", site="/app/leak.py:9 call", parent=main.id)
        answered.ready(5 * MS * n + 2, by=main).running(5 * MS * n + 3)
        answered.awaits(5 * MS * n + 4, "future", site="/app/leak.py:11 call")
        answered.ready(5 * MS * n + 2 * MS, waker="timer").running(5 * MS * n + 2 * MS)
        answered.done(5 * MS * n + 2 * MS + 1)
    main.done(end)
    found = scene.problems(tmp_path)
    assert told(found)[:1] == [(What.AWAIT, "call #2", "future")]
    assert found[0].count == 160
    assert [(c.kind, c.who) for c in found[0].worst.causes] == [(Kind.CANCELLED, "main #1")]
    assert [str(step.did) for step in found[0].worst.path] == ["waited", "cancelled"]
    waits = [problem.worst.wait for problem in found]
    assert len({*waits}) == len(waits)


def test_what_the_waker_did_after_it_woke_somebody_is_no_cause(tmp_path: Path) -> None:
    """`b` gives `a` what it waits for at 300 ms and computes on; `a` runs at 500 ms."""
    scene = Scene()
    done = scene.trace.lock("Future.result", "/app/r.py:1 ask")
    a, b = scene.thread("a"), scene.thread("b")
    a.lock_wait(0, "Future.result", lock=done, site="/app/r.py:1 ask")
    b.io(100 * MS, "socket.recv", site="/app/r.py:9 answer").native(300 * MS)
    b.release(300 * MS, done, to=a)
    a.native(500 * MS)
    found = scene.problems(tmp_path)[0].worst
    assert [(str(c.kind), c.who, c.ns) for c in found.causes] == [
        ("waker", "b", 300 * MS),
        ("woken", "", 200 * MS),
    ]
    assert [(str(c.kind), c.ns) for c in found.causes[0].parts] == [
        ("io", 200 * MS),
        ("native", 100 * MS),
    ]


def test_a_gil_that_was_mostly_free_was_held_by_nobody(tmp_path: Path) -> None:
    """In the words for a part, too: nine threads that had it for moments are not to blame."""
    scene = Scene()
    worker, other = scene.thread("worker"), scene.thread("other")
    lock = scene.trace.lock("Lock", "/app/g.py:1 f")
    lock.hold(0, 500 * MS, worker)
    other.lock_wait(0, "Lock", lock=lock, owner=worker).native(500 * MS)
    scene.main.running(0).native(MS)
    worker.gil_wait(0, holder=scene.main)
    scene.main.running(499 * MS).native(500 * MS)
    worker.running(500 * MS).end(600 * MS)
    model = model_of(tmp_path, scene.trace.ended(700 * MS))
    text = paragraph(answer(model, thread="other").problems[0])
    assert "waiting for the GIL" in text
    assert "GIL held by" not in text


def test_at_a_moment_threads_that_stand_in_calls_are_told(tmp_path: Path) -> None:
    scene = Scene()
    for n, name in enumerate(("acceptor", "browser")):
        site = f"/app/tls.py:{n + 1} {name}"
        scene.thread(name).io(n * 100 * MS, "ssl.SSLSocket.do_handshake", site=site).native(
            1_000 * MS
        )
    model = model_of(tmp_path, scene.trace.ended(1_100 * MS))
    found = list(answer(model, at_ns=model.start_ns + 500 * MS).problems)
    assert told(found) == [
        (What.CALL, "acceptor", "ssl.SSLSocket.do_handshake"),
        (What.CALL, "browser", "ssl.SSLSocket.do_handshake"),
    ]


def test_who_waits_for_an_import_is_not_idle(tmp_path: Path) -> None:
    """Nobody holds an import as a lock, and yet another thread does it."""
    scene = Scene()
    loader, importer = scene.thread("loader"), scene.thread("importer")
    module = scene.trace.lock("import", "/app/plug.py:5 load")
    importer.sleep(0, site="/app/plug.py:9 <module>")
    loader.lock_wait(0, "import", lock=module, site="/app/plug.py:5 load")
    importer.native(900 * MS).release(901 * MS, module, to=loader)
    loader.native(901 * MS)
    found = scene.problems(tmp_path)
    assert told(found)[0] == (What.IDLE, "loader", "import")
    assert [(c.kind, c.who) for c in found[0].worst.causes] == [(Kind.WAKER, "importer")]


@pytest.mark.parametrize(
    ("site", "count"),
    [
        pytest.param("/app/jobs.py:9 update", 1, id="the user's own lock"),
        pytest.param(
            "/venv/lib/python3.13/site-packages/billiard/synchronize.py:115 SemLock.__enter__",
            0,
            id="an idle worker's turn to read its queue",
        ),
    ],
)
def test_a_turn_at_a_queue_between_processes(tmp_path: Path, site: str, count: int) -> None:
    scene = Scene()
    worker = scene.thread("worker")
    worker.io(10 * MS, "multiprocessing.SemLock.__enter__", site=site).native(910 * MS)
    assert len(scene.problems(tmp_path)) == count
