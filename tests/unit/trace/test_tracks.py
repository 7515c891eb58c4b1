"""What describes the tracks: made by both engines alike, and asked of columns."""

import random
from array import array

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.engines import ENGINES, plain
from tests.support.stories.shapes import SHAPES
from viewer.trace.engine import BEST, HAS_NATIVE, in_python
from viewer.trace.model import build_model
from viewer.trace.reader import read_trace
from viewer.trace.tracks import read_tracks

_TWINS = pytest.mark.skipif(
    not HAS_NATIVE, reason="needs the C decoder, which was not built: install a C compiler"
)


def column(values):
    return memoryview(array("i", values))


@pytest.mark.parametrize("engine", ENGINES)
def test_the_nearest_above(engine):
    """Itself counts, the nearest wins, and a circle has none."""
    #          0   1  2  3  4  5  6
    parent = (-1, 0, 1, 2, 5, 4, 4)
    wanted = (1, 0, 1, 0, 0, 0, 0)
    assert engine.above(column(parent), column(wanted)).tolist() == [0, 0, 2, 2, -1, -1, -1]
    assert engine.above(column(parent), column([])).tolist() == [0, 0, 0, 0, -1, -1, -1]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_parent_that_does_not_exist(engine):
    """Nothing outside of the columns is read."""
    with pytest.raises((ValueError, IndexError, AssertionError)):
        engine.above(column([7]), column([0]))


@_TWINS
@pytest.mark.parametrize("seed", range(5))
def test_above_twins(seed):
    """Both makes agree on random parents, with circles, deep and shallow."""
    choose, n = random.Random(seed), 400
    parent = column(
        [choose.choice([-1, max(i - 1, 0), choose.randrange(n)]) for i in range(n)]
    )
    wanted = column([choose.random() < 0.05 for _ in range(n)])
    for of in (wanted, column([])):
        assert BEST.above(parent, of).tolist() == in_python().above(parent, of).tolist()


@pytest.mark.parametrize("engine", ENGINES)
def test_distinct_values(engine):
    """Each once, in ascending order, without -1."""
    assert engine.distinct(column([3, -1, 0, 3, 3, 1]), 4).tolist() == [0, 1, 3]
    assert engine.distinct(column([]), 0).tolist() == []
    with pytest.raises((ValueError, AssertionError)):
        engine.distinct(column([4]), 4)


@_TWINS
@pytest.mark.parametrize("shape", SHAPES)
def test_described_twins(shape, tmp_path):
    """Both makes read the same tracks out of every shape of trace."""
    file = tmp_path / "x"
    file.write_bytes(SHAPES[shape](300).data())
    events, data = in_python().decode(file.read_bytes()), file.read_bytes()
    given = (
        events.descriptor_at, events.descriptor_bytes, events.descriptor_packet, events.uuids
    )  # fmt: skip
    assert plain(BEST.describe(data, *given)) == plain(in_python().describe(data, *given))


def test_tracks_of_tasks_are_not_made(tmp_path):
    """A model of very many tasks makes an object of a track only for threads, loops and the
    process: the others are rows of columns."""
    file = tmp_path / "x"
    file.write_bytes(SHAPES["short_tasks"](2_000).data())
    trace = read_trace(file)
    build_model(trace)
    assert len(trace.tracks) > 180
    assert len(trace.tracks._made) < 10


def test_one_track_is_found_by_uuid():
    """The first few are searched, later ones are in a table; what is not there is nowhere."""
    trace = TraceBuilder()
    for n in range(20):
        trace.thread(f"worker-{n}")
    data = trace.data()
    tracks = read_tracks(data, BEST.decode(data), BEST)
    for _ in range(3):
        for row, uuid in enumerate(tracks):
            assert tracks[uuid] is tracks.at(row)
        assert tracks.get(7) is None
