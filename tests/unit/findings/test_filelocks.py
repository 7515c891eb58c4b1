"""Waits for locks of the file system."""

import pytest

from tests.support.builder.family import Family
from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds

SITE = "/app/jobs.py:9 update"


def queue(hold_ns=250 * MS, jobs=4, name="fcntl.flock"):
    """Threads wait for a lock file; each sleeps while it has it."""
    trace = TraceBuilder(argv="jobs.py", signals=SIGNALS)
    for n in range(jobs):
        job = trace.thread(f"job-{n}").native(0)
        if n:
            job.io(n * MS, name, site=SITE)
        job.sleep(max(n * hold_ns, MS), site="/app/jobs.py:12 scrape")
        job.native((n + 1) * hold_ns).end((n + 1) * hold_ns + MS)
    return trace.ended((jobs + 1) * hold_ns)


@pytest.mark.parametrize("name", ["fcntl.flock", "fcntl.lockf"])
def test_a_lock_file_held_over_slow_work(tmp_path, name):
    (found,) = find_in(tmp_path, queue(name=name))
    assert found.finding == "lock convoy"
    assert found.text == (
        f"Lock convoy: 3 threads `job-N` wait in `{name}` in `update` (jobs.py:9) for a lock "
        "file: 3 waits, 1.49 s in total, the longest 747 ms (at 3.00 ms). Whoever held it in "
        "between spent 100 % of that time asleep in `scrape` (jobs.py:12). Do the slow part "
        "without the lock, or have a lock for each job."
    )
    assert (found.evidence.site, found.evidence.track) == (SITE, "job-3")


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"hold_ns": 50 * MS}, id="little is lost"),
        pytest.param({"jobs": 1}, id="nobody waits"),
        pytest.param({"name": "socket.recv"}, id="another call"),
    ],
)
def test_nothing_to_say(tmp_path, story):
    assert kinds(tmp_path, queue(**story)) == []


LOCK = "/usr/lib/python3.13/multiprocessing/synchronize.py:95 SemLock.__enter__\n"


def between(stack, name="multiprocessing.SemLock.__enter__"):
    """Threads stand for processes: each waits for the lock, then sleeps."""
    trace = TraceBuilder(argv="jobs.py", signals=SIGNALS)
    for n in range(4):
        job = trace.thread(f"job-{n}").native(0)
        if n:
            job.io(n * MS, name, site=SITE, stack=stack)
        job.sleep(max(n * 250 * MS, MS), site="/app/jobs.py:12 scrape")
        job.native((n + 1) * 250 * MS).end((n + 1) * 250 * MS + MS)
    return trace.ended(5 * 250 * MS)


def test_a_lock_between_processes(tmp_path):
    (found,) = find_in(tmp_path, between(f"{LOCK}{SITE}"))
    assert found.finding == "lock convoy"
    assert "in `update` (jobs.py:9) for a lock between processes: 3 waits" in found.text


@pytest.mark.parametrize(
    "queue",
    [
        "/usr/lib/python3.13/multiprocessing/queues.py:102 Queue.get\n",
        "/venv/lib/python3.13/site-packages/billiard/pool.py:445 Worker._recv\n",
    ],
)
def test_a_queue_of_multiprocessing_is_no_lock(tmp_path, queue):
    """Its consumers wait for each other, as those of a pool do that have nothing to do."""
    assert kinds(tmp_path, between(f"{LOCK}{queue}{SITE}")) == []


def test_a_lock_of_whom_no_stack_tells(tmp_path):
    """A worker that is ended while it waits for a job leaves a wait without one."""
    assert kinds(tmp_path, between("")) == []


MANAGERS = "/usr/lib/python3.13/multiprocessing/managers.py:"


