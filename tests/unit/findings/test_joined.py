"""A process joins its child while it keeps the lock that the child waits for."""

import pytest

from tests.support.builder.family import Family
from tests.support.finding import MS
from viewer.analysis.findings import Facts, find
from viewer.trace.model import build_model
from viewer.trace.reader import read_trace

STOP, STORE = "/app/jobs.py:22 stop", "/app/jobs.py:16 store"
LIBRARY = "/usr/lib/python3.13/multiprocessing/"
JOIN = (
    f"{LIBRARY}popen_fork.py:41 Popen.wait\n{LIBRARY}process.py:149 BaseProcess.join\n{STOP}"
)
RECV = f"{LIBRARY}connection.py:1148 wait\n{LIBRARY}connection.py:395 Connection.recv\n{STOP}"
ENTER = f"{LIBRARY}synchronize.py:95 SemLock.__enter__\n{STORE}"


def joined(
    got_ns=1, join_ns=1_200 * MS, stack=JOIN, name="multiprocessing.SemLock.__enter__",
    within=ENTER, other_ended=False,
):  # fmt: skip
    """`got_ns`: how long after the join the child gets the lock; `other_ended`: what was
    joined was another child, which ended."""
    family = Family("jobs.py")
    main = family.first.thread("MainThread").native(0)
    child = family.fork(main, at=MS, pid=101, name="worker-1")
    worker = family.main(child).native(2 * MS)
    end = 10 * MS + join_ns
    main.io(10 * MS, "select.poll.poll", site=STOP, stack=stack).native(end)
    worker.io(20 * MS, name, site=STORE, stack=within).native(end + got_ns)
    if other_ended:
        sibling = family.fork(main, at=MS, pid=102, name="worker-2")
        family.main(sibling).native(2 * MS).end(end - MS)
        sibling.ended(end - MS)
    last = end + max(got_ns, 0) + 5 * MS
    worker.end(last)
    child.ended(last)
    main.end(last + MS)
    family.first.ended(last + MS)
    return family


def told(tmp_path, family):
    return find(Facts(build_model(read_trace(family.write(tmp_path)))))


@pytest.mark.parametrize("name", ["multiprocessing.SemLock.__enter__", "fcntl.flock"])
def test_a_join_under_the_childs_lock(tmp_path, name):
    (found,) = told(tmp_path, joined(name=name))
    assert found.finding == "deadlock"
    assert found.text == (
        "Deadlock at 20.0 ms, for 1.19 s: `jobs.py` in `stop` (jobs.py:22) "
        f"waits in `Process.join` for the end of `worker-1`, which waits in `{name}` in "
        "`store` (jobs.py:16) for a lock between processes. It got the lock only when "
        "`jobs.py`, which held it, stopped waiting. Release the lock before waiting for the "
        "child."
    )
    assert found.evidence.site == STORE


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"got_ns": -300 * MS}, id="somebody else had it"),
        pytest.param({"got_ns": 300 * MS}, id="it got the lock later"),
        pytest.param({"stack": RECV}, id="no join"),
        pytest.param({"other_ended": True}, id="the join of another one succeeded"),
    ],
)
def test_another_wait_for_the_lock(tmp_path, story):
    (found,) = told(tmp_path, joined(**story))
    assert found.finding == "lock convoy"


def test_a_short_join(tmp_path):
    assert told(tmp_path, joined(join_ns=300 * MS)) == ()


MESSAGE = f"{LIBRARY}connection.py:395 Connection._recv\n{STORE}"


def test_a_join_before_the_message(tmp_path):
    (found,) = told(tmp_path, joined(name="os.read", within=MESSAGE))
    assert found.finding == "deadlock"
    assert found.text == (
        "Deadlock at 20.0 ms, for 1.19 s: `jobs.py` in `stop` (jobs.py:22) "
        "waits in `Process.join` for the end of `worker-1`, which waits in `os.read` in "
        "`store` (jobs.py:16) for a message. That came only when `jobs.py` stopped "
        "waiting. Send what the child needs before waiting for its end."
    )


SEND = f"{LIBRARY}connection.py:384 Connection._send\n{STORE}"


def test_a_join_before_the_message_is_read(tmp_path):
    (found,) = told(tmp_path, joined(name="os.write", within=SEND))
    assert found.finding == "full pipe"
    assert found.text == (
        "Full pipe at 20.0 ms, for 1.19 s: `jobs.py` in `stop` (jobs.py:22) waits in "
        "`Process.join` for the end of `worker-1`, which waits in `os.write` in `store` "
        "(jobs.py:16) for a reader. `jobs.py` read only when it stopped waiting. Read all "
        "that the child sends (`get` from its queue), then wait for its end."
    )


@pytest.mark.parametrize(
    "wait",
    [
        pytest.param({"name": "os.read", "within": MESSAGE}, id="for a message"),
        pytest.param({"name": "os.write", "within": SEND}, id="for a reader"),
    ],
)
@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"got_ns": 300 * MS}, id="it came later"),
        pytest.param({"got_ns": -300 * MS}, id="somebody else at the other end"),
        pytest.param({"stack": RECV}, id="no join"),
        pytest.param({"within": STORE}, id="a file"),
        pytest.param({"join_ns": 300 * MS}, id="a short join"),
        pytest.param({"other_ended": True}, id="the join of another one succeeded"),
    ],
)
def test_another_wait_for_the_other_end(tmp_path, wait, story):
    found = told(tmp_path, joined(**(wait | story)))
    assert not any("for the end of" in one.text for one in found)
