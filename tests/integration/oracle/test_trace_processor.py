"""Does trace_processor read what NOTES.md says we write? Time, order, flows and damage.

What these tests settled, for trace_processor v52:
* flow_ids on a slice's BEGIN and terminating_flow_ids on another's work, several per slice.
  A target ordered before its source (also at an equal timestamp) loses the arrow silently;
  an id terminates once.
* SEQ_NEEDS_INCREMENTAL_STATE is not needed. Without it, an event whose chunk head was lost is
  not skipped: its delta is taken for an absolute time and its name is gone.
* TrackEventDefaults.track_uuid is honoured, per chunk.
* An absolute timestamp (clock 3) older than its neighbours sorts into place and leaves the
  delta clock alone; at equal timestamps the order in the file stays.
* A chunk's snapshot may be older than events already written, but never older than the
  previous snapshot: that one is refused (an error row) and its chunk's times come out wrong.
* Sequence ids must stay below 2**31; above, clock 64 cannot be resolved. Uuids may be 64 bits.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.packets import START_NS, Packets, loop_skeleton
from tests.support.trace_processor import TP, Row, import_errors, open_trace
from tracer import schema

pytestmark = pytest.mark.invalid_traces

SLICES = (
    f"SELECT s.ts - {START_NS} AS ts, s.dur, s.name, s.depth, t.name AS track"
    " FROM slice s JOIN track t ON s.track_id = t.id ORDER BY s.ts, s.id"
)
FLOWS = (
    f"SELECT o.name AS source, i.name AS target, i.ts - {START_NS} AS ts FROM flow"
    " JOIN slice o ON o.id = slice_out JOIN slice i ON i.id = slice_in ORDER BY i.ts, o.id"
)


def slices(tp: TP, track: str) -> list[tuple[int, int, str]]:
    """(start, duration, name) of one track's slices, ordered by time."""
    return [(r["ts"], r["dur"], r["name"]) for r in tp.query(SLICES) if r["track"] == track]


def load(path: Path, packets: Packets) -> tuple[list[Row], list[Row]]:
    """(slices, error rows) of a trace."""
    with open_trace(packets.write(path)) as tp:
        return tp.query(SLICES), import_errors(tp)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "hand.pftrace"


@pytest.fixture
def packets() -> Packets:
    """A skeleton of tracks and one begun chunk."""
    packets = Packets()
    loop_skeleton(packets)
    packets.chunk(0)
    return packets


TASK, OTHER, LANE, RUNNING, QUEUE, GC, THREAD = 8, 9, 10, 5, 6, 2, 3


def test_states_of_a_task_touch_without_gap(path: Path, packets: Packets) -> None:
    """END and BEGIN at one timestamp give adjoining slices; the open one has no duration."""
    packets.begin(10, TASK, schema.READY)
    packets.state(20, TASK, schema.RUNNING)
    packets.state(30, TASK, "await sleep")
    with open_trace(packets.write(path)) as tp:
        assert slices(tp, "Task-1 main()") == [
            (10, 10, "ready"),
            (20, 10, "running"),
            (30, -1, "await sleep"),
        ]
        assert import_errors(tp) == []


def test_zero_length_slices_keep_their_order(path: Path, packets: Packets) -> None:
    """Many transitions within one clock tick come back in the order they were written."""
    packets.begin(10, TASK, "ready")
    for name in ("running", "await x", "ready", "running"):
        packets.state(10, TASK, name)
    packets.end(10, TASK)
    packets.instant(10, TASK, "done")
    with open_trace(packets.write(path)) as tp:
        names = [name for _, _, name in slices(tp, "Task-1 main()")]
        assert names == ["ready", "running", "await x", "ready", "running", "done"]
        assert import_errors(tp) == []


def test_lane_nests_states_in_the_task(path: Path, packets: Packets) -> None:
    """A lane reused at the tick its task ended shows two tasks, states one level below."""
    for task in ("Task-300", "Task-301"):
        packets.begin(20, LANE, task, category=schema.CAT_LIFETIME, args={"task": 300})
        packets.begin(20, LANE, "ready")
        packets.end(20, LANE)
        packets.instant(20, LANE, "done")
        packets.end(20, LANE)
    rows, errors = load(path, packets)
    assert [(r["name"], r["depth"]) for r in rows] == [
        ("Task-300", 0),
        ("ready", 1),
        ("done", 1),
        ("Task-301", 0),
        ("ready", 1),
        ("done", 1),
    ]
    assert errors == []


