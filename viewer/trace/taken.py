"""Values at places, and rows that have values; Python twin of native/taken.c."""

from array import array

from viewer.trace.columns import Column


def take(column: Column, at: Column, missing: int) -> Column:
    """The values at these places, in their order; `missing` where a place is negative.

    `at` has numbers (i), or bytes: then a column of kinds becomes one of what they stand for.
    """
    return memoryview(
        array(column.format, (column[place] if place >= 0 else missing for place in at))
    )


def known(a: Column, b: Column) -> Column:
    """The rows in which neither value is negative."""
    pairs = enumerate(zip(a, b, strict=True))
    return memoryview(array("i", (row for row, (x, y) in pairs if x >= 0 <= y)))


def between(since_ns: Column, until_ns: Column) -> Column:
    """By row the time from one to the other; 0 where either is negative, which is unknown."""
    pairs = zip(since_ns, until_ns, strict=True)
    return memoryview(
        array("q", (until - since if since >= 0 <= until else 0 for since, until in pairs))
    )
