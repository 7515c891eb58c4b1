"""The heavy functions in two versions: in C where that was built, else in Python."""

from collections.abc import Callable
from functools import cache
from typing import NamedTuple

from viewer.trace.columns import (
    Carved,
    Charges,
    Column,
    Described,
    Events,
    Gaps,
    Lanes,
    Met,
    Owners,
    Pairs,
    Slices,
    Spans,
    States,
    Stats,
    Sums,
    Tally,
    Tile,
    Timeline,
)
from viewer.trace.strings import Strings
from viewer.trace.wire import Data

try:
    from viewer.trace import _decoder
except ImportError:  # there was no compiler at installation: slower, the same answers
    HAS_NATIVE = False
else:
    HAS_NATIVE = True


class Engine(NamedTuple):
    """For the arguments and results of each, see the Python function of that name."""

    decode: Callable[[Data], Events]
    framed: Callable[[Data], int]
    describe: Callable[[Data, Column, Column, Column, Column], Described]
    above: Callable[[Column, Column], Column]
    pair: Callable[[Column, Column, Column, Column, int], Slices]
    grouped_stats: Callable[[Column, Column, Column, int], Stats]
    keyed_sums: Callable[[Column, Column, Column, Column], Sums]
    group_keys: Callable[[Column, Column, Column, int], Column]
    either: Callable[[Column, Column, int], Column]
    pick: Callable[[Column, Column, Column], Column]
    gather: Callable[[Column, Column, Column], Column]
    pairs: Callable[[Column, Column], Pairs]
    distinct: Callable[[Column, int], Column]
    tally: Callable[[Column, Column, Column, Column, int, int], Tally]
    assign: Callable[..., Owners]
    states: Callable[..., States]
    flatten: Callable[..., Timeline]
    charge: Callable[..., Charges]
    carve: Callable[..., Carved]
    meet: Callable[..., Met]
    lanes: Callable[[Column, Column, Column, Column, int], Lanes]
    tile: Callable[..., Tile]
    clip: Callable[[Column, Column, Column, int, int], tuple[Column, Column, Column]]
    longer: Callable[[Column, Column, Column, int], Column]
    gaps: Callable[[Column, Column, Column, int, int], Gaps]
    spans: Callable[[Column, Column, int], Spans]
    histogram: Callable[[Column, Column, Column, Column, int], Column]
    find_args: Callable[[Column, Column, Column, Column, Column, int], Column]
    find_numbers: Callable[[Column, Column, Column, Column, Column, int], Column]
    head_sites: Callable[[Column, Column, Column, Column, Column, Column], Column]
    strings: Callable[[list[str]], Strings]
    lines: Callable[[Strings], bytes]
    calling: Callable[[Strings], Column]
    beginning: Callable[[Strings, Column, str], Column]
    lesser: Callable[[Column, Column, Column, Column], int]
    upto: Callable[[int, int], Column]
    take: Callable[[Column, Column, int], Column]
    known: Callable[[Column, Column], Column]
    between: Callable[[Column, Column], Column]
    latest: Callable[[Column, Column, Column, Column, int], Column]
    ranked: Callable[[Column, Column, int], Column]
    bounds: Callable[[Column], tuple[int, int]]
    narrow: Callable[[Column], Column]


@cache
def in_python() -> Engine:
    """The version in Python. Its modules are imported only where it is used."""
    from viewer.trace.pure import TWINS

    return Engine(*TWINS)


def _native() -> Engine:
    def pair(
        time: Column, type_: Column, track: Column, track_process: Column, processes: int
    ) -> Slices:
        columns, unmatched = _decoder.pair(time, type_, track, track_process, processes)
        return Slices(*[*columns, unmatched])

    def describe(*given: Data | Column) -> Described:
        columns, *others = _decoder.describe(*given)
        return Described(*[*columns, *others])

    return Engine(
        lambda data: Events(*_decoder.decode(data)),
        _decoder.framed,
        describe,
        _decoder.above,
        pair,
        lambda *columns: Stats(*_decoder.grouped_stats(*columns)),
        lambda *columns: Sums(*_decoder.keyed_sums(*columns)),
        _decoder.group_keys,
        _decoder.either,
        _decoder.pick,
        _decoder.gather,
        lambda *columns: Pairs(*_decoder.pairs(*columns)),
        _decoder.distinct,
        lambda *columns: Tally(*_decoder.tally(*columns)),
        lambda *columns: Owners(*_decoder.assign(*columns)),
        lambda *columns: States(*_decoder.states(*columns)),
        lambda *columns: Timeline(*_decoder.flatten(*columns)),
        lambda *columns: Charges(*_decoder.charge(*columns)),
        lambda *columns: Carved(*_decoder.carve(*columns)),
        lambda *columns: Met(*_decoder.meet(*columns)),
        lambda *columns: Lanes(*_decoder.lanes(*columns)),
        lambda *columns: Tile(*_decoder.tile(*columns)),
        _decoder.clip,
        _decoder.longer,
        lambda *columns: Gaps(*_decoder.gaps(*columns)),
        lambda *columns: Spans(*_decoder.spans(*columns)),
        _decoder.histogram,
        _decoder.find_args,
        _decoder.find_numbers,
        _decoder.head_sites,
        _decoder.strings,
        _decoder.lines,
        _decoder.calling,
        _decoder.beginning,
        _decoder.lesser,
        _decoder.upto,
        _decoder.take,
        _decoder.known,
        _decoder.between,
        _decoder.latest,
        _decoder.ranked,
        _decoder.bounds,
        _decoder.narrow,
    )


BEST = _native() if HAS_NATIVE else in_python()


def keep_memory() -> None:
    """From now on memory that becomes free stays with the process: for one that reads a trace
    and ends."""
    if HAS_NATIVE:
        _decoder.keep_memory()
