"""What two processes have under one number is two things: threads, tasks, locks, the GIL."""

import io

import pytest

from tests.support.builder.family import Family
from tests.support.builder.threads import Thread
from tests.support.builder.trace import TraceBuilder
from viewer.analysis.findings import Facts, find
from viewer.analysis.gc import gc_rows
from viewer.analysis.ledger.ledger import Ledger
from viewer.analysis.locks import lock_rows
from viewer.analysis.tasks import By, task_rows
from viewer.analysis.threads import thread_rows
from viewer.commands.report import report
from viewer.trace.model import Model, build_model
from viewer.trace.reader import read_trace

pytestmark = pytest.mark.invalid_traces  # the validator knows processes by their pid
MS = 1_000_000


def twins() -> Family:
    """Two containers: their processes have one pid; threads, tasks and locks one number each.

    In the first a thread holds the lock and the GIL while the main thread wants them; in the
    second nobody is in anybody's way.
    """
    family = Family("/app/serve.py", pid=7)
    second = family._process(7, "/app/serve.py", origin="run")
    for n, process in enumerate((family.first, second)):
        main, other = process.thread("MainThread", 7), process.thread("worker", 8)
        lock = process.lock("Lock", "/app/serve.py:4 main", id_=1)
        other.running(0)
        if n == 0:
            main.lock_wait(MS, "Lock", lock=lock, owner=other, site="/app/serve.py:4 main")
            lock.hold(MS, 80 * MS, other, site="/app/serve.py:9 work")
            other.release(80 * MS, lock, to=main)
            main.gil_wait(80 * MS, other).running(90 * MS)
            other.native(90 * MS)
        else:
            other.native(10 * MS)
            main.running(20 * MS)
        loop = process.loop(main)
        task = loop.task(f"work{n}", site="/app/serve.py:20 work")
        task.ready(91 * MS).running(92 * MS).done(95 * MS)
        loop.step(task, 92 * MS, 95 * MS)
        process.gc(96 * MS, (97 + n) * MS, 7, 2)
        for thread in (main, other):
            thread.end(100 * MS)
        process.ended(101 * MS)
    return family


@pytest.fixture
def model(tmp_path) -> Model:
    return build_model(read_trace(twins().write(tmp_path)))


