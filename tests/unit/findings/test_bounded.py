"""A permit for each job: workers that do not give theirs back leave none for the next job."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds


def bounded(vain=True, others=False, vain_ns=1_500 * MS):
    """`main` takes a permit for each job that it submits, of which two workers give seven of
    eight back: for the last one there is none."""
    trace = TraceBuilder(argv="bound.py", signals=SIGNALS)
    site, room = "/app/bound.py:15 submit", trace.lock("Semaphore", "/app/bound.py:15 submit")
    main, queue = trace.thread("MainThread").native(0), trace.lock("executor idle", "")
    web = trace.thread("web").native(0)
    workers = [trace.thread(f"convert_{n}") for n in range(2)]
    for turn in range(16):
        at, worker = (10 + 20 * turn) * MS, workers[turn % 2]
        by = (web if others else main).submits(at)
        worker.runs(at + MS, "convert", "/app/bound.py:19 convert", by=by)
        worker.sleep(at + MS, site="/app/bound.py:20 convert")
        if turn % 8 < 7:
            main.lock_wait(at + 2 * MS, "Semaphore", lock=room, site=site, stack=site)
            worker.release(at + 18 * MS, room, to=main)
            main.native(at + 18 * MS)
        worker.native(at + 18 * MS)
        worker.lock_wait(at + 19 * MS, "executor idle", lock=queue)
    at, end = 350 * MS, 350 * MS + vain_ns
    if vain:
        main.lock_wait(at, "Semaphore", lock=room, site=site, stack=site, acquired=False)
    main.native(end).end(end + 10 * MS)
    for thread in (web, *workers):
        thread.native(end).end(end + MS)
    return trace.ended(end + 20 * MS)


def test_permits_of_jobs_that_do_not_give_them_back(tmp_path):
    (found,) = find_in(tmp_path, bounded())
    assert found.text == (
        "Slots never returned: `MainThread` waited for a permit of a `Semaphore` in `submit` "
        "(bound.py:15) and gave up: 1 wait, 1.50 s (at 350 ms). Nobody gave one back in that "
        "time; `MainThread` held one last. A permit must be given back whatever happens: with "
        "`with`, or in a `finally`."
    )


@pytest.mark.parametrize(
    ("story", "found"),
    [
        pytest.param({"vain": False}, [], id="there is room in the end"),
        pytest.param({"vain_ns": 200 * MS}, [], id="little"),
        pytest.param({"others": True}, ["long waits"], id="jobs of somebody else"),
    ],
)
def test_permits_that_bound_jobs(tmp_path, story, found):
    assert kinds(tmp_path, bounded(**story)) == found