def test_older_event_with_absolute_time_sorts_into_place(path: Path, packets: Packets) -> None:
    """Clock 3 places an event in the past; the delta clock goes on as if it had not been."""
    packets.begin(100, TASK, "ready")
    packets.begin(50, OTHER, "ready")
    packets.state(60, OTHER, "running")
    packets.end(90, OTHER)
    packets.state(110, TASK, "running")
    packets.end(120, TASK)
    with open_trace(packets.write(path)) as tp:
        assert slices(tp, "Task-2 worker()") == [(50, 10, "ready"), (60, 30, "running")]
        assert slices(tp, "Task-1 main()") == [(100, 10, "ready"), (110, 10, "running")]
        assert import_errors(tp) == []


def test_default_track_of_a_chunk(path: Path, packets: Packets) -> None:
    """An event that names no track goes to the chunk's default track."""
    packets.chunk(5, default_track=RUNNING)
    packets.begin(10, None, "main()")
    packets.begin(15, TASK, "ready")
    packets.end(20, None)
    packets.chunk(40, default_track=OTHER)
    packets.begin(50, None, "ready")
    with open_trace(packets.write(path)) as tp:
        assert slices(tp, "running task") == [(10, 10, "main()")]
        assert slices(tp, "Task-2 worker()") == [(50, -1, "ready")]
        assert import_errors(tp) == []


def test_one_slice_wakes_many(path: Path, packets: Packets) -> None:
    """One BEGIN is the source of several flows, another the target of two."""
    packets.begin(10, RUNNING, "main()", flows=(2**63 + 1, 2**63 + 2))
    packets.begin(10, TASK, "running", flows=(101, 102))
    packets.begin(20, OTHER, "ready", ends=(101,))
    packets.begin(30, LANE, "ready again", ends=(102, 2**63 + 1))
    packets.instant(40, THREAD, "wake", flows=(103,))
    packets.begin(50, GC, "GC gen2", ends=(103, 2**63 + 2))
    with open_trace(packets.write(path)) as tp:
        assert [(r["source"], r["target"]) for r in tp.query(FLOWS)] == [
            ("running", "ready"),
            ("main()", "ready again"),
            ("running", "ready again"),
            ("main()", "GC gen2"),
            ("wake", "GC gen2"),
        ]
        assert import_errors(tp) == []


def test_flow_needs_its_source_first(path: Path, packets: Packets) -> None:
    """At one timestamp the source must come first in the file, or the arrow is lost."""
    packets.begin(10, TASK, "target", ends=(1,))
    packets.begin(10, OTHER, "source", flows=(1,))
    packets.begin(20, LANE, "source", flows=(2,))
    packets.begin(20, RUNNING, "target", ends=(2,))
    with open_trace(packets.write(path)) as tp:
        assert [r["ts"] for r in tp.query(FLOWS)] == [20]
        assert import_errors(tp) == []


def test_arguments_and_interned_strings(path: Path, packets: Packets) -> None:
    """Arguments of every type arrive, also when an earlier event interned their text."""
    site = "app.py:12 handle"
    packets.begin(10, TASK, "ready", args={"task": 7, "site": site})
    packets.state(20, TASK, "running", args={"site": site, "late": True})
    with open_trace(packets.write(path)) as tp:
        rows = tp.query(
            "SELECT a.key, a.display_value FROM slice s JOIN args a USING (arg_set_id)"
            " ORDER BY s.ts, a.key"
        )
        assert [(r["key"], r["display_value"]) for r in rows] == [
            ("debug.site", site),
            ("debug.task", "7"),
            ("debug.late", "true"),
            ("debug.site", site),
        ]
        assert import_errors(tp) == []


def test_counter(path: Path, packets: Packets) -> None:
    """Counter values arrive as numbers, whatever order they were written in."""
    packets.count(10, QUEUE, 3)
    packets.count(30, QUEUE, 0)
    packets.count(20, QUEUE, 12)
    with open_trace(packets.write(path)) as tp:
        rows = tp.query(
            f"SELECT c.ts - {START_NS} AS ts, c.value, t.name FROM counter c"
            " JOIN counter_track t ON c.track_id = t.id ORDER BY c.ts"
        )
        name = schema.TRACK_READY_QUEUE
        assert [(r["ts"], r["value"], r["name"]) for r in rows] == [
            (10, 3, name),
            (20, 12, name),
            (30, 0, name),
        ]
        assert import_errors(tp) == []


