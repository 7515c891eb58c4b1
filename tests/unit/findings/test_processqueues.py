"""Queues between processes whose reader is slower than those who put."""

import pytest

from tests.support.builder.family import Family
from tests.support.finding import MS, SIGNALS, find_in, kinds

DECODE, TRAIN = "/app/load.py:10 decode", "/app/load.py:14 train"
PUT = "/usr/lib/python3.13/multiprocessing/queues.py:87 Queue.put\n"
LATER = MS // 10


def loaded(producers=3, items=20, each_ns=40 * MS, library=PUT, reads=1, late_ns=LATER):
    """Who reads sleeps for each item; then the next one of those who put goes on."""
    run = Family("load.py", pid=100, signals=SIGNALS)
    main = run.first.thread("MainThread", 100).native(0)
    children = [run.fork(main, MS, 101 + n, name=f"decode-{n}") for n in range(producers)]
    threads = [run.main(child).native(2 * MS) for child in children]
    wait = "multiprocessing.SemLock.acquire"
    for thread in threads:
        thread.io(3 * MS, wait, site=DECODE, stack=library + DECODE)
    end = 3 * MS
    for n in range(items):
        begins, end = end, end + each_ns
        if n % reads == 0:
            main.sleep(begins, site=TRAIN).native(end)
        thread, at = threads[n % producers], end + late_ns
        thread.native(at)
        if n + producers < items:
            thread.io(at + 1, wait, site=DECODE, stack=library + DECODE)
        else:
            thread.end(at + 2)
    for child in children:
        child.ended(end + 30 * MS)
    main.end(end + 31 * MS)
    run.first.ended(end + 32 * MS)
    return run


def test_one_reader_for_three(tmp_path):
    (found,) = find_in(tmp_path, loaded())
    assert found.finding == "slow consumer"
    assert found.text == (
        "Slow consumer: `decode-0`, `decode-1` and 1 other process waited for room in a queue "
        "between processes in `decode` (load.py:10): 20 waits in `Queue.put`, 2.28 s in "
        "total, the longest 120 ms (at 3.00 ms). `MainThread` of `load.py` goes on just "
        "before each ends, so most likely it empties the queue, 99 % of that time asleep in "
        "`train` (load.py:14). If they should not wait, take several items at once, use more "
        "consumers, or drop what has no room."
    )
    assert (found.evidence.site, found.behind, found.processes) == (DECODE, TRAIN, 3)


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"producers": 2}, id="a pipeline"),
        pytest.param({"items": 5}, id="little is lost"),
        pytest.param({"library": ""}, id="no queue"),
        pytest.param({"reads": 2}, id="another one reads"),
        pytest.param({"late_ns": 20 * MS}, id="something else ends them"),
        pytest.param({"each_ns": 8 * MS, "items": 60}, id="it may be chance"),
    ],
)
def test_waits_that_are_for_nobody_known(tmp_path, story):
    assert "slow consumer" not in kinds(tmp_path, loaded(**story))
