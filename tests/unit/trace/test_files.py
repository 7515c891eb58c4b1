"""Several files, folders and FILE.d are one trace; what cannot be one is refused."""

import fcntl
import gzip
import mmap
import struct

import pytest

from tests.support.builder import encoding
from tests.support.builder.trace import TraceBuilder
from tests.support.engines import ENGINES, plain
from tests.support.stories.waits import blocked_loop, killed, lanes
from tracer.errors import TraceFileError
from viewer.trace import files
from viewer.trace.reader import read_trace

pytestmark = [pytest.mark.parametrize("engine", ENGINES), pytest.mark.invalid_traces]


def process(pid: int, start_ns: int = 1_000_000_000) -> bytes:
    trace = TraceBuilder(pid=pid, start_ns=start_ns)
    trace.thread("MainThread").running(0).end(50)
    return trace.ended(100).data()


@pytest.fixture
def family(tmp_path):
    """x.pftrace with two children beside it, one of which has a child of its own."""
    parent, children = tmp_path / "x.pftrace", tmp_path / "x.pftrace.d"
    parent.write_bytes(process(100))
    children.mkdir()
    (children / "102-2.pftrace").write_bytes(process(102))
    (children / "101-1.pftrace").write_bytes(process(101))
    (children / "notes.txt").write_bytes(b"nothing")
    return parent


def pids(given, engine):
    return [process.pid for process in read_trace(given, engine).processes]


def refused(given, engine):
    with pytest.raises(TraceFileError) as caught:
        read_trace(given, engine)
    return str(caught.value)


def test_file_brings_its_children(family, engine):
    """FILE and what is in FILE.d are what one file with all packets is."""
    trace = read_trace(family, engine)
    assert [process.pid for process in trace.processes] == [100, 101, 102]
    together = family.parent / "together"
    together.write_bytes(process(100) + process(101) + process(102))
    one = read_trace(together, engine)
    assert plain(trace.events) == plain(one.events)
    assert (trace.lost_bytes, trace.size_bytes) == (0, one.size_bytes)


def test_folder(family, engine):
    """A folder is its traces, with what they bring along; FILE.d is a folder."""
    folder = family.parent
    assert pids(folder, engine) == [100, 101, 102]
    assert pids(folder / "x.pftrace.d", engine) == [101, 102]


def test_several_files(family, engine):
    """In the order in which they are named, each once."""
    other = family.parent / "other.pftrace"
    other.write_bytes(process(103))
    assert pids((other, family), engine) == [103, 100, 101, 102]
    assert pids((family, family.parent / "x.pftrace.d", family), engine) == [100, 101, 102]


def test_packed_files(tmp_path, engine):
    """Each file may be packed."""
    first, second = tmp_path / "a.pftrace", tmp_path / "b.pftrace"
    first.write_bytes(gzip.compress(process(1)))
    second.write_bytes(process(2))
    assert pids((first, second), engine) == [1, 2]


@pytest.mark.parametrize("cut", [1, 7, 30])
def test_cut_file_costs_its_tail(tmp_path, engine, cut):
    """A process that was killed in a write loses that packet; the next file loses nothing."""
    first, second = tmp_path / "a.pftrace", tmp_path / "b.pftrace"
    whole = process(1)
    first.write_bytes(whole[:-cut])
    second.write_bytes(process(2))
    trace = read_trace((first, second), engine)
    alone = read_trace(first, engine)
    assert trace.lost_bytes == alone.lost_bytes > 0
    assert [p.recording_ended is None for p in trace.processes] == [True, False]
    assert trace.size_bytes == len(whole) - cut + len(process(2))


def test_joined_and_still_there(family, engine):
    """While FILE.d is joined into FILE, a child may be in both: it counts once."""
    family.write_bytes(process(100) + process(102))
    trace = read_trace(family, engine)
    assert sorted(process.pid for process in trace.processes) == [100, 101, 102]
    assert len(trace.events.time_ns) == 3 * 4
    # Also where FILE is so large that its beginning does not show the child.
    large = TraceBuilder(pid=100)
    thread = large.thread("MainThread")
    for n in range(5_000):
        thread.io(n * 10, f"socket.recv{n}")
    family.write_bytes(large.ended(60_000).data() + process(102))
    trace = read_trace(family, engine)
    recorded = [process.pid for process in trace.processes if process.recording_ended]
    assert sorted(recorded) == [100, 101, 102]
    assert trace.slices.unmatched_ends == 0


def test_the_same_twice(family, engine):
    """A copy of a file, under another name, counts once."""
    copy = family.parent / "copy.pftrace"
    copy.write_bytes(family.read_bytes())
    assert pids((family, copy), engine) == [100, 101, 102]


