"""Locks that a program made itself, and imports that others wait for."""

import pytest

from tests.support.builder.family import Family
from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds
from viewer.analysis.findings import Facts, find
from viewer.analysis.findings.locks.ownlocks import own_lock_of
from viewer.trace.model import build_model
from viewer.trace.reader import read_trace

THREADING = "/usr/lib/python3.13/threading.py:359 Condition.wait"
CALLER = "/app/config.py:30 reload"
IMPORT = "/app/jobs.py:5 call_api"


def guarded(
    function="RWLock.acquire_write", ns=700 * MS, acquired=True, name="Condition.wait"
):
    """`writer` waits in a function until `reader`, which is asleep, lets it go."""
    trace = TraceBuilder(argv="config.py", signals=SIGNALS)
    reader, writer = trace.thread("reader").native(0), trace.thread("writer").native(0)
    name, site = "Condition.wait", f"/app/locks.py:12 {function}"
    lock = trace.lock(name, site)
    stack = f"{THREADING}\n{site}\n{CALLER}"
    reader.sleep(MS, site="/app/config.py:20 read")
    writer.lock_wait(MS, name, lock=lock, site=site, stack=stack, acquired=acquired)
    if acquired:
        reader.release(MS + ns, lock, to=writer)
    reader.native(MS + ns).end(MS + ns + 10)
    writer.native(MS + ns).end(MS + ns + 10)
    return trace.ended(2 * MS + ns)


def test_a_writer_that_readers_keep_out(tmp_path):
    (found,) = find_in(tmp_path, guarded())
    assert found.finding == "lock convoy"
    assert found.text == (
        "Lock convoy: `writer` waited for a lock of the program's own: 1 wait, 700 ms (at "
        "1.00 ms) in `RWLock.acquire_write` (locks.py:12), called in `reload` (config.py:30), "
        "until `reader` released it, 100 % of that time asleep in `read` (config.py:20). Do "
        "the slow part outside the lock, and let those who already wait go first."
    )
    assert found.severity_ns == 700 * MS


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"function": "Jobs.take"}, id="it waits for work"),
        pytest.param({"function": "acquire_job"}, id="a job is acquired"),
        pytest.param({"function": "Clock.wait"}, id="no lock"),
        pytest.param({"ns": 400 * MS}, id="little is lost"),
        pytest.param({"acquired": False}, id="in vain"),
    ],
)
def test_no_lock_of_ones_own(tmp_path, story):
    assert "lock convoy" not in kinds(tmp_path, guarded(**story))


@pytest.mark.parametrize(
    ("stack", "line"),
    [
        ("/app/a.py:1 FileLock.__enter__\n/app/b.py:2 main", "/app/b.py:2 main"),
        ("/app/a.py:1 wait_for_lock\n/app/b.py:2 main", "/app/b.py:2 main"),
        (
            "/app/a.py:1 file_lock\n/usr/lib/python3.13/contextlib.py:9 __enter__\n/b.py:2 f",
            "/b.py:2 f",
        ),
        ("/app/a.py:1 update_with_lock\n/app/b.py:2 main", ""),
        ("/app/a.py:1 Blocker.acquire\n/app/b.py:2 main", ""),
        ("/venv/lib/python3.13/site-packages/x/lock.py:1 Lock.acquire", ""),
    ],
)
def test_which_functions_are_locks(stack, line):
    assert own_lock_of(tuple(stack.split("\n"))) == line


def polled(pauses=20, pause_ns=20 * MS, function="FileLock.acquire"):
    """Two threads look for a lock again and again while a third one has it, asleep; then the
    first one has it."""
    trace = TraceBuilder(argv="install.py", signals=SIGNALS)
    site = f"/app/filelock.py:9 {function}"
    stack = f"{site}\n/app/install.py:20 install"
    threads = [trace.thread(f"install-{n}").native(0) for n in range(2)]
    at = 0
    for n, thread in enumerate(threads):
        at = MS
        for _ in range(pauses * (n + 1)):
            thread.enter(at, "sleep", "sleep", {"site": site, "stack": stack})
            thread.native(at + pause_ns - 10)
            at += pause_ns
        if not n:
            thread.sleep(at, site="/app/install.py:15 download")
    threads[0].native(at).end(at + MS)
    threads[1].end(at + MS)
    return trace.ended(at + 2 * MS)


