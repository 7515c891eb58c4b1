"""The distribution of a set of durations."""

from collections.abc import Iterable
from typing import NamedTuple

from viewer.trace.columns import Stats
from viewer.trace.sweeps import percentile


class Spread(NamedTuple):
    """Percentiles interpolate linearly between closest ranks."""

    count: int  # type: ignore[assignment]
    total_ns: int
    p50_ns: int
    p90_ns: int
    p99_ns: int
    max_ns: int


def spread_of(durations_ns: Iterable[int]) -> Spread:
    ordered = sorted(durations_ns)
    p50, p90, p99, most = (percentile(ordered, p) for p in (50, 90, 99, 100))
    return Spread(len(ordered), sum(ordered), p50, p90, p99, most)


_NONE = Spread(0, 0, 0, 0, 0, 0)


def spread_at(stats: Stats, key: int) -> Spread:
    count = stats.count[key]
    if not count:
        return _NONE
    return Spread(
        count,
        stats.total[key],
        stats.p50[key],
        stats.p90[key],
        stats.p99[key],
        stats.max[key],
    )