def test_one_pid_in_two_processes(tmp_path, engine):
    """A pid that the system used again is another process."""
    (tmp_path / "a.pftrace").write_bytes(process(7))
    again = TraceBuilder(pid=7, start_ns=9_000_000_000, unique=8)
    (tmp_path / "b.pftrace").write_bytes(again.ended(5).data())
    processes = read_trace(tmp_path, engine).processes
    assert [(one.pid, one.start_ns // 10**9) for one in processes] == [(7, 1), (7, 9)]


def test_live_is_the_process_that_writes(family, engine):
    """The lock on a child's file says that this child goes on, and nothing of the others."""
    child = family.parent / "x.pftrace.d" / "101-1.pftrace"
    lock = struct.pack("@hhqqi0q", fcntl.F_WRLCK, 0, 0, 0, 0)
    if not hasattr(fcntl, "F_OFD_SETLK"):
        pytest.skip("needs Linux, where a file's lock belongs to whoever opened it")
    with child.open("r+b") as file:
        fcntl.fcntl(file.fileno(), fcntl.F_OFD_SETLK, lock)
        trace = read_trace(family, engine)
    assert {process.pid: process.live for process in trace.processes} == {
        100: False,
        101: True,
        102: False,
    }
    assert trace.live
    assert not read_trace(family, engine).live


def test_what_a_folder_has_besides(family, engine):
    """A child that has not written yet is nothing; one that cannot be read is named."""
    children = family.parent / "x.pftrace.d"
    (children / "104-4.pftrace").write_bytes(b"")
    (children / "105-5.pftrace").write_bytes(b"PK\x03\x04")
    trace = read_trace(family, engine)
    assert [process.pid for process in trace.processes] == [100, 101, 102]
    assert trace.unread == (
        f"cannot read '{children}/105-5.pftrace': not a trace (begins 50 4b 03 04). "
        "Record one with 'tracer run prog.py'.",
    )


def test_refusals(tmp_path, family, engine):
    """One line each: what, which, why, what next."""
    empty, nothing = tmp_path / "empty", tmp_path / "e.pftrace"
    empty.mkdir()
    nothing.write_bytes(b"")
    assert refused(empty, engine) == (
        f"cannot read '{empty}': a folder without traces (*.pftrace). "
        "Record one with 'tracer run prog.py'."
    )
    assert refused((family, tmp_path / "none"), engine) == (
        f"cannot read '{tmp_path}/none': no such file."
    )
    assert refused((family, nothing), engine) == (
        f"cannot read '{nothing}': the file is empty. Record one with 'tracer run prog.py'."
    )
    profile = tmp_path / "x.cpu.pprof"
    profile.write_bytes(gzip.compress(b"profile"))
    assert refused((family, profile), engine) == (
        f"cannot read '{profile}': a profile, not a trace. "
        f"Print it with 'tracer pprof {profile} --top'."
    )


def test_two_machines(tmp_path, engine, monkeypatch):
    """Times of two machines cannot be compared; those of one that set its clock can."""
    first, second = tmp_path / "a.pftrace", tmp_path / "b.pftrace"
    first.write_bytes(process(1))
    monkeypatch.setattr(encoding, "BOOT_NS", encoding.BOOT_NS + 59_000_000_000)
    second.write_bytes(process(2))
    assert pids((first, second), engine) == [1, 2]
    monkeypatch.setattr(encoding, "BOOT_NS", encoding.BOOT_NS + 120_000_000_000)
    second.write_bytes(process(2))
    assert refused((first, second), engine) == (
        f"cannot read '{first} {second}': these recordings are of different machines, or a "
        "machine was restarted between them, so their times cannot be compared. "
        "Read them one at a time."
    )


def test_good_stories_together(tmp_path, engine):
    """Files of several programs: nothing is lost between them."""
    for n, story in enumerate((blocked_loop(), lanes(), killed())):
        (tmp_path / f"{n}.pftrace").write_bytes(story.data())
    trace = read_trace(tmp_path, engine)
    assert trace.lost_bytes == 0
    assert len(trace.processes) == 3


def test_large_file_is_mapped(tmp_path, engine, monkeypatch):
    """A large file that nobody writes is what a small one is: whole, cut, packed, or with
    children; one that is being written, or that cannot be mapped, is read."""
    data = process(100)
    small, large, packed = (tmp_path / name for name in ("small", "large", "packed"))
    for path in (small, large, packed):
        path.write_bytes(gzip.compress(data) if path is packed else data)
    known = plain(read_trace(small, engine).events)
    monkeypatch.setattr(files, "MAPPED_BYTES", 1)
    assert isinstance(files.load(large, engine).data, mmap.mmap)
    assert plain(read_trace(large, engine).events) == known
    assert plain(read_trace(packed, engine).events) == known
    assert pids((large, small), engine) == [100]
    large.write_bytes(data + b"\x0a\x7f")
    assert read_trace(large, engine).lost_bytes == 2
    large.write_bytes(b"\x00none")
    assert "not a trace (begins 00 6e 6f 6e)" in refused(large, engine)
    monkeypatch.setattr(files, "is_locked", lambda _: True)
    assert isinstance(files.load(small, engine).data, bytes)


def test_file_that_cannot_be_mapped_is_read(tmp_path, engine, monkeypatch):
    def refuse(*_, **__):
        raise OSError("no such device")

    monkeypatch.setattr(files, "MAPPED_BYTES", 1)
    monkeypatch.setattr(mmap, "mmap", refuse)
    (tmp_path / "x").write_bytes(process(100))
    assert files.load(tmp_path / "x", engine).data == process(100)
