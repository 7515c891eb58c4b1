"""Waits for locks of the file system."""

import pytest

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
        "file: 3 waits, 1.49 s in total, the longest 747 ms (at 3.00 ms). Whoever had it in "
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


def test_a_queue_of_multiprocessing_is_no_lock(tmp_path):
    """Its consumers wait for each other, as those of a pool do that have nothing to do."""
    queue = "/usr/lib/python3.13/multiprocessing/queues.py:102 Queue.get\n"
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
