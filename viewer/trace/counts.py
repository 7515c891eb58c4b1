"""Numbers in a row, and counts that go up and down; Python twin of native/counts.c."""

from array import array
from itertools import chain, repeat

from viewer.trace.columns import LARGEST, Column


def lesser(up_a: Column, down_a: Column, up_b: Column, down_b: Column) -> int:
    """The lesser of two counts, summed over time: of waiting jobs and idle workers, say.

    Each column has the times, in any order, at which a count goes up or down by one.
    """
    changes = sorted(
        chain(
            zip(up_a, repeat(0), repeat(1)),
            zip(down_a, repeat(0), repeat(-1)),
            zip(up_b, repeat(1), repeat(1)),
            zip(down_b, repeat(1), repeat(-1)),
        )
    )
    counts, total, before = [0, 0], 0, 0
    for time_ns, which, change in changes:
        total += max(min(counts), 0) * (time_ns - before)
        counts[which] += change
        before = time_ns
    return min(total, LARGEST)


def upto(first: int, until: int) -> Column:
    """The numbers from the first on, below the other."""
    return memoryview(array("i", range(first, until)))
