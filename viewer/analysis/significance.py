"""Is a difference more than noise? Rank and tail tests of durations, a test of CPU samples.

Durations come as counts in buckets that are 4.4 % wide: ranks within a bucket are ties.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import ceil, erfc, sqrt
from typing import NamedTuple

PER_OCTAVE = 16
# From 1 ns to 2^42 ns (73 minutes); rounded up, so that the first ones differ.
BOUNDS_NS = tuple(
    sorted({round(2 ** (step / PER_OCTAVE)) for step in range(42 * PER_OCTAVE + 1)})
)
P_LIMIT = 0.001  # of a wrong verdict in any row of a comparison: divided by the number of rows
FEWEST = 8  # events on each side; with fewer, even a clean separation proves nothing
_EXACT = 400  # up to this many pairs of events, the distribution of ranks is exact
_TAIL_FEWEST = 50  # events on each side that make a tail
# An event of B is longer than one of A in two pairs of three, and a fifth longer on average.
# Less may be real, but two runs of one program on a busy machine differ as much: every event
# of a run is a little slower when its neighbours are.
EFFECT = 1 / 6
RATIO = 1.20
# One event of A in twenty is this long; in B twice as many, and two in a hundred more.
TAIL = 0.05
TAIL_RATIO, TAIL_MORE = 2.0, 0.02
CPU_RATIO, CPU_FEWEST = 1.20, 5


class Ranks(NamedTuple):
    """`effect` is how often an event of B is longer than one of A, ties counted half;
    `tail` the share of each side beyond A's longest 5 %. `p` is the smaller of both tests."""

    effect: float
    tail: tuple[float, float]
    p_rank: float
    p_tail: float


def compare(a: Sequence[int], b: Sequence[int]) -> Ranks:
    """Mann-Whitney U, two-sided, corrected for ties; and two proportions beyond A's 95 %."""
    n, m = sum(a), sum(b)
    below = list(accumulate(a, initial=0))
    wins = sum(
        count * (before + has / 2) for count, before, has in zip(b, below, a, strict=False)
    )
    total = n + m
    ties = sum(t * t * t - t for t in (x + y for x, y in zip(a, b, strict=True)))
    spread = n * m / 12 * (total + 1 - ties / (total * (total - 1)))
    if n * m <= _EXACT:
        p_rank = _exact(n, m, wins)
    else:
        p_rank = _two_sided((wins - n * m / 2) / sqrt(spread)) if spread > 0 else 1.0
    # The last bucket edge with at most 5 % of A beyond it.
    edge = next(i for i, before in enumerate(below) if n - before <= TAIL * n)
    beyond_a, beyond_b = sum(a[edge:]), sum(b[edge:])
    share = (beyond_a + beyond_b) / total
    width = sqrt(share * (1 - share) * (1 / n + 1 / m))
    has_tail = width > 0 and min(n, m) >= _TAIL_FEWEST
    p_tail = _two_sided((beyond_b / m - beyond_a / n) / width) if has_tail else 1.0
    return Ranks(wins / (n * m), (beyond_a / n, beyond_b / m), p_rank, p_tail)


def verdict(ranks: Ranks, mean_ns: tuple[float, float], comparisons: int) -> str:
    """`slower`, `faster` or `same` for B against A. Both p and the effect must be clear."""
    limit = P_LIMIT / max(comparisons, 1)
    a, b = mean_ns
    shift = ranks.effect - 0.5
    if ranks.p_rank < limit and abs(shift) >= EFFECT:
        if shift > 0 and b >= a * RATIO:
            return "slower"
        if shift < 0 and a >= b * RATIO:
            return "faster"
    before, after = ranks.tail
    if ranks.p_tail < limit and b >= a * RATIO and _grew(before, after):
        return "slower"
    return "same"


def _exact(n: int, m: int, wins: float) -> float:
    """Two-sided p of U among all orders of n and m values. A tie helps neither side."""
    ways = [1] + [0] * (n * m)  # by U: the coefficients of a Gaussian binomial
    for i in range(1, n + 1):
        for u in range(n * m, m + i - 1, -1):
            ways[u] -= ways[u - m - i]
        for u in range(i, n * m + 1):
            ways[u] += ways[u - i]
    extreme = ceil(min(wins, n * m - wins))
    return min(2 * sum(ways[: extreme + 1]) / sum(ways), 1.0)


def _grew(before: float, after: float) -> bool:
    return after >= max(before * TAIL_RATIO, before + TAIL_MORE)


@dataclass(frozen=True, slots=True)
class Sampled:
    """The CPU time of samples: their sum, and the sum of their squares, which is the variance
    of a Poisson process with steps of that size."""

    ns: int
    squares: int
    count: int


def compare_cpu(a: Sampled, b: Sampled) -> float:
    """Two-sided p that both have the same rate."""
    spread = a.squares + b.squares
    return _two_sided((b.ns - a.ns) / sqrt(spread)) if spread else 1.0


def verdict_cpu(a: Sampled, b: Sampled, p: float, comparisons: int) -> str:
    low, high = sorted((a.ns, b.ns))
    enough = abs(a.count - b.count) >= CPU_FEWEST and high >= low * CPU_RATIO
    if not enough or p >= P_LIMIT / max(comparisons, 1):
        return "same"
    return "slower" if b.ns > a.ns else "faster"


def _two_sided(z: float) -> float:
    return erfc(abs(z) / sqrt(2))