def test_snapshot_older_than_written_events(path: Path) -> None:
    """A chunk may start, by its clock, before the last events of the chunk in front of it."""
    packets = Packets()
    loop_skeleton(packets)
    packets.chunk(0)
    packets.begin(100, TASK, "ready")
    packets.begin(1000, OTHER, "ready")
    packets.chunk(500)
    packets.state(600, TASK, "running")
    packets.end(700, TASK)
    packets.chunk(500)
    packets.end(1100, OTHER)
    with open_trace(packets.write(path)) as tp:
        assert slices(tp, "Task-1 main()") == [(100, 500, "ready"), (600, 100, "running")]
        assert slices(tp, "Task-2 worker()") == [(1000, 100, "ready")]
        assert import_errors(tp) == []


def test_snapshot_older_than_the_previous_one_is_an_error(path: Path) -> None:
    """If snapshots of a process go back, trace_processor objects and misplaces events."""
    packets = Packets()
    loop_skeleton(packets)
    packets.chunk(500)
    packets.begin(600, TASK, "ready")
    packets.chunk(100)
    packets.begin(200, OTHER, "ready")
    rows, errors = load(path, packets)
    assert [r["name"] for r in errors] == ["invalid_clock_snapshots"]
    assert [r["ts"] for r in rows] == [600, 700]


def test_wall_clock_set_back(path: Path, packets: Packets) -> None:
    """A realtime clock stepped back between two chunks disturbs nothing."""
    packets.begin(10, TASK, "ready")
    packets.chunk(50)
    clocks = packets.trace.packet[-1].clock_snapshot.clocks
    (realtime,) = (clock for clock in clocks if clock.clock_id == schema.CLOCK_REALTIME)
    realtime.timestamp -= 3_600_000_000_000
    packets.state(60, TASK, "running")
    rows, errors = load(path, packets)
    assert [r["ts"] for r in rows] == [10, 60]
    assert errors == []


@pytest.mark.parametrize("base", [(1 << 35) - 100, (1 << 64) - 100])
@pytest.mark.parametrize("sequence", [1, (1 << 20) - 2, (1 << 31) - 2])
def test_wide_ids(path: Path, base: int, sequence: int) -> None:
    """Track uuids of 35 and of 64 bits and sequence ids below 2**31 all resolve."""
    packets = Packets(base=base, sequence=sequence)
    loop_skeleton(packets)
    packets.chunk(0)
    packets.begin(10, TASK, "ready")
    packets.state(20, TASK, "running")
    rows, errors = load(path, packets)
    assert [r["track"] for r in rows] == ["Task-1 main()"] * 2
    assert errors == []


def test_sequence_id_limit(path: Path) -> None:
    """From 2**31 on the delta clock of a sequence cannot be resolved."""
    packets = Packets(sequence=1 << 31)
    loop_skeleton(packets)
    packets.chunk(0)
    packets.begin(10, TASK, "ready")
    rows, errors = load(path, packets)
    assert rows == []
    assert [r["name"] for r in errors] == ["clock_sync_failure", "invalid_clock_snapshots"]


@pytest.mark.stress
def test_truncated_anywhere(path: Path, packets: Packets) -> None:
    """A trace cut at any byte of its last packets loads without an error."""
    kept = len(packets.data())
    packets.begin(10, TASK, "ready", args={"site": "a.py:1 f"})
    packets.state(20, TASK, "running")
    data = packets.data()
    for size in range(kept, len(data)):
        path.write_bytes(data[:size])
        with open_trace(path) as tp:
            assert import_errors(tp) == [], f"cut at {size} of {len(data)}"


def test_lost_chunk_costs_that_chunk(path: Path, packets: Packets) -> None:
    """If one whole chunk is missing, the events of the next one are all there."""
    packets.begin(10, TASK, "ready")
    start = len(packets.trace.packet)
    packets.chunk(100)
    packets.state(110, TASK, "lost")
    end = len(packets.trace.packet)
    packets.chunk(200)
    packets.state(210, TASK, "running", args={"site": "a.py:1 f"})
    del packets.trace.packet[start:end]
    rows, errors = load(path, packets)
    assert [(r["ts"], r["name"]) for r in rows] == [(10, "ready"), (210, "running")]
    assert errors == []


def test_unresolvable_end_is_ignored(path: Path, packets: Packets) -> None:
    """An END without its BEGIN (its chunk was lost) is no error."""
    packets.end(10, TASK)
    packets.begin(20, TASK, "ready")
    packets.end(30, TASK)
    rows, errors = load(path, packets)
    assert [(r["ts"], r["dur"]) for r in rows] == [(20, 10)]
    assert errors == []
