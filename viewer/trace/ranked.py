"""Rows in order of a column, and a column's bounds; Python twin of native/ranked.c."""

from array import array

from viewer.trace.columns import Column


def ranked(rows: Column, column: Column, is_down: int) -> Column:
    """The rows in order of their values, the largest first if `is_down` is not 0; equal ones
    stay as they are."""
    ordered = sorted(rows, key=column.__getitem__, reverse=bool(is_down))
    return memoryview(array("i", ordered))


def bounds(column: Column) -> tuple[int, int]:
    """The least and the largest value; 0 and -1 of an empty column."""
    return (min(column), max(column)) if len(column) else (0, -1)


def narrow(column: Column) -> Column:
    """The same values in four bytes each."""
    return memoryview(array("i", column))
