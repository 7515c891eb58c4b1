"""The tracks of a trace: what describes them, what is above each, whose process it is."""

from array import array
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import compress, count
from sys import byteorder
from typing import NamedTuple, overload

from viewer.trace.columns import Column, Described, Events
from viewer.trace.engine import Engine
from viewer.trace.shown import shown_name
from viewer.trace.wire import Data

_FEW = 4
_LARGEST = (1 << 31) - 1


class Track(NamedTuple):
    """The newest TrackDescriptor of a uuid. Numbers are 0 and texts "" when not given."""

    uuid: int
    name: str = ""
    parent_uuid: int = 0
    pid: int = 0
    tid: int = 0
    thread_name: str = ""


class Tracks(Mapping[int, Track]):
    """The described tracks by uuid, including those without events.

    A `row` is a track's number among them, an `event track` its number in `events.track`.
    There may be one of each task: what is asked of all is asked of columns.
    """

    def __init__(self, described: Described, engine: Engine) -> None:
        self._columns, self._engine = described, engine
        self._made: dict[int, Track] = {}
        self._asked = 0  # how often for one by uuid

    @cached_property
    def _row(self) -> dict[int, int]:
        uuids = self._columns.uuid
        return dict(zip(uuids, range(len(uuids)), strict=True))

    def __getitem__(self, uuid: int) -> Track:
        if self._asked < _FEW:  # a search takes less time than a table of all
            self._asked += 1
            row = self._search(uuid)
            if row < 0:
                raise KeyError(uuid)
            return self.at(row)
        return self.at(self._row[uuid])

    def _search(self, uuid: int) -> int:
        """Its row; -1 without."""
        of = self._columns.uuid
        text, wanted, at = bytes(of), uuid.to_bytes(of.itemsize, byteorder), -1
        while (at := text.find(wanted, at + 1)) >= 0:
            if at % of.itemsize == 0:
                return at // of.itemsize
        return -1

    def __iter__(self) -> Iterator[int]:
        return iter(self._columns.uuid)

    def __len__(self) -> int:
        return len(self._columns.uuid)

    def at(self, row: int) -> Track:
        track, of = self._made.get(row), self._columns
        if track is None:
            track = self._made[row] = Track(
                of.uuid[row],
                of.texts[of.name[row]],
                of.parent_uuid[row],
                of.pid[row],
                of.tid[row],
                of.texts[of.thread_name[row]],
            )
        return track

    def body_of(self, uuid: int) -> int:
        """Which of the trace's descriptors is the newest of this track; -1 none."""
        row = self._search(uuid)
        return int(self._columns.body[row]) if row >= 0 else -1

    def names_at(self, rows: Column) -> list[str]:
        names = self._engine.take(self._columns.name, rows, -1).tolist()
        return [*map(self._columns.texts.__getitem__, names)]

    def columns_of(self, rows: Column) -> tuple[list[int], list[int], list[int], list[str]]:
        """Of these rows the uuids, the pids, the tids, and the names of threads."""
        of = self._columns
        uuids, pids, tids, names = (
            self._engine.take(column, rows, 0).tolist()
            for column in (of.uuid, of.pid, of.tid, of.thread_name)
        )
        return uuids, pids, tids, [*map(of.texts.__getitem__, names)]

    def tids_of(self, rows: Column) -> Column:
        return self._engine.take(self._columns.tid, rows, 0).cast("B").cast("q")

    def thread_names(self, rows: Column) -> Column:
        """The numbers of the names that the threads of these rows have."""
        return self._engine.take(self._columns.thread_name, rows, -1)

    def on(self, of_row: Column) -> Column:
        """By event track the value of its row, -1 without a row."""
        rows = self._columns.row_of_track
        return self._engine.group_keys(memoryview(b"\1" * len(rows)), rows, of_row, 1)

    def places(self, rows: Column) -> Column:
        """By row its place among these; -1 of others."""
        nothing = memoryview(bytes(8 * len(rows))).cast("q")
        return self._engine.spans(nothing, rows, len(self)).first

    @property
    def of_threads(self) -> Column:
        """The rows of threads."""
        return self._greater(self._columns.tid, memoryview(bytes(8 * len(self))))

    @property
    def of_processes(self) -> Iterator[int]:
        """The rows of processes."""
        tids, pids = self._columns.tid, self._columns.pid
        # A thread has a tid, which is hardly ever below its pid.
        return (row for row in self._greater(pids, tids) if not tids[row])

    def _greater(self, column: Column, other: Column) -> Column:
        """The rows in which it is greater than the other one."""
        less, more = (each.cast("B").cast("q") for each in (other, column))
        return self._engine.longer(less, more, memoryview(b"\1" * len(self)), 1)

    def above(self, wanted: Column) -> Column:
        """By row the nearest of itself and those above it that is wanted; -1 without. An empty
        column wants the topmost."""
        return self._engine.above(self._columns.parent_row, wanted)

    @cached_property
    def tops(self) -> Column:
        """By row the topmost of itself and those above it; -1 where they are a circle."""
        return self.above(memoryview(array("i")))

    def beginning(self, prefixes: Iterable[str]) -> Column:
        """By row 1 if its name begins with one of these, else 0."""
        return self._with(text for prefix in prefixes for text in self._beginning(prefix))

    def _called(self, names: Iterable[str]) -> Column | None:
        """By row 1 if it has one of these names, else 0; None if no row has."""
        found = [text for name in names if (text := self._columns.texts.find(name)) >= 0]
        return self._with(found) if found else None

    def _beginning(self, prefix: str) -> Column:
        texts = self._columns.texts
        return self._engine.beginning(texts, self._engine.upto(0, len(texts)), prefix)

    def _with(self, texts: Iterable[int]) -> Column:
        """By row 1 if its name is one of these texts, else 0."""
        mark = array("i", bytes(4 * len(self._columns.texts)))
        for text in texts:
            mark[text] = 1
        return self._engine.take(memoryview(mark), self._columns.name, 0)

    def any_begins_with(self, prefixes: Iterable[str]) -> bool:
        """Whether the name of any track, or of a thread, begins with one of these."""
        return any(len(self._beginning(prefix)) for prefix in prefixes)

    def named(self, *names: str) -> list[int]:
        """The event tracks of these names."""
        called = self._called(names)
        return self._marked(self.on(called)) if called is not None else []

    def parent_uuids(self, event_tracks: Sequence[int]) -> list[int]:
        """The uuids of the tracks above described event tracks; 0 without."""
        rows = map(self._columns.row_of_track.__getitem__, event_tracks)
        return [*map(self._columns.parent_uuid.__getitem__, rows)]

    def below(self, name: str) -> list[int]:
        """The event tracks that are right below one of this name."""
        called = self._called((name,))
        if called is None:
            return []
        every = memoryview(b"\1" * len(self))
        under = self._engine.group_keys(every, self._columns.parent_row, called, 1)
        return self._marked(self.on(under))

    def _marked(self, mark: Column) -> list[int]:
        every = self._engine.upto(0, len(mark))
        return self._engine.pick(every, mark, memoryview(b"\0\1")).tolist()


