"""Slots whose holders wait for those who wait for a slot."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in

WAIT, RESULT = "/app/album.py:7 resize", "/app/album.py:12 resize_all"


def albums(patience=900 * MS, waits_from=50 * MS, for_own=True, gives_up=True):
    """Two threads have the permits and wait for jobs that need one; the first job gives up."""
    trace = TraceBuilder(argv="album.py", signals=SIGNALS)
    permits = trace.lock("Semaphore", WAIT)
    results = [trace.lock("Future.result", RESULT) for _ in range(2)]
    holders = [trace.thread(f"album-{n}").native(0) for n in range(2)]
    jobs = [trace.thread(f"resize_{n}").native(0) for n in range(2)]
    other = trace.thread("other").native(0)
    for n in range(2):
        holders[n].lock_wait(waits_from + n, "Future.result", lock=results[n], site=RESULT)
        jobs[n].lock_wait(
            50 * MS + 10 + n, "Semaphore", lock=permits, site=WAIT,
            acquired=bool(n) or not gives_up,
        )  # fmt: skip
    end = 50 * MS + patience
    if not gives_up:
        other.release(end - MS, permits, to=jobs[0])
    jobs[0].native(end)
    (jobs[0] if for_own else other).release(end + 1, results[0], to=holders[0])
    holders[0].native(end + 2).release(end + 3, permits, to=jobs[1])
    jobs[1].native(end + 4).release(end + 5, permits)
    jobs[1].release(end + 6, results[1], to=holders[1])
    holders[1].native(end + 7).release(end + 8, permits)
    for thread in (*holders, *jobs, other):
        thread.end(end + MS)
    return trace.ended(end + 2 * MS)


def test_holders_that_wait_for_a_waiter(tmp_path):
    (found,) = find_in(tmp_path, albums())
    assert found.finding == "deadlock"
    assert found.severity_ns == 1_799_999_983
    assert found.text == (
        "Deadlock: `album-0` had a permit of a `Semaphore` and waited in `Future.result` in "
        "`resize_all` (album.py:12) for `resize_0`, which waited for one itself in `resize` "
        "(album.py:7): that ended only when it gave up after 900 ms. All waits for a permit "
        "in `resize` (album.py:7) lost 1.80 s in total, the longest 900 ms (at 50.0 ms). Give "
        "the permit back before such a wait, or let what is waited for do without one."
    )
    assert found.evidence.site == WAIT


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"patience": 190 * MS}, id="it only asks whether there is one"),
        pytest.param({"waits_from": 300 * MS}, id="the holder waits for it later"),
        pytest.param({"for_own": False}, id="the holder waits for somebody else"),
        pytest.param({"gives_up": False}, id="it gets one in the end"),
    ],
)
def test_holders_that_wait_for_others(tmp_path, story):
    assert "deadlock" not in [one.finding for one in find_in(tmp_path, albums(**story))]
