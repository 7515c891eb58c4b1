"""Processes that all wait for room in their queues; and others that only look so."""

import pytest

from tests.support.builder.family import Family
from tests.support.finding import MS
from viewer.analysis.findings import Facts, Finding, find
from viewer.trace.model import build_model
from viewer.trace.reader import read_trace

FEED, WORK = "/app/resize.py:20 feed", "/app/resize.py:12 resize"
PUT = "/lib/python3.13/multiprocessing/queues.py:87 Queue.put"


def find_in(tmp_path, family: Family) -> tuple[Finding, ...]:
    return find(Facts(build_model(read_trace(family.write(tmp_path)))))


def pipeline(call="SemLock.acquire", within=PUT, ns=700 * MS, works=-1):
    """A process waits in a call, and its two children do; or one of them works."""
    family = Family("/app/resize.py")
    main = family.first.thread("MainThread", 100).native(0)
    children = [family.fork(main, (n + 1) * MS, 101 + n) for n in range(2)]
    end = 20 * MS + ns
    for n, child in enumerate(children):
        thread = family.main(child).native(3 * MS + n)
        if n != works:
            thread.io(10 * MS, "multiprocessing.SemLock.acquire", site=WORK)
        thread.native(end).end(end + MS)
        child.ended(end + MS)
    main.io(15 * MS, f"multiprocessing.{call}", site=FEED, stack=f"{within}\n{FEED}")
    main.native(end).end(end + 2 * MS)
    family.first.ended(end + 3 * MS)
    return family


def test_all_wait_for_room(tmp_path):
    (found,) = find_in(tmp_path, pipeline())
    assert found.finding == "deadlock"
    assert found.text == (
        "In `resize.py`: Deadlock at 15.0 ms, for 705 ms: `MainThread` in `feed` "
        "(resize.py:20) waits for room in a queue between processes, while `child 1` and "
        "`child 2` wait for room in theirs in `resize` (resize.py:12): nobody takes anything "
        "out. Take results out while you put work in (a thread can do one of both), or give "
        "one of the queues no bound."
    )
    assert (found.evidence.pid, found.evidence.site) == (100, FEED)


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"ns": 450 * MS}, id="not for long"),
        pytest.param({"works": 1}, id="one of them works"),
        pytest.param({"within": "/app/pool.py:3 Slots.take"}, id="a semaphore"),
        pytest.param({"call": "SemLock.__enter__"}, id="a lock"),
    ],
)
def test_slow_consumers(tmp_path, story):
    found = find_in(tmp_path, pipeline(**story))
    assert not [one for one in found if one.text.startswith("Deadlock")]
    assert not [one for one in found if "room in a queue" in one.text]
