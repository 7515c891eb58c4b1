"""Tiny jobs of a thread pool that a task awaits one by one."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds

READS = "/app/load.py:14 load"
LINE = ("readline", "/app/load.py:3 readline")
US = 1_000


def lines(count=1_100, take_ns=500 * US, work_ns=50 * US):
    """`load` awaits a job for each line, which works for a part of the time that it takes."""
    trace = TraceBuilder(argv="load.py", signals=SIGNALS)
    main = trace.thread("MainThread").native(0)
    worker = trace.thread("asyncio_0")
    loop = trace.loop(main)
    load = loop.task("load", site="/app/load.py:9 load").ready(0).running(1)
    idle = trace.lock("executor idle", "")
    now = 10
    for _ in range(count):
        source = load.state
        load.awaits(now, "executor", site=READS)
        begun = now + (take_ns - work_ns) // 2
        worker.runs(begun, *LINE, by=source).native(begun)
        worker.lock_wait(begun + work_ns, "executor idle", lock=idle, site="")
        now += take_ns
        load.ready(now, waker="thread").running(now + 10)
        now += 100
    load.done(now)
    main.end(now + MS)
    worker.end(now + MS)
    return trace.ended(now + 2 * MS)


def test_tiny_jobs(tmp_path):
    (found,) = find_in(tmp_path, lines())
    assert found.finding == "awaits in turn"
    assert found.text == (
        "Awaits in turn: `load` in `load` (load.py:14) awaits 1,100 jobs of a thread pool, "
        "mostly `readline` (load.py:3), one after the other: 550 ms (at 10 ns), 90 % of it "
        "the way to the thread and back. Hand over more at once: all of it, or a block, in "
        "one job (`asyncio.to_thread`)."
    )
    assert found.evidence.site == READS


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"count": 900}, id="some"),
        pytest.param({"take_ns": 400 * US}, id="little is lost"),
        pytest.param({"work_ns": 300 * US}, id="mostly work"),
        pytest.param({"take_ns": 1_200 * US}, id="jobs that take a while"),
    ],
)
def test_others(tmp_path, story):
    assert kinds(tmp_path, lines(**story)) == []
