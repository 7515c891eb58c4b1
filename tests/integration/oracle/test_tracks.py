"""Does trace_processor see the tracks NOTES.md draws? Descriptors, names, processes.

What these tests settled, for trace_processor v52:
* A descriptor sent again with another name renames the track as a whole: the newest in the
  file wins, for events before it too. The same holds for thread names.
* A descriptor sent again must be complete: one without its parent is dropped whole.
* Descriptors may come after the events of their track; a track never described still gets its
  slices (a counter needs its descriptor).
* `cat` of traces of two processes that ran at the same time loads, in either order.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.packets import START_NS, Packets, loop_skeleton
from tests.support.trace_processor import import_errors, open_trace
from tracer import schema

pytestmark = pytest.mark.invalid_traces

TASK, QUEUE, MAIN_THREAD = 8, 6, 3
TRACKS = (
    "SELECT t.name, p.name AS parent FROM track t LEFT JOIN track p ON t.parent_id = p.id"
    " WHERE t.name IS NOT NULL ORDER BY t.id"
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "hand.pftrace"


@pytest.fixture
def packets() -> Packets:
    packets = Packets()
    loop_skeleton(packets)
    packets.chunk(0)
    return packets


def describe_task(packets: Packets, name: str) -> None:
    descriptor = packets.track(TASK, name, parent=7)
    descriptor.sibling_order_rank = TASK
    descriptor.sibling_merge_behavior = schema.MERGE_NONE


def test_tree_of_tracks(path: Path, packets: Packets) -> None:
    """Explicit order, own tracks (merge NONE) and lanes of one name form the drawn tree."""
    packets.begin(10, 5, "main()")
    packets.count(10, QUEUE, 1)
    for track in (8, 9, 10, 11):
        packets.begin(20, track, "ready")
    with open_trace(packets.write(path)) as tp:
        assert {(r["name"], r["parent"]) for r in tp.query(TRACKS)} == {
            ("asyncio loop @MainThread", None),
            ("running task", "asyncio loop @MainThread"),
            ("ready queue length", "asyncio loop @MainThread"),
            ("Tasks", "asyncio loop @MainThread"),
            ("Task-1 main()", "Tasks"),
            ("Task-2 worker()", "Tasks"),
            ("handler()", "Tasks"),
        }
        lanes = tp.query("SELECT id FROM track WHERE name = 'handler()'")
        assert len(lanes) == 2
        assert import_errors(tp) == []


def test_newest_name_wins(path: Path, packets: Packets) -> None:
    """A task renamed while it runs has one track, under its last name from the start."""
    packets.begin(10, TASK, "ready")
    describe_task(packets, "Task-1 renamed()")
    packets.state(20, TASK, "running")
    thread = packets.track(MAIN_THREAD).thread
    thread.pid, thread.tid, thread.thread_name = 4242, 4242, "Renamed"
    with open_trace(packets.write(path)) as tp:
        tracks = tp.query(
            "SELECT DISTINCT name FROM track WHERE id IN (SELECT track_id FROM slice)"
        )
        assert tracks == [{"name": "Task-1 renamed()"}]
        assert tp.query("SELECT name FROM thread WHERE tid") == [{"name": "Renamed"}]
        assert import_errors(tp) == []


def test_descriptors_sent_again_change_nothing(path: Path, packets: Packets) -> None:
    """Sending every descriptor again with each chunk makes no second track."""
    packets.begin(10, TASK, "ready")
    packets.count(10, QUEUE, 1)
    first = [p for p in packets.trace.packet if p.HasField("track_descriptor")]
    for at in (100, 200):
        packets.trace.packet.extend(first)
        packets.chunk(at)
        packets.state(at + 10, TASK, "running")
        packets.count(at + 10, QUEUE, 1)
    with open_trace(packets.write(path)) as tp:
        names = [r["name"] for r in tp.query(TRACKS)]
        assert sorted(names) == sorted(set(names))
        assert import_errors(tp) == []


def test_incomplete_descriptor_is_dropped(path: Path, packets: Packets) -> None:
    """A second descriptor without the parent is ignored, name and all."""
    packets.begin(10, TASK, "ready")
    packets.track(TASK, "orphan")
    with open_trace(packets.write(path)) as tp:
        assert [r["name"] for r in tp.query(TRACKS)][-1] == "Task-1 main()"


def test_descriptor_after_its_events(path: Path) -> None:
    """Events may come before the descriptor of their track."""
    packets = Packets()
    packets.chunk(0)
    packets.begin(10, TASK, "ready")
    loop_skeleton(packets)
    packets.state(20, TASK, "running")
    with open_trace(packets.write(path)) as tp:
        rows = tp.query("SELECT t.name FROM slice s JOIN track t ON s.track_id = t.id")
        assert [r["name"] for r in rows] == ["Task-1 main()"] * 2
        assert import_errors(tp) == []


def two_processes() -> tuple[Packets, Packets]:
    """Two recordings that overlap in time."""
    recordings = []
    for pid, offset in ((4242, 0), (5000, 150)):
        packets = Packets(base=pid << 20, sequence=pid << 4)
        loop_skeleton(packets)
        for packet in packets.trace.packet:
            descriptor = packet.track_descriptor
            if descriptor.HasField("process"):
                descriptor.process.pid = pid
            if descriptor.HasField("thread"):
                descriptor.thread.pid = descriptor.thread.tid = pid
        packets.chunk(offset)
        packets.begin(offset + 10, TASK, "ready", args={"site": str(pid)})
        packets.chunk(offset + 300)
        packets.state(offset + 310, TASK, "running", args={"site": str(pid)})
        packets.end(offset + 400, TASK)
        recordings.append(packets)
    return recordings[0], recordings[1]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_two_processes_in_one_file(path: Path, order: tuple[int, int]) -> None:
    """Concatenated traces load as two processes, each with its own times and names."""
    recordings = two_processes()
    path.write_bytes(b"".join(recordings[i].data() for i in order))
    with open_trace(path) as tp:
        rows = tp.query(
            f"SELECT p.pid, s.ts - {START_NS} AS ts, s.dur, s.name,"
            " EXTRACT_ARG(s.arg_set_id, 'debug.site') AS site"
            " FROM slice s JOIN process_track t ON s.track_id = t.id"
            " JOIN process p USING (upid) ORDER BY p.pid, s.ts"
        )
        assert [tuple(r.values()) for r in rows] == [
            (4242, 10, 300, "ready", "4242"),
            (4242, 310, 90, "running", "4242"),
            (5000, 160, 300, "ready", "5000"),
            (5000, 460, 90, "running", "5000"),
        ]
        assert import_errors(tp) == []