class Threads(Sequence[Track]):
    """The tracks of threads by number. There may be one of each request: what is asked of all
    is asked of columns."""

    def __init__(self, tracks: Tracks) -> None:
        self._tracks, self._rows = tracks, tracks.of_threads

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, at: int) -> Track: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[Track]: ...
    def __getitem__(self, at: int | slice) -> Track | Sequence[Track]:
        if isinstance(at, slice):
            return [*map(self._tracks.at, self._rows[at])]
        return self._tracks.at(self._rows[at])

    @cached_property
    def _columns(self) -> tuple[list[int], list[int], list[int], list[str]]:
        return self._tracks.columns_of(self._rows)

    @property
    def rows(self) -> Column:
        """By thread the row of its track."""
        return self._rows

    @property
    def uuids(self) -> list[int]:
        return self._columns[0]

    @property
    def pids(self) -> list[int]:
        return self._columns[1]

    @property
    def tids(self) -> list[int]:
        return self._columns[2]

    @property
    def names(self) -> list[str]:
        """What they call themselves; "" unknown."""
        return self._columns[3]

    @property
    def tid_of(self) -> Column:
        """The same as a column of whole numbers."""
        return self._tracks.tids_of(self._rows)

    @property
    def name_of(self) -> Column:
        """The numbers of their names; equal ones have one number."""
        return self._tracks.thread_names(self._rows)

    @cached_property
    def of_track(self) -> Column:
        """By event track the thread that it is of; -1 of none."""
        return self._tracks.on(self._tracks.places(self._rows))

    @cached_property
    def by_uuid(self) -> dict[int, int]:
        """The thread of a track."""
        return dict(zip(self.uuids, range(len(self)), strict=True))


