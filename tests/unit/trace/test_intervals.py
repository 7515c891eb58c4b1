"""Long intervals, gaps, spans, distributions: right answers in both versions."""

import random
from array import array

import pytest

from tests.support.engines import ENGINES, plain
from viewer.trace.engine import BEST, HAS_NATIVE, in_python


def column(code, values):
    return memoryview(array(code, values))


@pytest.mark.parametrize("engine", ENGINES)
def test_longer(engine):
    """Rows with a mark that last long enough; exactly so long is enough."""
    start, end = column("q", [0, 0, 5, 9]), column("q", [10, 9, 15, 30])
    found = engine.longer(start, end, column("B", [1, 1, 7, 0]), 10)
    assert found.tolist() == [0, 2]
    assert engine.longer(start, end, column("B", [1] * 4), 0).tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("engine", ENGINES)
def test_gaps(engine):
    """Between intervals of one key; what is nested or overlaps covers."""
    start = column("q", [0, 2, 5, 20, 40, 41])
    end = column("q", [10, 4, 30, 25, 41, 50])
    key = column("i", [0, 0, 1, 0, 0, -1])
    assert plain(engine.gaps(start, end, key, 2, 10)) == {
        "key": [0, 0], "start_ns": [10, 25], "end_ns": [20, 40],
    }  # fmt: skip
    assert plain(engine.gaps(start, end, key, 2, 11))["start_ns"] == [25]


@pytest.mark.parametrize("engine", ENGINES)
def test_spans(engine):
    """First and last row by begin; the end may be another row's."""
    key = column("i", [1, -1, 1, 1, 0])
    assert plain(engine.spans(column("q", [5, 99, 50, 8, 3]), key, 3)) == {
        "first": [4, 0, -1], "last": [4, 3, -1], "end_ns": [3, 50, 0],
    }  # fmt: skip


@pytest.mark.parametrize("engine", ENGINES)
def test_histogram(engine):
    """A bound belongs to the bucket above it."""
    start, end = column("q", [0] * 7), column("q", [0, 9, 10, 11, 20, 99, 10])
    key, bounds = column("i", [0, 0, 0, 0, 0, 0, 1]), column("q", [10, 20])
    assert engine.histogram(start, end, key, bounds, 2).tolist() == [2, 2, 2, 0, 1, 0]
    assert engine.histogram(start, end, key, column("q", []), 2).tolist() == [6, 1]


@pytest.mark.skipif(
    not HAS_NATIVE, reason="needs the C decoder, which was not built: install a C compiler"
)
@pytest.mark.parametrize("seed", range(5))
def test_twins(seed):
    """Both makes agree on random intervals."""
    choose = random.Random(seed)
    n = 500
    start = column("q", sorted(choose.randrange(10_000) for _ in range(n)))
    end = column("q", [at + choose.randrange(200) for at in start])
    key = column("i", [choose.randrange(-1, 4) for _ in range(n)])
    mark = column("B", [choose.randrange(3) for _ in range(n)])
    bounds = column("q", sorted(choose.randrange(200) for _ in range(9)))
    for name, *arguments in (
        ("longer", start, end, mark, 90),
        ("histogram", start, end, key, bounds, 4),
    ):
        assert getattr(BEST, name)(*arguments) == getattr(in_python(), name)(*arguments)
    assert plain(BEST.gaps(start, end, key, 4, 30)) == plain(
        in_python().gaps(start, end, key, 4, 30)
    )
    assert plain(BEST.spans(end, key, 4)) == plain(in_python().spans(end, key, 4))


@pytest.mark.skipif(
    not HAS_NATIVE, reason="needs the C decoder, which was not built: install a C compiler"
)
def test_bad_columns_are_refused():
    """The C functions check every length and key."""
    q, i, b, short = (
        column("q", [1, 2]),
        column("i", [0, 9]),
        column("B", [1, 1]),
        column("q", [1]),
    )
    for call in (
        lambda: BEST.longer(q, short, b, 0),
        lambda: BEST.gaps(q, q, i, 3, 0),
        lambda: BEST.gaps(short, q, i, 10, 0),
        lambda: BEST.spans(q, i, 3),
        lambda: BEST.spans(short, i, 10),
        lambda: BEST.spans(q, i, -1),
        lambda: BEST.histogram(q, q, i, q, 3),
        lambda: BEST.histogram(q, short, i, q, 10),
    ):
        with pytest.raises(ValueError, match="inconsistent columns"):
            call()


@pytest.mark.parametrize("engine", ENGINES)
def test_the_latest_of_a_key(engine):
    """At the same moment counts; of several then, the last; none before the first."""
    time, key = column("q", [10, 20, 20, 30]), column("i", [0, 1, 1, -1])
    at, key_at = column("q", [5, 10, 20, 20, 40, 40]), column("i", [0, 0, 1, 2, 0, -1])
    assert engine.latest(time, key, at, key_at, 3).tolist() == [-1, 0, 2, -1, 0, -1]
    none = column("q", []), column("i", [])
    assert engine.latest(*none, at, key_at, 3).tolist() == [-1] * 6
    assert engine.latest(time, key, *none, 3).tolist() == []


@pytest.mark.skipif(
    not HAS_NATIVE, reason="needs the C decoder, which was not built: install a C compiler"
)
def test_bad_keys_of_the_latest_are_refused():
    q, i, short = column("q", [1, 2]), column("i", [0, 1]), column("i", [0])
    for columns in (
        (q, i, q, i, 1),
        (q, short, q, i, 2),
        (q, i, q, short, 2),
        (q, i, q, i, -1),
    ):
        with pytest.raises(ValueError, match="inconsistent columns"):
            BEST.latest(*columns)


@pytest.mark.parametrize("engine", ENGINES)
def test_lesser_of_two_counts(engine):
    """Two of one and, from 5 on, one of the other, until 9; a count below nothing is none."""
    up_a, down_a = column("q", [2, 1]), column("q", [20, 9, 30])
    up_b, down_b = column("q", [5]), column("q", [40])
    assert engine.lesser(up_a, down_a, up_b, down_b) == 20 - 5
    assert engine.lesser(up_b, down_b, up_a, down_a) == 20 - 5
    none = column("q", [])
    assert engine.lesser(none, down_a, up_b, down_b) == 0
    assert engine.lesser(none, none, none, none) == 0
    both = column("q", [0]), column("q", [1 << 62])
    assert engine.lesser(*both, *both) == 1 << 62
    twice = column("q", [0, 0]), column("q", [1 << 62, 1 << 62])
    assert engine.lesser(*twice, *twice) == (1 << 63) - 1


@pytest.mark.parametrize("seed", range(5))
def test_twins_count_alike(seed):
    choose = random.Random(seed)
    times = [column("q", [choose.randrange(50) for _ in range(40)]) for _ in range(4)]
    assert BEST.lesser(*times) == in_python().lesser(*times)


@pytest.mark.parametrize("engine", ENGINES)
def test_numbers_in_a_row(engine):
    """From the first on, below the other; none where there are none."""
    assert engine.upto(-2, 3).tolist() == [-2, -1, 0, 1, 2]
    assert engine.upto(0, 3).format == "i"
    assert [engine.upto(3, until).tolist() for until in (3, 2)] == [[], []]


@pytest.mark.skipif(
    not HAS_NATIVE, reason="needs the C decoder, which was not built: install a C compiler"
)
def test_too_large_numbers_in_a_row():
    for first, until in ((0, 1 << 31), (-1 << 32, 0)):
        with pytest.raises(ValueError, match="inconsistent columns"):
            BEST.upto(first, until)