def test_a_lock_of_a_manager(tmp_path):
    stack = (
        f"{MANAGERS}824 BaseProxy._callmethod\n{MANAGERS}1061 AcquirerProxy.__enter__\n{SITE}"
    )
    (found,) = find_in(tmp_path, between(stack, "os.read"))
    assert found.finding == "lock convoy"
    assert "wait in `os.read` in `update` (jobs.py:9) for a lock of a manager" in found.text
    assert "100 % of that time asleep in `scrape` (jobs.py:12)" in found.text


def test_another_answer_of_a_manager(tmp_path):
    stack = f"{MANAGERS}824 BaseProxy._callmethod\n{MANAGERS}1130 ListProxy.append\n{SITE}"
    assert kinds(tmp_path, between(stack, "os.read")) == []


def waits_for_one(pid=101, others=False, family=True):
    """The first process waits for a lock file that `reaper` has, asleep."""
    run = Family("jobs.py", pid=100, signals=SIGNALS)
    first = run.first
    main = first.thread("MainThread", 100).native(0)
    if family:
        child = run.fork(main, MS, 101, name="reaper")
        run.main(child).sleep(2 * MS, site="/app/jobs.py:12 scrape").native(700 * MS)
        run.main(child).end(701 * MS)
        child.ended(702 * MS)
    main.io(5 * MS, "fcntl.flock", site=SITE, lock_pid=pid)
    main.native(699 * MS).end(710 * MS)
    first.ended(720 * MS)
    return run


@pytest.mark.parametrize(
    ("story", "said"),
    [
        pytest.param({}, "`reaper` held it, 100 % of that time asleep in `scrape` (jobs.py",
                     id="a process of the recording"),
        pytest.param({"pid": 4211}, "Process 4211, `cron`, held it.", id="another process"),
        pytest.param({"pid": 4211, "family": False}, "Process 4211, `cron`, held it.",
                     id="nobody else is recorded"),
    ],
)  # fmt: skip
def test_who_has_the_lock_file(tmp_path, story, said):
    (found,) = find_in(tmp_path, waits_for_one(**story))
    assert said in found.text


def test_the_process_itself_is_not_named(tmp_path):
    (found,) = find_in(tmp_path, waits_for_one(pid=100))
    assert "held it" not in found.text


def unknown(until_ns=600 * MS, others=1, call=None, since_ns=2 * MS):
    """Nobody knows who has the lock; others sleep until `until_ns`; it is free at 602 ms."""
    run = Family("jobs.py", pid=100, signals=SIGNALS)
    main = run.first.thread("MainThread", 100).native(0)
    for n in range(others):
        child = run.fork(main, MS, 101 + n, name=f"uploader-{n}")
        thread = run.main(child).native(MS)
        if call:
            thread.io(since_ns, call, site="/app/jobs.py:12 scrape")
        else:
            thread.sleep(since_ns, site="/app/jobs.py:12 scrape")
        thread.native(until_ns).end(701 * MS)
        child.ended(702 * MS)
    main.io(5 * MS, "multiprocessing.SemLock.__enter__", site=SITE, stack=LOCK + SITE)
    main.native(602 * MS).end(710 * MS)
    run.first.ended(720 * MS)
    return run


def test_whoever_went_on_before_it_came_free(tmp_path):
    (found,) = find_in(tmp_path, unknown())
    assert (
        ". `uploader-0` went on just before it came free, 99 % of that time asleep in "
        "`scrape` (jobs.py:12). Do the slow" in found.text
    )


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"until_ns": 590 * MS}, id="long before"),
        pytest.param({"until_ns": 603 * MS}, id="afterwards"),
        pytest.param({"others": 2}, id="two did"),
        pytest.param({"others": 0}, id="nobody did"),
        pytest.param({"since_ns": 200 * MS}, id="not all the time"),
        pytest.param({"call": "os.waitpid"}, id="it waited for a child"),
    ],
)
def test_who_had_a_lock_is_not_guessed(tmp_path, story):
    (found,) = (f for f in find_in(tmp_path, unknown(**story)) if f.finding == "lock convoy")
    assert "went on" not in found.text
