"""Tiles: what is shown of a lane at a zoom, the same from C and from its Python twin."""

import random
from array import array

import pytest

from tests.support.engines import ENGINES, plain
from viewer.trace.engine import BEST, HAS_NATIVE, Engine, in_python
from viewer.trace.tiles import STATES

engines = pytest.mark.parametrize("engine", ENGINES)


def column(code, values):
    return memoryview(array(code, values))


def lanes_of(engine: Engine, slices, lanes=1):
    """Slices are (start, end, code, lane)."""
    start, end, code, lane = zip(*slices, strict=True) if slices else ((), (), (), ())
    return engine.lanes(
        column("q", start), column("q", end), column("B", code), column("i", lane), lanes
    )


def tile_of(engine: Engine, sorted_, wanted, from_ns, pixel_ns, pixels):
    return engine.tile(
        sorted_.offset, sorted_.row, sorted_.start_ns, sorted_.end_ns, sorted_.code,
        column("i", wanted), from_ns, pixel_ns, pixels,
    )  # fmt: skip


def items(tile, lane=0):
    at, until = tile.lane[lane], tile.lane[lane + 1]
    return [
        (tile.start_ns[i], tile.end_ns[i], tile.code[i], tile.row[i], tile.count[i])
        for i in range(at, until)
    ]


@engines
def test_wide_slices_are_themselves(engine):
    """A slice of a pixel and more has its own times and row, also when it reaches outside."""
    sorted_ = lanes_of(engine, [(0, 100, 1, 0), (100, 110, 2, 0), (110, 300, 3, 0)])
    tile = tile_of(engine, sorted_, [0], 50, 10, 10)
    assert items(tile) == [(0, 100, 1, 0, 1), (100, 110, 2, 1, 1), (110, 300, 3, 2, 1)]
    assert tile.is_exact


@engines
def test_slices_that_share_a_pixel_become_a_bucket(engine):
    """Its shares say how much of the pixel each state has; what crosses is in both."""
    sorted_ = lanes_of(engine, [(1, 2, 1, 0), (2, 6, 2, 0), (8, 12, 3, 0), (13, 15, 1, 0)])
    tile = tile_of(engine, sorted_, [0], 0, 10, 4)
    assert items(tile) == [(0, 10, 2, -1, 3), (13, 15, 1, 3, 1)]
    shares = [0] * STATES
    shares[1], shares[2], shares[3] = 25, 102, 51
    assert list(tile.shares) == shares
    assert not tile.is_exact


@engines
def test_lonely_small_slice_is_no_bucket(engine):
    """One slice in a pixel can still be clicked."""
    tile = tile_of(engine, lanes_of(engine, [(4, 5, 7, 0)]), [0], 0, 10, 4)
    assert items(tile) == [(4, 5, 7, 0, 1)]


@engines
def test_lanes_are_told_apart(engine):
    """Rows keep their numbers; a row without lane is nowhere; lanes come as asked for."""
    sorted_ = lanes_of(engine, [(0, 50, 1, 1), (10, 60, 2, -1), (20, 70, 3, 0)], lanes=3)
    tile = tile_of(engine, sorted_, [2, 1, 0], 0, 10, 10)
    assert [items(tile, k) for k in range(3)] == [[], [(0, 50, 1, 0, 1)], [(20, 70, 3, 2, 1)]]


@engines
def test_range_is_half_open(engine):
    """What ends where the tile begins, or begins where it ends, is in the neighbour."""
    sorted_ = lanes_of(engine, [(0, 100, 1, 0), (100, 200, 2, 0), (200, 300, 3, 0)])
    assert [item[3] for item in items(tile_of(engine, sorted_, [0], 100, 10, 10))] == [1]


@engines
def test_clip(engine):
    """Times are cut; what is outside loses its kind; an instant inside keeps it."""
    start, end = column("q", [0, 50, 90, 100, 60]), column("q", [50, 70, 200, 120, 60])
    got = engine.clip(start, end, column("B", [1, 2, 3, 4, 5]), 60, 100)
    assert [list(c) for c in got] == [
        [60, 60, 90, 100, 60],
        [60, 70, 100, 100, 60],
        [0, 2, 3, 0, 5],
    ]


@pytest.mark.skipif(
    not HAS_NATIVE, reason="needs the C decoder, which was not built: install a C compiler"
)
@pytest.mark.parametrize("seed", range(20))
def test_twins(seed):
    """C and Python give the same lanes, tiles and clips."""
    choose = random.Random(seed)
    slices, now = [], [0] * 4
    for _ in range(choose.randrange(400)):
        lane = choose.randrange(-1, 4)
        start = now[lane] + choose.choice([0, 0, 1, 30])
        now[lane] = start + choose.choice([0, 1, 2, 9, 50, 400])
        slices.append((start, now[lane], choose.randrange(STATES), lane))
    slices.sort(key=lambda one: one[0])
    twins = [lanes_of(engine, slices, 4) for engine in (in_python(), BEST)]
    assert plain(twins[0]) == plain(twins[1])
    for pixel_ns in (1, 3, 10, 100, 5000):
        asked = ([3, 0, 1], choose.randrange(-50, max(now) + 50), pixel_ns, 64)
        made = [tile_of(e, t, *asked) for e, t in zip((in_python(), BEST), twins, strict=True)]
        assert plain(made[0]) == plain(made[1])
        cut = (twins[0].start_ns, twins[0].end_ns, twins[0].code, asked[1], asked[1] + 300)
        assert list(map(bytes, in_python().clip(*cut))) == list(map(bytes, BEST.clip(*cut)))


@pytest.mark.skipif(
    not HAS_NATIVE, reason="needs the C decoder, which was not built: install a C compiler"
)
def test_bad_arguments_are_refused():
    """Columns that do not fit together raise, they are never read past their end."""
    sorted_ = lanes_of(BEST, [(0, 5, 1, 0)])
    with pytest.raises(ValueError, match="inconsistent"):
        tile_of(BEST, sorted_, [1], 0, 1, 10)
    with pytest.raises(ValueError, match="inconsistent"):
        tile_of(BEST, sorted_, [0], 0, 0, 10)
    with pytest.raises(ValueError, match="inconsistent"):
        lanes_of(BEST, [(0, 5, 1, 4)])