def read_tracks(data: Data, events: Events, engine: Engine) -> Tracks:
    """The tracks as last described."""
    described = engine.describe(
        data,
        events.descriptor_at,
        events.descriptor_bytes,
        events.descriptor_packet,
        events.uuids,
    )
    if not described.is_plain:
        described = _shown(described, engine)
    return Tracks(described, engine)


def _shown(described: Described, engine: Engine) -> Described:
    """The same, with names as they may be shown; those that are equal then are one."""
    shown = [*map(shown_name, described.texts)]
    texts = engine.strings([*dict.fromkeys(shown)])
    number = memoryview(array("i", map(texts.find, shown)))
    name, thread_name = (
        engine.take(number, column, -1) for column in (described.name, described.thread_name)
    )
    return described._replace(texts=texts, name=name, thread_name=thread_name)


def find_processes(tracks: Tracks, engine: Engine) -> tuple[Column, Column, Column]:
    """By event track, the index of its process (-1 unknown); by process, its uuid and pid."""
    tops = tracks.on(tracks.tops)
    rows = engine.take(tops, engine.pairs(tops, tops).head, -1)
    uuids, pids, tids, _ = tracks.columns_of(rows)
    if any(tids):
        uuids = _of_threads(tracks, uuids, pids, tids)
    found = dict(compress(zip(uuids, pids, strict=True), pids))
    index = dict(zip(found, count(), strict=False))
    numbers = array("i", map(index.__getitem__, compress(uuids, pids)))
    process_of = array("i", [-1]) * len(tracks)
    for row, number in zip(compress(rows, pids), numbers, strict=True):
        process_of[row] = number
    every = memoryview(b"\1" * len(tops))
    of_track = engine.group_keys(every, tops, memoryview(process_of), 1)
    return of_track, memoryview(array("Q", found)), pids_of(found.values())


def pids_of(numbers: Collection[int]) -> Column:
    """Numbers of processes; only a damaged file has larger ones than fit."""
    try:
        return memoryview(array("i", numbers))
    except OverflowError:
        return memoryview(array("i", (min(number, _LARGEST) for number in numbers)))


def _of_threads(
    tracks: Tracks, uuids: list[int], pids: list[int], tids: list[int]
) -> list[int]:
    """The uuids of processes, where the track of a thread may be below none."""
    # A process is identified by its track, not by its pid: two containers may share a pid, and
    # one that becomes another program keeps its own. Its other tracks have later numbers.
    by_pid: dict[int, list[int]] = defaultdict(list)
    known, known_pids, *_ = tracks.columns_of(memoryview(array("i", tracks.of_processes)))
    for pid, uuid in zip(known_pids, known, strict=True):
        by_pid[pid].append(uuid)
    for mine in by_pid.values():
        mine.sort()
    found = []
    for uuid, pid, tid in zip(uuids, pids, tids, strict=True):
        mine = by_pid.get(pid, [pid]) if tid else [uuid]
        found.append(mine[max(bisect_right(mine, uuid) - 1, 0)])
    return found
