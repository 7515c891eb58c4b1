"""Rows in order of a column, and its bounds: both makes alike, and no trust in their input."""

from array import array

import pytest

from tests.support.engines import ENGINES
from viewer.trace.engine import BEST, HAS_NATIVE

LEAST, MOST = -(1 << 63), (1 << 63) - 1


def column(code, values):
    return memoryview(array(code, values))


@pytest.mark.parametrize("engine", ENGINES)
def test_rows_in_order_of_a_column(engine):
    """Equal ones stay as they are, also where the largest come first."""
    values = column("q", [5, MOST, -1, 5, LEAST, 1 << 40, 5])
    rows = column("i", [6, 0, 1, 2, 3, 4, 5])
    assert engine.ranked(rows, values, 0).tolist() == [4, 2, 6, 0, 3, 5, 1]
    assert engine.ranked(rows, values, 1).tolist() == [1, 5, 6, 0, 3, 2, 4]
    assert engine.ranked(rows, column("q", [7] * 7), 1).tolist() == rows.tolist()
    assert engine.ranked(column("i", [2, 2]), values, 0).tolist() == [2, 2]
    assert not engine.ranked(column("i", []), values, 0).tolist()


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("code", ["i", "q"])
def test_bounds(engine, code):
    assert engine.bounds(column(code, [3, -2, 8, 8])) == (-2, 8)
    assert engine.bounds(column(code, [-4])) == (-4, -4)
    assert engine.bounds(column(code, [])) == (0, -1)
    assert engine.bounds(column("q", [0, MOST, LEAST])) == (LEAST, MOST)


@pytest.mark.parametrize("engine", ENGINES)
def test_fewer_bytes(engine):
    found = engine.narrow(column("q", [-1, (1 << 31) - 1, -(1 << 31)]))
    assert (found.format, found.tolist()) == ("i", [-1, (1 << 31) - 1, -(1 << 31)])
    for value in ((1 << 31), -(1 << 31) - 1):
        with pytest.raises(OverflowError):
            engine.narrow(column("q", [0, value]))


@pytest.mark.skipif(
    not HAS_NATIVE, reason="needs the C decoder, which was not built: install a C compiler"
)
def test_bad_columns_are_refused():
    q, i = column("q", [1, 2]), column("i", [0, 1])
    for call, wrong in [
        (lambda: BEST.ranked(column("i", [0, 2]), q, 0), ValueError),
        (lambda: BEST.ranked(column("i", [-1]), q, 0), ValueError),
        (lambda: BEST.ranked(i, i, 0), TypeError),
        (lambda: BEST.ranked(*[i, q]), TypeError),
        (lambda: BEST.bounds(column("B", [1])), TypeError),
        (lambda: BEST.narrow(i), TypeError),
    ]:
        with pytest.raises(wrong):
            call()
