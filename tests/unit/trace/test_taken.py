"""Values at places: both makes alike, and no trust in their input."""

from array import array

import pytest

from tests.support.engines import ENGINES
from viewer.trace.engine import BEST, HAS_NATIVE


def column(code, values):
    return memoryview(array(code, values))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("code", ["i", "q", "Q", "B"])
def test_values_at_places(engine, code):
    """In the order of the places, in the column's own format; `missing` without a place."""
    found = engine.take(column(code, [7, 8, 9]), column("i", [2, -1, 0, 2, -5]), 1)
    assert (found.format, found.tolist()) == (code, [9, 1, 7, 9, 1])
    assert not engine.take(column(code, []), column("i", []), 0).tolist()


@pytest.mark.parametrize("engine", ENGINES)
def test_what_kinds_stand_for(engine):
    """Bytes are places, too."""
    found = engine.take(column("i", [-1, 70]), column("B", [1, 0, 1]), 0)
    assert (found.format, found.tolist()) == ("i", [70, -1, 70])


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("code", "value"),
    [("i", -(1 << 31)), ("q", (1 << 63) - 1), ("Q", (1 << 63) - 1), ("B", 255)],
)
def test_the_largest_values(engine, code, value):
    assert (
        engine.take(column(code, [value]), column("i", [0, -1]), value).tolist() == [value] * 2
    )
    with pytest.raises(OverflowError):
        engine.take(column("B", [1]), column("i", [-1]), -1)


@pytest.mark.parametrize("engine", ENGINES)
def test_known_times(engine):
    """A negative time is an unknown one; a time may end before it began."""
    since, until = column("q", [0, -1, 5, 7]), column("q", [9, 9, -1, 4])
    assert engine.known(since, until).tolist() == [0, 3]
    assert engine.between(since, until).tolist() == [9, 0, 0, -3]
    assert engine.known(column("q", []), column("q", [])).format == "i"


@pytest.mark.skipif(
    not HAS_NATIVE, reason="needs the C decoder, which was not built: install a C compiler"
)
def test_bad_places_are_refused():
    """The C function checks each place and each format."""
    q, i, bad = column("q", [1, 2]), column("i", [0, 1]), column("i", [0, 2])
    for call, wrong in [
        (lambda: BEST.take(q, bad, 0), ValueError),
        (lambda: BEST.take(q, column("B", [2]), 0), ValueError),
        (lambda: BEST.take(q, q, 0), TypeError),
        (lambda: BEST.take(column("d", [1, 2]), i, 0), TypeError),
        (lambda: BEST.take(*[q, i]), TypeError),
        (lambda: BEST.known(q, column("q", [])), ValueError),
        (lambda: BEST.known(q, i), TypeError),
        (lambda: BEST.between(column("q", []), q), ValueError),
    ]:
        with pytest.raises(wrong):
            call()
