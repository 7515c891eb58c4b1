"""Lanes in pieces and waits charged to them, in both versions, against a count by moments."""

import random
from array import array
from collections import Counter

import pytest

from tests.support.engines import ENGINES
from viewer.trace.charges import FEWEST
from viewer.trace.engine import BEST, HAS_NATIVE, Engine
from viewer.trace.timelines import NOBODY, UNKNOWN

LANES, KEYS, WHOS = 3, 4, 5


def column(code, values):
    return memoryview(array(code, values))


class Scene:
    """Random occupants that overlap as no loop's could, and random waits."""

    def __init__(self, seed: int) -> None:
        choose = random.Random(seed)
        self.start = sorted(choose.randrange(400) for _ in range(60))
        self.end = [at + choose.choice([0, 1, 5, 60]) for at in self.start]
        self.lane = [choose.randrange(-1, LANES) for _ in self.start]
        self.frame = [lane if choose.random() < 0.7 else -1 for lane in self.lane]
        self.extra_start = sorted(choose.randrange(400) for _ in range(8))
        self.extra_end = [at + choose.randrange(30) for at in self.extra_start]
        self.extra_lane = [choose.randrange(LANES) for _ in self.extra_start]
        rows = len(self.start) + len(self.extra_start)
        self.who = [choose.randrange(WHOS) for _ in range(rows)]
        self.wait_start = sorted(choose.randrange(400) for _ in range(50))
        self.wait_end = [at + choose.choice([0, 3, 80]) for at in self.wait_start]
        self.wait_lane = [choose.randrange(-1, LANES) for _ in self.wait_start]
        self.wait_key = [choose.randrange(-1, KEYS) for _ in self.wait_start]

    def flatten(self, engine: Engine):
        return engine.flatten(
            column("q", self.start), column("q", self.end), column("i", self.lane),
            column("i", self.frame), column("q", self.extra_start),
            column("q", self.extra_end), column("i", self.extra_lane), LANES, LANES,
        )  # fmt: skip

    def charge(self, engine: Engine):
        flat = self.flatten(engine)
        return engine.charge(
            flat.offset, flat.start_ns, flat.row, column("i", self.who), WHOS,
            column("q", self.wait_start), column("q", self.wait_end),
            column("i", self.wait_lane), column("i", self.wait_key), KEYS,
        )  # fmt: skip

    def at(self, lane: int, time: int) -> int:
        """Whose the lane is at a moment, by the definition."""
        mine = [i for i, of in enumerate(self.lane) if of == lane]
        occupants = [(self.start[i], self.end[i], i) for i in mine]
        extras = zip(self.extra_start, self.extra_end, self.extra_lane, strict=True)
        occupants += [
            (a, b, len(self.start) + e) for e, (a, b, of) in enumerate(extras) if of == lane
        ]
        present = [
            row for row in sorted(occupants, key=lambda o: o[0]) if row[0] <= time < row[1]
        ]
        if present:
            return present[-1][2]
        framed = [self.start[i] for i in mine if self.frame[i] == lane]
        return NOBODY if framed and framed[0] <= time < framed[-1] else UNKNOWN

    def who_at(self, lane: int, time: int) -> int:
        row = self.at(lane, time) if lane >= 0 else UNKNOWN
        return {NOBODY: WHOS, UNKNOWN: WHOS + 1}.get(row, self.who[row] if row >= 0 else 0)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("seed", range(12))
def test_a_lane_is_cut_into_pieces(engine, seed):
    """The occupant begun last has the moment; no two pieces in turn are one occupant's."""
    scene = Scene(seed)
    flat = scene.flatten(engine)
    for lane in range(LANES):
        low, high = flat.offset[lane], flat.offset[lane + 1]
        found: dict[int, int] = {}
        for place in range(low, high):
            ends = flat.start_ns[place + 1] if place + 1 < high else 600
            assert ends > flat.start_ns[place]
            assert place == low or flat.row[place] != flat.row[place - 1]
            found |= dict.fromkeys(range(flat.start_ns[place], ends), flat.row[place])
        for time in range(520):
            assert found.get(time, UNKNOWN) == scene.at(lane, time), (lane, time)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("seed", range(12))
def test_waits_are_charged_to_who_had_their_lane(engine, seed):
    """Totals, counts and longest of each key and occupant; the totals add up to the waits."""
    scene = Scene(seed)
    charges = scene.charge(engine)
    right: dict[tuple[int, int], list[int]] = {}
    waits = zip(scene.wait_start, scene.wait_end, scene.wait_lane, scene.wait_key, strict=True)
    for start, end, lane, key in waits:
        if key >= 0:
            for who, ns in Counter(scene.who_at(lane, t) for t in range(start, end)).items():
                right.setdefault((key, who), []).append(ns)
    columns = (charges.key, charges.who, charges.total, charges.count, charges.longest)
    found = {(key, who): rest for key, who, *rest in zip(*columns, strict=True)}
    assert found == {pair: [sum(all_), len(all_), max(all_)] for pair, all_ in right.items()}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("seed", range(12))
