"""When a difference is more than noise: by hand, by brute force, and at random."""

import random
from bisect import bisect_right
from itertools import combinations, pairwise

import pytest

from viewer.analysis.significance import (
    BOUNDS_NS,
    P_LIMIT,
    Sampled,
    compare,
    compare_cpu,
    verdict,
    verdict_cpu,
)


def buckets(durations_ns):
    counts = [0] * (len(BOUNDS_NS) + 1)
    for ns in durations_ns:
        counts[bisect_right(BOUNDS_NS, ns)] += 1
    return counts


def judged(a, b, comparisons=1):
    means = (sum(a) / len(a), sum(b) / len(b))
    return verdict(compare(buckets(a), buckets(b)), means, comparisons)


def test_bounds():
    """Ascending, and from 500 ns on no bucket is wider than 5 %."""
    assert list(BOUNDS_NS) == sorted(set(BOUNDS_NS))
    wide = [b / a for a, b in pairwise(BOUNDS_NS) if a >= 500]
    assert max(wide) < 1.05


@pytest.mark.parametrize("seed", range(5))
def test_exact_p(seed):
    """Few events: p is the share of all orders that are as extreme."""
    choose = random.Random(seed)
    values = choose.sample(range(12), 12)
    a, b = values[:5], values[5:]
    far = [1_000 * 2**value for value in values]
    ranks = compare(buckets(far[:5]), buckets(far[5:]))

    def wins(of):
        rest = [value for value in values if value not in of]
        return sum(x > y for x in rest for y in of)

    mine = wins(a)
    orders = [abs(wins(of) - 17.5) for of in combinations(values, 5)]
    expected = sum(distance >= abs(mine - 17.5) for distance in orders) / len(orders)
    assert ranks.p_rank == pytest.approx(expected)
    assert ranks.effect == pytest.approx(mine / (len(a) * len(b)))


def test_normal_p_with_ties():
    """Many events in two buckets: U = 1550 of 2500, variance 15757.6, so z = 2.390."""
    a = [1_000] * 30 + [2_000] * 20
    b = [1_000] * 18 + [2_000] * 32
    ranks = compare(buckets(a), buckets(b))
    assert ranks.effect == pytest.approx(0.62)
    assert ranks.p_rank == pytest.approx(0.0168, abs=5e-4)


def test_identical():
    """The same durations are the same, whatever they are."""
    a = [random.Random(1).randrange(1, 10**9) for _ in range(1_000)]
    ranks = compare(buckets(a), buckets(a))
    assert (ranks.effect, ranks.p_rank, ranks.p_tail) == (0.5, 1.0, 1.0)
    assert judged(a, a) == "same"


@pytest.mark.parametrize("n", [10, 100, 3_000])
def test_change(n):
    """Half as long again is slower one way and faster the other, from ten events on."""
    choose = random.Random(n)
    a = [round(30_000_000 * choose.uniform(0.98, 1.02)) for _ in range(n)]
    b = [round(45_000_000 * choose.uniform(0.98, 1.02)) for _ in range(n)]
    assert judged(a, b, 20) == "slower"
    assert judged(b, a, 20) == "faster"


def test_small_shift_is_noise():
    """5 % of everything is certain by its p, and still what a busier machine does."""
    choose = random.Random(2)
    a = [round(1_000_000 * choose.lognormvariate(0, 0.05)) for _ in range(5_000)]
    b = [round(1_050_000 * choose.lognormvariate(0, 0.05)) for _ in range(5_000)]
    assert compare(buckets(a), buckets(b)).p_rank < 1e-9
    assert judged(a, b) == "same"


def test_heavier_tail():
    """One in ten is 30 ms where it was one in a hundred: the ranks hardly move."""
    a = [50_000] * 990 + [30_000_000] * 10
    b = [50_000] * 900 + [30_000_000] * 100
    ranks = compare(buckets(a), buckets(b))
    assert ranks.effect < 0.6
    assert ranks.tail == pytest.approx((0.01, 0.1))
    assert judged(a, b, 20) == "slower"
    assert judged(a[:40] + a[-1:], b[:40] + b[-1:], 20) == "same"


def test_false_alarms():
    """Of 2,000 pairs of samples of one distribution, no comparison of 20 each is reported."""
    choose, told = random.Random(3), 0
    for _ in range(2_000):
        n, m = choose.randrange(8, 60), choose.randrange(8, 60)
        a, b = (
            [round(1e5 * choose.lognormvariate(0, 1)) + 1 for _ in range(k)] for k in (n, m)
        )
        told += judged(a, b, 20) != "same"
    # At P_LIMIT / 20 each, 0.2 are to be expected among 4,000 tests.
    assert P_LIMIT == 0.001
    assert told <= 2


def samples(count, period=10_000_000):
    return Sampled(count * period, count * period * period, count)


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        (40, 90, "slower"),
        (90, 40, "faster"),
        (40, 48, "same"),
        (0, 30, "slower"),
        (0, 4, "same"),
        (1_000, 1_190, "same"),
        (1_000, 1_300, "slower"),
        (0, 0, "same"),
    ],
)
def test_cpu(a, b, expected):
    """Counts differ by more than Poisson, by a fifth, and by five samples."""
    x, y = samples(a), samples(b)
    assert verdict_cpu(x, y, compare_cpu(x, y), 10) == expected


def test_clumped_samples():
    """Ten signals that stand for ten periods each are ten samples, not a hundred."""
    few = Sampled(10 * 10 * 10_000_000, 10 * (10 * 10_000_000) ** 2, 10)
    assert compare_cpu(samples(40), few) > compare_cpu(samples(40), samples(100))
