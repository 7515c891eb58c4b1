"""Pools of processes that end while somebody waits for a result of theirs."""

import pytest

from tests.support.builder.family import Family
from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in

COLLECT = "/app/pages.py:19 collect"
PYTHON, EXPORT = "/usr/lib/python3.13/", "/app/pages.py:23 export"
WAITS = f"{PYTHON}multiprocessing/pool.py:768 ApplyResult.get\n{EXPORT}"
ENDS = f"{PYTHON}multiprocessing/pool.py:690 Pool._terminate_pool\n/app/pages.py:17 on_hangup"


def waits_for_a_pool(terminates=True, inside=True):
    """`export` waits for a result, a signal handler ends the pool, and the wait goes on."""
    trace = TraceBuilder(argv="pages.py", signals=SIGNALS)
    main, result = trace.thread("MainThread").native(0), trace.lock("AsyncResult.get", EXPORT)
    for since, until in ((10 * MS, 300 * MS), (306 * MS, 1_800 * MS)):
        main.lock_wait(
            since, "AsyncResult.get", lock=result, site=EXPORT, acquired=False, stack=WAITS
        )
        main.native(until)
        if since == 10 * MS:
            stack = ENDS if terminates else "/app/pages.py:17 on_hangup"
            stack += f"\n{WAITS}" if inside else f"\n{EXPORT}"
            main.io(301 * MS, "os.write", site="/app/pages.py:17 on_hangup", stack=stack)
            main.native(305 * MS)
    main.end(1_810 * MS)
    return trace.ended(1_811 * MS)


def test_a_signal_handler_ends_the_pool(tmp_path):
    (found,) = find_in(tmp_path, waits_for_a_pool())
    assert found.finding == "wait in vain"
    assert found.text == (
        "Waited in vain: `MainThread` in `export` (pages.py:23) gave up 1 wait in "
        "`AsyncResult.get`, 1.79 s (at 10.0 ms); the pool had "
        "been terminated in `on_hangup` (pages.py:17) (at 301 ms). Look at what should have "
        "ended it, and whether it was ever started."
    )


@pytest.mark.parametrize(
    ("story", "said"),
    [
        ({"terminates": False}, "gave up 1 wait in `AsyncResult.get`"),
        ({"inside": False}, "gave up 2 waits in `AsyncResult.get`"),
    ],
)
def test_what_ran_between_two_waits(tmp_path, story, said):
    (found,) = find_in(tmp_path, waits_for_a_pool(**story))
    assert said in found.text
    assert ("terminated" in found.text) == story.get("terminates", True)


def used_up(ends=200, others=0):
    """`collect` has the results of two jobs, and waits in vain for the third one; the worker
    had ended, or ends late. `others`: workers that live on."""
    family = Family("/app/pages.py")
    main = family.first.thread("MainThread", 100).native(0)
    workers = [(101, ends), *((102 + n, 2_000) for n in range(others))]
    for pid, until in workers:
        child = family.fork(main, (pid - 100) * MS, pid, name=f"Worker-{pid - 100}")
        family.main(child).native(10 * MS).end((until - 1) * MS)
        at = 20 + pid - 101
        job = family.job(1, "page", main, at * MS, COLLECT)
        job.run(child, (at + 10) * MS, (at + 20) * MS).received(main, (at + 30) * MS)
        child.ended(until * MS)
        if until < 2_000:
            family.ended(main, child, until * MS + 1, status=0)
    lock = family.first.lock("Future.result", COLLECT)
    for since, until, acquired in ((60, 80, True), (210, 1_710, False)):
        main.lock_wait(since * MS, "Future.result", lock=lock, site=COLLECT, acquired=acquired)
        main.native(until * MS)
    main.end(1_720 * MS)
    family.first.ended(1_721 * MS)
    return family


def test_the_last_worker_had_ended(tmp_path):
    (found,) = find_in(tmp_path, used_up())
    assert found.finding == "wait in vain"
    assert (
        "gave up 1 wait in `Future.result`, 1.50 s (at 210 ms); "
        "`Worker-1`, the last process of its pool, had ended (at 200 ms), and no other one "
        "was started."
    ) in found.text


@pytest.mark.parametrize("story", [{"ends": 1_600}, {"others": 1}])
def test_a_worker_is_left(tmp_path, story):
    assert "last process of its pool" not in " ".join(
        one.text for one in find_in(tmp_path, used_up(**story))
    )
