"""The heavy functions on columns made by hand: right answers, and no trust in their input."""

import random
from array import array

import pytest

from tests.support.engines import ENGINES, plain
from viewer.trace.engine import BEST, HAS_NATIVE, in_python


def column(code, values):
    return memoryview(array(code, values))


@pytest.mark.parametrize("engine", ENGINES)
def test_stats_of_each_key(engine):
    """Each key has its own statistics; -1 has none; of equal longest, the first."""
    start = column("q", [0] * 6)
    end = column("q", [5, 10, 20, 7, 20, 30])
    key = column("i", [0, 1, 1, -1, 1, 1])
    stats = engine.grouped_stats(start, end, key, 3)
    assert plain(stats) == {
        "count": [1, 4, 0],
        "total": [5, 80, 0],
        "p50": [5, 20, 0],
        "p90": [5, 27, 0],
        "p99": [5, 30, 0],
        "max": [5, 30, 0],
        "longest": [0, 5, -1],
    }


@pytest.mark.skipif(
    not HAS_NATIVE, reason="needs the C decoder, which was not built: install a C compiler"
)
@pytest.mark.parametrize("seed", range(5))
def test_stats_twins(seed):
    """Both makes agree on many random durations, equal and huge ones among them."""
    choose = random.Random(seed)
    n = 3_000
    end = column("q", [choose.choice([0, 7, choose.randrange(1 << 62)]) for _ in range(n)])
    key = column("i", [choose.randrange(-1, 6) for _ in range(n)])
    start = column("q", [0] * n)
    assert plain(BEST.grouped_stats(start, end, key, 6)) == plain(
        in_python().grouped_stats(start, end, key, 6)
    )


@pytest.mark.skipif(
    not HAS_NATIVE, reason="needs the C decoder, which was not built: install a C compiler"
)
@pytest.mark.parametrize("seed", range(5))
def test_order_twins(seed):
    """Both makes put events in the same order, however unsorted and however equal."""
    choose = random.Random(seed)
    n = 2_000
    time = column("q", [i + choose.choice([0, 0, 0, -500, 900]) for i in range(n)])
    kind = column("B", [choose.randrange(1, 5) for _ in range(n)])
    track = column("i", [choose.randrange(5) for _ in range(n)])
    process = column("i", [0, 0, 1, -1, 1])
    assert plain(BEST.pair(time, kind, track, process, 2)) == plain(
        in_python().pair(time, kind, track, process, 2)
    )


@pytest.mark.skipif(
    not HAS_NATIVE, reason="needs the C decoder, which was not built: install a C compiler"
)
def test_bad_columns_are_refused():
    """The C functions check every length and index: they raise and never read outside."""
    q, i, b = column("q", [1, 2]), column("i", [0, 9]), column("B", [1, 1])
    short = column("i", [0])
    for call, wrong in [
        (lambda: BEST.pair(q, b, i, short, 1), ValueError),
        (lambda: BEST.pair(q, b, short, short, 1), ValueError),
        (lambda: BEST.pair(q, b, q, short, 1), TypeError),
        (lambda: BEST.grouped_stats(q, q, i, 3), ValueError),
        (lambda: BEST.grouped_stats(q, q, short, 3), ValueError),
        (lambda: BEST.keyed_sums(q, q, short, q), ValueError),
        (lambda: BEST.gather(i, short, short), ValueError),
        (lambda: BEST.group_keys(b, i, short, 1), ValueError),
        (lambda: BEST.assign(*[i] * 7, b, q, i, i, b), ValueError),
        (lambda: BEST.assign(i), TypeError),
    ]:
        with pytest.raises(wrong):
            call()