def test_windows_are_carved_by_key(engine, seed):
    """Each window whole, its pieces in order of time within their key."""
    scene = Scene(seed)
    choose = random.Random(seed)
    flat = scene.flatten(engine)
    since = [choose.randrange(450) for _ in range(6)]
    until = [at + choose.choice([0, 40]) for at in since]
    for lane in range(-1, LANES):
        found = engine.carve(
            flat.offset, flat.start_ns, flat.row, column("i", scene.who), lane,
            column("q", since), column("q", until),
        )  # fmt: skip
        right: Counter[int] = Counter()
        for a, b in zip(since, until, strict=True):
            for t in range(a, b):
                row = scene.at(lane, t) if lane >= 0 else UNKNOWN
                right[scene.who[row] if row >= 0 else row] += 1
        assert dict(zip(found.key, found.total, strict=True)) == right
        for n, total in enumerate(found.total):
            places = range(found.offset[n], found.offset[n + 1])
            assert sum(found.until_ns[p] - found.from_ns[p] for p in places) == total


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("seed", range(12))
def test_intervals_meet_waits(engine, seed):
    """How long waits lasted within each interval, and how many have a part in it."""
    scene = Scene(seed)
    choose = random.Random(seed)
    since = [choose.randrange(450) for _ in range(20)]
    until = [at + choose.choice([0, 1, 40]) for at in since]
    lane_of = [choose.randrange(-1, LANES) for _ in since]
    found = engine.meet(
        column("q", scene.wait_start), column("q", scene.wait_end),
        column("i", scene.wait_lane), column("q", since), column("q", until),
        column("i", lane_of), LANES,
    )  # fmt: skip
    for n, (a, b, lane) in enumerate(zip(since, until, lane_of, strict=True)):
        met = [
            ns
            for start, end, of in zip(
                scene.wait_start, scene.wait_end, scene.wait_lane, strict=True
            )
            if of == lane >= 0 and (ns := min(end, b) - max(start, a)) > 0
        ]
        assert (found.total[n], found.count[n]) == (sum(met), len(met))


@pytest.mark.parametrize("engine", ENGINES)
def test_too_many_occupants_are_not_told_apart(engine):
    """With very many keys those who had the lane least are one; nothing is lost."""
    keys, whos = 5_000, 40
    start = [n * 10 for n in range(whos)]
    flat = engine.flatten(
        column("q", start), column("q", [at + 10 - n % 2 for n, at in enumerate(start)]),
        column("i", [0] * whos), column("i", [0] * whos),
        column("q", []), column("q", []), column("i", []), 1, 1,
    )  # fmt: skip
    charges = engine.charge(
        flat.offset, flat.start_ns, flat.row, column("i", range(whos)), whos,
        column("q", [0] * keys), column("q", [whos * 10] * keys),
        column("i", [0] * keys), column("i", range(keys)), keys,
    )  # fmt: skip
    told = set(charges.who)
    assert len(told) == FEWEST
    assert whos + 2 in told
    totals: Counter[int] = Counter()
    for key, ns in zip(charges.key, charges.total, strict=True):
        totals[key] += ns
    assert set(totals.values()) == {whos * 10}


@pytest.mark.parametrize("engine", ENGINES)
def test_sums_stop_at_the_largest_number(engine):
    """Times that no clock gives do not wrap around."""
    far = (1 << 62) - 1
    flat = engine.flatten(
        column("q", [0, far]), column("q", [far, far]), column("i", [0, 0]),
        column("i", [0, 0]), column("q", []), column("q", []), column("i", []), 1, 1,
    )  # fmt: skip
    waits = column("q", [0] * 4), column("q", [far] * 4), column("i", [0] * 4)
    charges = engine.charge(
        flat.offset, flat.start_ns, flat.row, column("i", [0, 0]), 1, *waits,
        column("i", [0] * 4), 1,
    )  # fmt: skip
    assert charges.total.tolist() == [(1 << 63) - 1]
    met = engine.meet(*waits, column("q", [0]), column("q", [far]), column("i", [0]), 1)
    assert met.total.tolist() == [(1 << 63) - 1]


@pytest.mark.skipif(
    not HAS_NATIVE, reason="needs the C decoder, which was not built: install a C compiler"
)
def test_bad_columns_are_refused():
    """The C functions check every length and index: they raise and never read outside."""
    q, i, short = column("q", [1, 2]), column("i", [0, 9]), column("i", [0])
    none_q, none_i, offset = column("q", []), column("i", []), column("i", [0, 2])
    zero = column("i", [0, 0])
    for call in [
        lambda: BEST.flatten(q, q, i, zero, none_q, none_q, none_i, 3, 3),
        lambda: BEST.flatten(q, q, zero, i, none_q, none_q, none_i, 3, 3),
        lambda: BEST.flatten(q, q, short, zero, none_q, none_q, none_i, 3, 3),
        lambda: BEST.flatten(q, q, zero, zero, q, q, i, 3, 3),
        lambda: BEST.charge(i, q, zero, zero, 1, q, q, zero, zero, 1),
        lambda: BEST.charge(offset, q, i, zero, 1, q, q, zero, zero, 1),
        lambda: BEST.charge(offset, q, column("i", [0, 1]), i, 1, q, q, zero, zero, 1),
        lambda: BEST.charge(offset, q, zero, zero, 1, q, q, i, zero, 1),
        lambda: BEST.charge(offset, q, zero, zero, 1, q, q, zero, i, 1),
        lambda: BEST.carve(offset, q, zero, zero, 1, q, q),
        lambda: BEST.carve(offset, q, column("i", [9, 9]), zero, 0, q, column("q", [5, 5])),
        lambda: BEST.carve(column("i", [0, 9]), q, zero, zero, 0, q, q),
        lambda: BEST.meet(q, q, i, q, q, zero, 3),
        lambda: BEST.meet(q, q, zero, q, q, i, 3),
    ]:
        with pytest.raises(ValueError, match="inconsistent columns"):
            call()
