"""Permits between processes."""

import pytest

from tests.support.builder.family import Family
from tests.support.finding import MS, SIGNALS, find_in, kinds

FETCH, DOWNLOAD = "/app/get.py:12 fetch", "/app/get.py:8 download"
INSIDE = f"{DOWNLOAD}\n/app/get.py:14 fetch"
LOCK = "/usr/lib/python3.13/multiprocessing/synchronize.py:95 SemLock.__enter__\n"


def fetched(slots=2, jobs=6, hold_ns=300 * MS, inside=INSIDE, name="acquire", outside=""):
    """Processes want one of the permits at 5 ms, and each has it for a while."""
    run = Family("get.py", pid=100, signals=SIGNALS)
    main, end = run.first.thread("MainThread", 100).native(0), 0
    stack = (LOCK if name == "__enter__" else "") + FETCH
    for n in range(jobs):
        child = run.fork(main, MS, 101 + n, name=f"get-{n}")
        begins = 5 * MS + n // slots * hold_ns
        thread = run.main(child).native(2 * MS)
        if begins > 5 * MS:
            thread.io(5 * MS, f"multiprocessing.SemLock.{name}", site=FETCH, stack=stack)
        end = begins + hold_ns
        if outside:  # it does so when it has left the function
            thread.native(begins + 1).io(
                begins + 2, "socket.recv", site=outside, stack=outside
            )
        else:
            thread.io(begins, "socket.recv", site=DOWNLOAD, stack=inside)
        thread.native(end).end(end + 1)
        child.ended(end + 2)
    main.end(end + 3)
    run.first.ended(end + 4)
    return run


def test_two_at_a_time(tmp_path):
    found = find_in(tmp_path, fetched())[0]
    assert (found.finding, found.severity_ns) == ("pool exhausted", 1_800 * MS)
    assert found.text == (
        "Pool exhausted: `get-2`, `get-3` and 2 other processes wait in "
        "`multiprocessing.SemLock.acquire` in `fetch` (get.py:12) for one of 2 permits "
        "between processes: 4 waits, 1.80 s in total, the longest 600 ms (at 5.00 ms). Those "
        "who were past that line spent 100 % of that time in `socket.recv` in `download` "
        "(get.py:8). Give it back before doing something else, or raise their number."
    )
    assert (found.evidence.site, found.behind) == (FETCH, DOWNLOAD)


def test_a_lock_acquired_by_hand(tmp_path):
    found = find_in(tmp_path, fetched(slots=1, jobs=4))[0]
    assert found.finding == "lock convoy"
    assert "`fetch` (get.py:12) for a lock between processes: 3 waits, 1.80 s" in found.text


def test_with_semaphore(tmp_path):
    found = find_in(tmp_path, fetched(name="__enter__"))[0]
    assert (
        "`multiprocessing.SemLock.__enter__` in `fetch` (get.py:12) for one of 2" in found.text
    )


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"hold_ns": 50 * MS}, id="little is lost"),
        pytest.param({"outside": "/app/get.py:30 work"}, id="a signal of others"),
        pytest.param({"inside": f"{DOWNLOAD}\n/app/other.py:14 fetch"}, id="another function"),
        pytest.param({"jobs": 2}, id="there is one for each"),
    ],
)
def test_waits_that_are_for_no_permit(tmp_path, story):
    assert "pool exhausted" not in kinds(tmp_path, fetched(**story))
