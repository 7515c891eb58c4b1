"""Locks outside of the program that its threads poll."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds

PACKAGES = "/venv/lib/python3.13/site-packages"
REBUILD = "/app/jobs.py:9 rebuild"


def sleeps(thread, at, stack):
    return thread.enter(at, "sleep", "sleep", {"site": REBUILD, "stack": stack})


def redis(
    pauses=8, path="redis/lock.py", answers=True, ends=0, gives_up=False, took=True,
    asleep="/app/jobs.py:10 rebuild",
):  # fmt: skip
    """`owner` has the lock, asleep; two workers ask for it every 100 ms. `ends`: the owner
    does then, without a release. `gives_up`: somebody else asks once, and ends. `took`: the
    trace has the call in which the owner took it."""
    trace = TraceBuilder(argv="jobs.py", signals=SIGNALS)
    owner, end = trace.thread("owner"), 10 * MS + pauses * 100 * MS
    lock = f"{PACKAGES}/{path}"
    taken = f"{lock}:250 Lock.do_acquire\n{lock}:220 Lock.acquire\n{REBUILD}"
    given = f"{lock}:300 Lock.do_release\n{lock}:290 Lock.release\n{REBUILD}"
    if took:
        owner.io(0, "socket.recv", site=REBUILD, stack=taken).native(MS)
    owner.sleep(2 * MS, site=asleep)
    if ends:
        owner.native(ends).end(ends + MS)
    else:
        owner.io(end - 5 * MS, "socket.recv", site=REBUILD, stack=given).native(end)
        owner.end(end + MS)
    if gives_up:
        other = trace.thread("other").native(0)
        other.io(20 * MS, "socket.recv", site=REBUILD, stack=taken).native(21 * MS)
        other.end(22 * MS)
    for n in range(2):
        thread = trace.thread(f"worker-{n}").native(0)
        for at in range(10 * MS, end, 100 * MS):
            if answers:
                thread.io(at, "socket.recv", site=REBUILD, stack=taken)
            sleeps(thread, at + MS, f"{lock}:240 Lock.acquire\n{REBUILD}")
            thread.native(at + 99 * MS)
        thread.end(end + MS)
    return trace.ended(end + 2 * MS)


MORE_OFTEN = (
    "if it is held for less than a pause, poll more often (`poll_interval` of filelock)"
)


@pytest.mark.parametrize(
    ("path", "name", "less"),
    [
        ("redis/lock.py", "redis lock", "lock less per key"),
        ("diskcache/recipes.py", "diskcache lock", "lock less per key"),
        ("filelock/_api.py", "file lock", MORE_OFTEN),
    ],
)
def test_a_polled_lock(tmp_path, path, name, less):
    (found,) = find_in(tmp_path, redis(path=path))
    assert found.finding == "lock convoy"
    assert found.text == (
        f"Lock convoy: 2 threads `worker-N` poll a {name} in `rebuild` (jobs.py:9): 16 pauses "
        "between attempts, 1.57 s in total (at 11.0 ms). It is held for 804 ms on average, 99 "
        "% of that time asleep in `rebuild` (jobs.py:10), by `owner`. Do the slow "
        f"part outside the lock, or {less}."
    )
    assert found.evidence.site == REBUILD
    assert found.about == {"worker-0 in rebuild", "worker-1 in rebuild"}


FILELOCK = {"path": "filelock/_api.py", "took": False}


def test_who_is_further_on_has_the_lock(tmp_path):
    (found,) = find_in(tmp_path, redis(**FILELOCK))
    assert (
        "`owner` was further on in `rebuild` meanwhile, 100 % of that time asleep in "
        "`rebuild` (jobs.py:10): it holds the lock."
    ) in found.text


@pytest.mark.parametrize("asleep", ["/app/jobs.py:5 rebuild", "/app/jobs.py:10 other"])
def test_nobody_is_seen_to_have_the_lock(tmp_path, asleep):
    (found,) = find_in(tmp_path, redis(**FILELOCK, asleep=asleep))
    assert "Nobody in the trace holds it for long" in found.text


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"pauses": 2}, id="little"),
        pytest.param({"path": "mine/lock.py"}, id="another library's pauses"),
    ],
)
def test_no_polled_lock(tmp_path, story):
    assert kinds(tmp_path, redis(**story)) == []


def test_a_polled_lock_whose_owner_has_ended(tmp_path):
    (found,) = find_in(tmp_path, redis(ends=100 * MS))
    assert found.finding == "slots never returned"
    assert found.text == (
        "Slots never returned: `owner` took a redis lock in `rebuild` (jobs.py:9) (at 0), and "
        "ended without giving it back. 2 threads `worker-N` polled it for 708 ms after that, "
        "1.57 s in total, until its own time ran out or they gave up. Use `with`, or release "
        "it in a `finally`."
    )


def test_a_lock_that_was_taken_at_another_line(tmp_path):
    """It is the same one where nobody else has one of the kind meanwhile."""
    trace = TraceBuilder(argv="jobs.py", signals=SIGNALS)
    lock, clone, update = f"{PACKAGES}/redis/lock.py", "/app/jobs.py:4 clone", REBUILD
    asks = f"{lock}:250 Lock.do_acquire\n{lock}:220 Lock.acquire\n"
    owner, waiter = trace.thread("cloner").native(0), trace.thread("MainThread").native(0)
    owner.io(MS, "socket.recv", site=clone, stack=asks + clone).native(2 * MS).end(50 * MS)
    for at in range(100 * MS, 900 * MS, 100 * MS):
        waiter.io(at, "socket.recv", site=update, stack=asks + update)
        sleeps(waiter, at + MS, f"{lock}:240 Lock.acquire\n{update}").native(at + 99 * MS)
    (found,) = find_in(tmp_path, trace.ended(902 * MS))
    assert found.finding == "slots never returned"
    assert "`cloner` took a redis lock in `clone` (jobs.py:4)" in found.text


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"ends": 600 * MS}, id="it ends late"),
        pytest.param({"gives_up": True}, id="another one asked once and gave up"),
    ],
)
def test_a_polled_lock_that_is_given_back(tmp_path, story):
    assert kinds(tmp_path, redis(**story)) == ["lock convoy"]


@pytest.mark.parametrize("others", [0, 1])
def test_its_caller_may_have_the_lock(tmp_path, others):
    """Where nobody else ever asks for it."""
    trace = TraceBuilder(argv="state.py", signals=SIGNALS)
    lock = f"{PACKAGES}/filelock/_api.py:240 BaseFileLock.acquire"
    stack = f"{lock}\n{REBUILD}\n/app/jobs.py:30 register\n/app/jobs.py:40 <module>"
    for n in range(1 + others):
        thread = trace.thread(f"worker-{n}").native(0)
        for at in range(10 * MS, 910 * MS, 100 * MS):
            sleeps(thread, at, stack)
            thread.native(at + 99 * MS)
        thread.end(920 * MS)
    (found,) = find_in(tmp_path, trace.ended(930 * MS))
    told = (
        "or `register` (jobs.py:30), which called that, has it, by a lock object of its own."
    )
    assert (told in found.text) is (not others)
