"""Locks that a fork leaves locked, and jobs of a worker that was killed."""

import signal

import pytest

from tests.support.builder.family import Family
from tests.support.finding import MS
from viewer.analysis.findings import Facts, Finding, find
from viewer.trace.model import build_model
from viewer.trace.reader import read_trace

BOOT, GET = "/app/serve.py:20 boot", "/app/serve.py:31 collect"


def find_in(tmp_path, family: Family) -> tuple[Finding, ...]:
    return find(Facts(build_model(read_trace(family.write(tmp_path)))))


def forked(ns=700 * MS, others=True, origin="fork", is_killed=False):
    """The child of a process with another thread waits for a lock in vain, or until it is
    killed."""
    family = Family("/app/serve.py")
    main = family.first.thread("MainThread", 100).native(0)
    metrics = family.first.thread("metrics", 150)
    if others:
        metrics.native(0)
    child = family.fork(main, MS, 101, origin=origin)
    thread, end = family.main(child), 3 * MS + ns
    lock = child.lock("Lock", BOOT)
    thread.native(2 * MS).lock_wait(3 * MS, "Lock", lock=lock, site=BOOT, acquired=False)
    if is_killed:
        thread.counter(end, "memory", 1)
    else:
        thread.native(end).end(end + MS)
        child.ended(end + MS)
    if others:
        metrics.end(end + MS)
    main.end(end + 2 * MS)
    family.first.ended(end + 3 * MS)
    return family


def test_a_lock_that_a_fork_leaves_locked(tmp_path):
    (found,) = find_in(tmp_path, forked())
    assert found.finding == "deadlock"
    assert found.text == (
        "In `child 1`: Deadlock at 3.00 ms, for 700 ms: `MainThread` in `boot` (serve.py:20) "
        "waits for a `Lock` that nobody in its process has: 1 wait in vain, 700 ms in total. "
        "The process was forked at service.py:9 while `metrics` ran in its parent: a lock "
        "that another thread has at a fork stays locked in the child. Fork before threads "
        "start, use `spawn`, or make the lock anew in `os.register_at_fork`."
    )
    assert (found.evidence.pid, found.evidence.site) == (101, BOOT)


def test_a_child_that_was_killed_in_its_wait(tmp_path):
    (found,) = find_in(tmp_path, forked(is_killed=True))
    assert found.finding == "deadlock"
    assert "a lock that another thread has at a fork stays locked in the child" in found.text
    assert "1 wait in vain, 700 ms in total" in found.text


def test_a_child_that_was_killed_soon(tmp_path):
    assert find_in(tmp_path, forked(is_killed=True, ns=400 * MS)) == ()


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"others": False}, id="one thread"),
        pytest.param({"origin": "spawn"}, id="spawned"),
    ],
)
def test_a_lock_of_somebody(tmp_path, story):
    assert [f.finding for f in find_in(tmp_path, forked(**story))] == ["wait in vain"]


def test_a_short_wait(tmp_path):
    assert find_in(tmp_path, forked(ns=400 * MS)) == ()


def killed(how=signal.SIGKILL, ends=400):
    """`collect` waits in vain for jobs of a worker that a signal ends."""
    family = Family("/app/serve.py")
    main = family.first.thread("MainThread", 100).native(0)
    child = family.fork(main, MS, 101, name="Worker-1")
    family.main(child).native(2 * MS).end((ends - 1) * MS)
    child.ended(ends * MS)
    lock = family.first.lock("AsyncResult.get", GET)
    main.lock_wait(3 * MS, "AsyncResult.get", lock=lock, site=GET, acquired=False)
    family.ended(main, child, ends * MS + 1, signal=how)
    main.native(903 * MS).end(905 * MS)
    family.first.ended(906 * MS)
    return family


NAMED = [(signal.SIGKILL, "SIGKILL"), (40, "signal 40")]  # only some have a name


@pytest.mark.parametrize(("how", "name"), NAMED)
def test_a_worker_that_was_killed(tmp_path, how, name):
    (found,) = find_in(tmp_path, killed(how))
    assert found.finding == "wait in vain"
    assert f"; `Worker-1` was killed by {name} at 400 ms, and its job with it." in found.text


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"how": signal.SIGTERM}, id="as a pool ends it"),
        pytest.param({"ends": 904}, id="after the wait"),
    ],
)
def test_a_worker_that_lived(tmp_path, story):
    (found,) = find_in(tmp_path, killed(**story))
    assert "nothing ended it" in found.text


def replaced(workers=10, jobs=0, status=1):
    """Workers of a pool end as soon as they began, while `collect` waits in vain."""
    family = Family("/app/serve.py")
    main = family.first.thread("MainThread", 100).native(0)
    lock = family.first.lock("AsyncResult.get", GET)
    main.lock_wait(MS, "AsyncResult.get", lock=lock, site=GET, acquired=False)
    maker = family.first.thread("maker", 150).native(0)
    for n in range(workers):
        at = (2 + 50 * n) * MS
        child = family.fork(maker, at, 101 + n, name=f"Worker-{n}")
        family.main(child).native(at + MS).end(at + 20 * MS)
        if n < jobs:
            job = family.job(1, "resize", maker, at, GET)
            job.run(child, at + 2 * MS, at + 5 * MS)
        child.ended(at + 20 * MS)
        family.ended(maker, child, at + 21 * MS, status=status)
    main.native(903 * MS).end(905 * MS)
    maker.end(905 * MS)
    family.first.ended(906 * MS)
    return family