def left(tmp_path, signal=9, holds=False):
    """`second` looks for a lock; `first`, which may have held it, was ended by a signal."""
    family = Family("deploy.py")
    main = family.first.thread("MainThread").native(0)
    first = family.fork(main, at=MS, pid=101, name="first")
    family.main(first).native(2 * MS).end(50 * MS)
    first.ended(50 * MS)
    family.ended(main, first, 51 * MS, signal=signal)
    site = "/app/filelock.py:9 FileLock.acquire"
    stack, at = f"{site}\n/app/deploy.py:20 deploy", 100 * MS
    for _ in range(30):
        main.enter(at, "sleep", "sleep", {"site": site, "stack": stack}).native(at + 40 * MS)
        at += 41 * MS + (100 * MS if holds else 0)
    main.end(at)
    family.first.ended(at + MS)
    return find(Facts(build_model(read_trace(family.write(tmp_path)))))


def test_a_lock_that_a_killed_process_left(tmp_path):
    (found,) = left(tmp_path)
    assert (found.finding, found.severity_ns) == ("slots never returned", 1_200 * MS)
    assert found.text == (
        "In `deploy.py`: Slots never returned: `MainThread` polls a lock of the program's own "
        "in `deploy` (deploy.py:20): 30 pauses between attempts, 1.20 s in total (at 100 ms). "
        "`first` was killed by SIGKILL (at 50.0 ms): it may have held it, and its lock file "
        "stays. Use `flock`, which ends with the process, or write the holder's pid into "
        "the file and check whether it still runs."
    )


@pytest.mark.parametrize(("signal", "holds"), [(15, False), (9, True)])
def test_a_lock_that_others_have(tmp_path, signal, holds):
    """A process that was asked to end gave it back; and who got it had it himself."""
    assert [one.finding for one in left(tmp_path, signal, holds)] == ["lock convoy"]


def test_a_lock_that_is_polled(tmp_path):
    (found,) = find_in(tmp_path, polled())
    assert found.finding == "lock convoy"
    assert found.text == (
        "Lock convoy: 2 threads `install-N` poll a lock of the program's own in `install` "
        "(install.py:20): 60 pauses between attempts, 1.20 s in total (at 1.00 ms). It is "
        "held for 400 ms, 99 % of that time asleep in `download` (install.py:15). Do the slow "
        "part outside the lock, or use a lock that wakes its waiters."
    )


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"function": "Monitor.run"}, id="it looks after something"),
        pytest.param({"pauses": 5}, id="little is lost"),
        pytest.param({"pauses": 1, "pause_ns": 200 * MS}, id="no polling"),
    ],
)
def test_no_lock_that_is_polled(tmp_path, story):
    assert kinds(tmp_path, polled(**story)) == []


def imported(ns=300 * MS, preempted=False, failed=False):
    """Two threads wait for the import of a third one, and the last is woken by the second."""
    trace = TraceBuilder(argv="jobs.py", signals=SIGNALS)
    threads = [trace.thread(f"job-{n}").native(0) for n in range(3)]
    lock, end = trace.lock("import", IMPORT), MS + ns
    for thread in threads[1:]:
        thread.lock_wait(MS, "import", lock=lock, site=IMPORT, acquired=not failed)
    if preempted:
        threads[0].preempted(MS)
    else:
        threads[0].sleep(MS, site="/app/sdk.py:2 <module>")
    for n, thread in enumerate(threads[:-1]):
        if n:
            thread.native(end)
        if not failed:
            thread.release(end + n, lock, to=threads[n + 1])
    for thread in threads:
        thread.native(end + 10).end(end + 20)
    return trace.ended(end + MS)


def test_a_slow_import(tmp_path):
    (found,) = find_in(tmp_path, imported())
    assert found.finding == "lock convoy"
    assert found.text == (
        "Lock convoy: 2 threads `job-N` in `call_api` (jobs.py:5) waited for an import: 2 "
        "waits, 600 ms in total, the longest 300 ms (at 1.00 ms), while `job-0` imported the "
        "module, 100 % of that time asleep in `<module>` (sdk.py:2). Import it when the "
        "program starts, before threads need it."
    )


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"ns": 200 * MS}, id="short"),
        pytest.param({"preempted": True}, id="the kernel has the CPU"),
        pytest.param({"failed": True}, id="in vain"),
    ],
)
def test_no_slow_import(tmp_path, story):
    assert kinds(tmp_path, imported(**story)) == []
