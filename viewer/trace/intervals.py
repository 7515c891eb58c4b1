"""Long intervals, gaps, spans and distributions: the Python twins of native/intervals.c."""

from array import array
from bisect import bisect_right

from viewer.trace.columns import Column, Gaps, Spans, views


def longer(start: Column, end: Column, mark: Column, at_least_ns: int) -> Column:
    """The rows with a mark (not 0) that last `at_least_ns` or longer."""
    rows = enumerate(zip(start, end, mark, strict=True))
    return memoryview(array("i", (i for i, (a, b, m) in rows if m and b - a >= at_least_ns)))


def gaps(start: Column, end: Column, key: Column, keys: int, at_least_ns: int) -> Gaps:
    """The times of `at_least_ns` or longer that no interval of a key covers.

    The intervals are ordered by start. There is no gap before the first and after the last.
    """
    covered = [-1] * keys
    found = (array("i"), array("q"), array("q"))
    for a, b, k in zip(start, end, key, strict=True):
        if k < 0:
            continue
        if covered[k] >= 0 and a - covered[k] >= at_least_ns:
            for column, value in zip(found, (k, covered[k], a), strict=True):
                column.append(value)
        covered[k] = max(covered[k], b)
    return Gaps(*views(found))


def spans(end: Column, key: Column, keys: int) -> Spans:
    """By key its first and its last row, and the end of its rows."""
    first, last = (array("i", [-1]) * keys for _ in range(2))
    ends = array("q", bytes(8 * keys))
    for i, k in enumerate(key):
        if k >= 0:
            if first[k] < 0:
                first[k] = i
            last[k] = i
            ends[k] = max(ends[k], end[i])
    return Spans(*views((first, last, ends)))


def histogram(start: Column, end: Column, key: Column, bounds: Column, keys: int) -> Column:
    """By key * (len(bounds) + 1) + bucket the number of durations.

    Bucket b has the durations from bounds[b - 1] up to bounds[b]; the last one those from the
    last bound on.
    """
    buckets, ordered = len(bounds) + 1, bounds.tolist()
    count = array("q", bytes(8 * keys * buckets))
    for a, b, k in zip(start, end, key, strict=True):
        if k >= 0:
            count[k * buckets + bisect_right(ordered, b - a)] += 1
    return memoryview(count)


def latest(time: Column, key: Column, at: Column, key_at: Column, keys: int) -> Column:
    """By row of `at` the last row of its key that is not later; -1 without one.

    Both are in order of time.
    """
    assert max(max(key, default=-1), max(key_at, default=-1)) < keys
    found, last, row = array("i"), dict[int, int](), 0
    for at_ns, wanted in zip(at, key_at, strict=True):
        while row < len(time) and time[row] <= at_ns:
            last[key[row]] = row
            row += 1
        found.append(last.get(wanted, -1) if wanted >= 0 else -1)
    return memoryview(found)