def test_workers_that_end_again_and_again(tmp_path):
    (found,) = find_in(tmp_path, replaced())
    assert found.finding == "wait in vain"
    assert (
        "; meanwhile 10 workers such as `Worker-0` began and ended with status 1 before they "
        "had run a job, and were replaced: look at the pool's `initializer`, and at what a "
        "worker imports." in found.text
    )


@pytest.mark.parametrize(
    "story",
    [pytest.param({"workers": 7}, id="few"), pytest.param({"jobs": 1}, id="one ran a job")],
)
def test_workers_that_may_end(tmp_path, story):
    (found,) = find_in(tmp_path, replaced(**story))
    assert "initializer" not in found.text


def semaphore(how=signal.SIGKILL, ns=700 * MS, late=False):
    """`writer` is ended by a signal; `reader` waits for a lock of multiprocessing."""
    family = Family("/app/serve.py")
    main = family.first.thread("MainThread", 100).native(0)
    writer = family.fork(main, MS, 101, name="writer")
    reader = family.fork(main, MS, 102, name="reader")
    dies = (20 if not late else 900) * MS
    family.main(writer).native(2 * MS).end(dies)
    writer.ended(dies)
    family.ended(main, writer, dies + MS, signal=how)
    thread, start = family.main(reader).native(2 * MS), 30 * MS
    thread.io(start, "multiprocessing.SemLock.acquire", site=BOOT).native(start + ns)
    thread.end(start + ns + MS)
    reader.ended(start + ns + MS)
    main.end(1_000 * MS)
    family.first.ended(1_001 * MS)
    return family


@pytest.mark.parametrize(("how", "name"), NAMED)
def test_a_lock_of_a_process_that_was_killed(tmp_path, how, name):
    (found,) = find_in(tmp_path, semaphore(how))
    assert found.finding == "slots never returned"
    assert found.text == (
        "Slots never returned: `reader` in `boot` (serve.py:20) waited for a "
        "lock or semaphore of `multiprocessing`: 1 wait, 700 ms (at 30.0 ms). `writer` was "
        f"killed by {name} (at 20.0 ms): "
        "it may have held it, and what an ended process has is never released. End "
        "processes so that they can release it."
    )


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"how": signal.SIGTERM}, id="ended in order"),
        pytest.param({"ns": 450 * MS}, id="little"),
        pytest.param({"late": True}, id="killed afterwards"),
    ],
)
def test_a_lock_between_processes(tmp_path, story):
    assert find_in(tmp_path, semaphore(**story)) == ()


LOOK_UP, ASKS = "/app/serve.py:5 look_up", "/app/serve.py:40 enrich"


def left(what="Future.result", ns=700 * MS, *, origin="fork", began=True, other=False):
    """A worker that was forked waits for what a thread of its parent would have to do.
    `began`: that one has run jobs of an executor before; `other`: another thread lives in the
    worker."""
    family = Family("/app/serve.py")
    main = family.first.thread("MainThread", 100).native(0)
    helper = family.first.thread("look-up_0", 150).native(0)
    if began:
        helper.runs(1000, "look_up", LOOK_UP, by=main.submits(500))
        idle = family.first.lock("executor idle", LOOK_UP)
        helper.lock_wait(2000, "executor idle", lock=idle, site=LOOK_UP)
    child = family.fork(main, MS, 101, name="worker", origin=origin)
    thread, end = family.main(child), 3 * MS + ns
    lock = child.lock(what, ASKS)
    if other:
        child.thread("metrics", 102).native(2 * MS).end(end)
    thread.native(2 * MS)
    if began:
        thread.submits(2 * MS + 1000).flows.append(next(child.flow_ids))
    thread.lock_wait(3 * MS, what, lock=lock, site=ASKS, acquired=False)
    thread.native(end).end(end + MS)
    child.ended(end + MS)
    helper.native(end + MS).end(end + MS + 1000)
    main.end(end + 2 * MS)
    family.first.ended(end + 3 * MS)
    return family


@pytest.mark.parametrize("other", [False, True])
def test_an_executor_of_the_parent(tmp_path, other):
    (found,) = find_in(tmp_path, left(other=other))
    assert found.finding == "wait in vain"
    assert found.text == (
        "In `worker`: Waited in vain: `MainThread` in `enrich` (serve.py:40) gave up 1 wait "
        "in `Future.result`, 700 ms (at 3.00 ms), for jobs of "
        "`look-up`, whose threads stayed in `serve.py`, from which this process was forked: a "
        "fork copies no thread but the one that calls it. Make the executor after the fork, "
        "or when it is first needed (`os.register_at_fork`, gunicorn's `post_fork`)."
    )


def test_any_thread_of_the_parent(tmp_path):
    (found,) = find_in(tmp_path, left("Queue.join", began=False))
    assert (
        "for what no thread of its process can do: `look-up_0` stayed in `serve.py`, from "
        "which this process was forked"
    ) in found.text


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"origin": "spawn"}, id="spawned"),
        pytest.param({"what": "Queue.join", "other": True}, id="another thread is there"),
    ],
)
def test_threads_that_a_fork_does_not_matter_to(tmp_path, story):
    (found,) = find_in(tmp_path, left(began=False, **story))
    assert "forked" not in found.text


def test_a_short_wait_for_an_executor(tmp_path):
    assert find_in(tmp_path, left(ns=300 * MS)) == ()