def test_threads(model):
    rows = {(row.process, row.tid): row for row in thread_rows(model)}
    assert sorted(rows) == [(0, 7), (0, 8), (1, 7), (1, 8)]
    assert [rows[process, 7].gil_wait_ns // MS for process in (0, 1)] == [10, 0]
    assert [holder.tid for holder in rows[0, 7].held.holders] == [8]
    assert model.thread_names == ("MainThread", "worker", "MainThread", "worker")


def test_locks(model):
    """One row for each process's lock; only the first was waited for."""
    (row,) = lock_rows(model)
    assert (row.process, row.lock, row.waits.count) == (0, 1, 1)
    assert [(cause.who, cause.ns // MS) for cause in row.waited_for] == [("worker", 79)]


def test_tasks_and_collections(model):
    ledger = Ledger.of(model)
    assert [ledger.task_of(process, 1) for process in (0, 1)] == [0, 1]
    assert sorted(row.coro for row in task_rows(model, By.CORO)) == ["work0", "work1"]
    assert [run.process for run in model.collections] == [0, 1]
    (row,) = gc_rows(model)
    assert row.pauses.total_ns == 3 * MS


def test_findings_are_of_one(model):
    """The facts of the second process are not those of the first."""
    facts = Facts(model)
    assert sorted(facts.lock_of) == [(0, 1)]
    assert {one.evidence.pid for one in find(facts)} <= {7}


def test_text_tells_them_apart(tmp_path):
    out = io.StringIO()
    path = twins().write(tmp_path)
    report(path, as_json=False, section="threads", top=9, by="coro", out=out)
    text = out.getvalue()
    for name in ("MainThread [serve.py (7) #0]", "MainThread [serve.py (7) #1]"):
        assert name in text
    assert "(8)" not in text


def crowd(workers: int) -> Family:
    """Workers that were all killed in the middle of work, each with findings of its own."""
    family = Family("/app/serve.py " + "--option value " * 9)
    main = family.first.thread("MainThread", 100).running(0)
    main.io(MS, "os.waitpid", site="/app/serve.py:50 supervise")
    for n in range(workers):
        child = family.fork(main, n * 1_000, 200 + 10 * n, name=f"worker {n}")
        thread, hog = family.main(child), child.thread("hog", 205 + 10 * n)
        lock = child.lock("Lock", "/app/serve.py:4 main")
        hog.running(MS)
        thread.gil_wait(MS, hog).running((400 + n) * MS)
        hog.native((400 + n) * MS)
        thread.lock_wait(
            (410 + n) * MS, "Lock", lock=lock, owner=hog, site="/app/serve.py:4 main"
        )
        lock.hold((410 + n) * MS, 800 * MS, hog, site="/app/serve.py:9 work")
        hog.release(800 * MS, lock, to=thread)
        thread.running(800 * MS)
        thread.end(900 * MS)
        hog.end(900 * MS)
        family.ended(main, child, 905 * MS, signal=9)
    main.running(910 * MS).end(911 * MS)
    family.first.ended(912 * MS)
    return family


@pytest.mark.parametrize("workers", [1, 2, 8, 40])
def test_first_screen(tmp_path, workers):
    """It fits, however many processes have something to say."""
    out = io.StringIO()
    path = crowd(workers).write(tmp_path)
    report(path, as_json=False, section=None, top=9, by="coro", out=out)
    lines = out.getvalue().splitlines()
    assert len(lines) <= 24
    assert f"{workers + 1} processes" in out.getvalue()
    assert any("--section processes" in line for line in lines)
    killed = [line for line in lines if "killed by SIGKILL" in line]
    assert len(killed) == 1
    text = " ".join(out.getvalue().split())
    # One call ended when all had ended: it was told of the first.
    assert "[serve.py]` waited 909 ms for the child process `worker 0`." in text
    if workers == 8:
        assert killed[0] == (
            "  ! 8 processes were killed by SIGKILL (worker 0 (pid 200), worker 1 (pid 210), "
            "worker 2 (pid 220),"
        )


def test_loops_of_two_processes(tmp_path):
    """Each line about a loop says of which process it is."""
    family = Family("/app/serve.py")
    main = thread_of(family)
    child = family.fork(main, MS, 101, name="worker")
    for process, thread in ((family.first, main), (child, family.main(child).running(MS))):
        loop = process.loop(thread)
        task = loop.task("work", site="/app/serve.py:2 work")
        task.ready(2 * MS).running(3 * MS)
        loop.step(task, 3 * MS, 150 * MS)
        task.done(150 * MS)
        loop.select(150 * MS, 300 * MS)
        thread.end(300 * MS)
        process.ended(301 * MS)
    out = io.StringIO()
    path = family.write(tmp_path)
    report(path, as_json=False, section="latency", top=9, by="coro", out=out)
    for name in ("MainThread [serve.py]", "MainThread [worker]"):
        assert f"The loop of `{name}` was responsive" in out.getvalue()


def thread_of(family: Family) -> Thread:
    return family.first.thread("MainThread", 100).running(0)


def test_children_that_are_not_here(tmp_path):
    """A pid that is recorded may have been another child's before; the reason is said."""
    family = Family("/app/serve.py")
    main = thread_of(family)
    main.spawn(MS, 101, "python -I job.py", "/app/serve.py:3 main")
    assert main.trace.events[-1].name == "spawn"
    main.trace.events[-1].args |= {"reason": "started with -I"}
    child = family.fork(main, 20 * MS, 101)
    family.main(child).running(20 * MS).end(30 * MS)
    child.ended(31 * MS)
    main.end(40 * MS)
    family.first.ended(41 * MS)
    out = io.StringIO()
    report(family.write(tmp_path), as_json=False, section="health", top=9, by="coro", out=out)
    assert (
        "1 child process is not in this trace: `python -I job.py` at serve.py:3 "
        "(started with -I)."
    ) in " ".join(out.getvalue().split())


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (1, "the child process `tool 0`"),
        (2, "the child processes `tool 0` and `tool 1`"),
        (3, "the child processes `tool 0`, `tool 1` and `tool 2`"),
        (5, "the child processes `tool 0`, `tool 1`, `tool 2` and 2 more"),
    ],
)
def test_children_that_were_waited_for(tmp_path, count, text):
    """The first screen names them, also those that did not record themselves."""
    family = Family("/app/build.py")
    main = thread_of(family)
    for n in range(count):
        at = (n * 20 + 1) * MS
        main.spawn(at, 500 + n, f"tool {n}", "/app/build.py:3 main")
        main.io(at + 1_000, "os.waitpid", site="/app/build.py:4 main").running(at + 15 * MS)
        family.ended(main, TraceBuilder(pid=500 + n), at + 15 * MS, status=0)
    main.end(200 * MS)
    family.first.ended(201 * MS)
    out = io.StringIO()
    report(family.write(tmp_path), as_json=False, section=None, top=9, by="coro", out=out)
    assert f" for {text}." in " ".join(out.getvalue().split())
