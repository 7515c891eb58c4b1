"""How many slots a pool has, as far as waits for them tell."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in

TAKE, USE = "/app/feed.py:17 borrow", "/app/feed.py:27 backoff"


def permits(unseen=False):
    """Two permits go from two threads to two others, and back while somebody always waits.

    `unseen`: then they are given back while nobody waits; two others, who never waited, have
    them, and give them to the second two again.
    """
    trace = TraceBuilder(argv="feed.py", signals=SIGNALS)
    lock = trace.lock("Semaphore", TAKE)
    first, second = (
        [trace.thread(f"sync-{n}").native(0) for n in pair] for pair in ((0, 1), (2, 3))
    )
    others = [trace.thread(f"page-{n}").native(0) for n in range(2)]

    def hand_over(givers, takers, start_ms):
        for n, taker in enumerate(takers):
            taker.lock_wait((start_ms + n) * MS, "Semaphore", lock=lock, site=TAKE)
        for n, (giver, taker) in enumerate(zip(givers, takers, strict=True)):
            got = (start_ms + 300 + 50 * n) * MS
            giver.release(got, lock, to=taker)
            taker.sleep(got, site=USE)
            yield giver, got + MS

    for giver, at in hand_over(first, second, 10):
        giver.lock_wait(at, "Semaphore", lock=lock, site=TAKE)
    for n, (giver, taker) in enumerate(zip(second, first, strict=True)):
        got = (610 + 50 * n) * MS
        giver.release(got, lock, to=taker)
        taker.sleep(got, site=USE)
        giver.native(got + MS)
    if unseen:
        list(hand_over(others, second, 1010))
    for thread in (*first, *second, *others):
        thread.end(2100 * MS)
    return trace.ended(2101 * MS)


@pytest.mark.parametrize(
    ("unseen", "said"),
    [
        pytest.param(False, "share 2 permits of a `Semaphore`", id="all hand-overs are seen"),
        pytest.param(True, "share at least 2 permits of a `Semaphore`", id="some are not"),
    ],
)
def test_how_many_are_told(tmp_path, unseen, said):
    found = find_in(tmp_path, permits(unseen))
    assert [one.finding for one in found] == ["pool exhausted"]
    assert said in found[0].text
