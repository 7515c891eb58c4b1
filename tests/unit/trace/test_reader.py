"""Opening trace files: what is read, what is forgiven, what is refused and how."""

import gzip

import pytest

from tests.support.builder.encoding import Event
from tests.support.builder.trace import TraceBuilder
from tests.support.builder.wire import message, number
from tests.support.engines import ENGINES
from tests.support.stories.waits import blocked_loop, every_trace, killed, lanes
from tracer import schema as s
from tracer.errors import TraceFileError
from viewer.analysis.tasks import By, task_rows
from viewer.trace.model import build_model
from viewer.trace.processes import Arg
from viewer.trace.reader import Trace, read_trace

pytestmark = [pytest.mark.parametrize("engine", ENGINES), pytest.mark.invalid_traces]


@pytest.fixture
def read(tmp_path, engine):
    """Reads the bytes as a trace file."""

    def read(data: bytes) -> Trace:
        path = tmp_path / "x.pftrace"
        path.write_bytes(data)
        return read_trace(path, engine)

    return read


@pytest.fixture
def refused(tmp_path, engine):
    """The one line with which the bytes are refused, the path replaced by X."""

    def refused(data: bytes) -> str:
        path = tmp_path / "x.pftrace"
        path.write_bytes(data)
        with pytest.raises(TraceFileError) as caught:
            read_trace(path, engine)
        return str(caught.value).replace(str(path), "X")

    return refused


def shown(trace: Trace) -> list[tuple[int, int, str, str, dict[str, Arg]]]:
    """Events in order of time, in words, without track numbers."""
    e = trace.events
    order = sorted(range(len(e.time_ns)), key=e.time_ns.__getitem__)
    return [
        (
            e.time_ns[i],
            e.type[i],
            trace.text(e.name[i]),
            trace.text(e.category[i]),
            trace.args(i),
        )
        for i in order
    ]


def test_chunks_do_not_matter(read):
    """However a trace is cut into chunks, the same events are read."""
    story = blocked_loop()
    whole = shown(read(story.data()))
    for size in (1, 2, 7):
        assert shown(read(story.data(chunk_events=size))) == whole


def test_late_events(read):
    """Events written late, with absolute timestamps, take their place in time."""
    trace = TraceBuilder()
    track = trace.thread("t").track
    for at in (5_000, 2_000, 9_000, 2_000, 100):
        trace.instant(track, at, f"at {at}", s.CAT_THREAD)
    times = [time - trace.start_ns for time, *_ in shown(read(trace.data(in_call_order=True)))]
    assert times == [0, 100, 2_000, 2_000, 5_000, 9_000]


def test_equal_times_keep_file_order(read):
    """Of equal timestamps the one first in the file comes first."""
    trace = TraceBuilder()
    task = trace.loop(trace.thread("t")).task("f").ready(10).running(10).awaits(10, "sleep")
    task.done(20)
    slices = read(trace.data()).slices
    assert list(slices.start_ns) == [trace.start_ns + 10] * 3
    assert [e - trace.start_ns for e in slices.end_ns] == [10, 10, 20]


def test_inline_names(read):
    """Names written out read like interned ones, arguments of all types included."""
    rows = []
    for inline in (True, False):
        trace = TraceBuilder()
        args: dict[str, int | str | bool | float] = {
            "text": "é",
            "yes": True,
            "minus": -5,
            "big": 1 << 63,
        }
        event = Event(5, s.TYPE_INSTANT, trace.tracer, s.NOTE, s.CAT_TRACER, args)
        event.inline = inline
        trace.add(event)
        rows.append(shown(read(trace.data()))[-1])
    assert rows[0] == rows[1]
    assert rows[0][-1] == {"text": "é", "yes": 1, "minus": -5, "big": 1 << 63}


def test_gzip(read):
    """A gzipped trace reads like the plain one; so do two members after each other."""
    data = blocked_loop().data(chunk_events=5)
    plain = shown(read(data))
    assert shown(read(gzip.compress(data))) == plain
    half = data.index(b"\x0a", len(data) // 2)
    assert shown(read(gzip.compress(data[:half]) + gzip.compress(data[half:]))) == plain


def test_cut_gzip(read):
    """Of a cut gzip file everything before the cut is read."""
    data = blocked_loop().data()
    trace = read(gzip.compress(data, compresslevel=0)[:-200])
    assert 0 < len(trace.events.time_ns) < len(shown(read(data)))


def test_two_processes(read):
    """Two files after each other are one trace of two processes with a table each."""
    trace = read(blocked_loop().data() + lanes().data())
    assert [process.pid for process in trace.processes] == [100, 200]
    rows = task_rows(build_model(trace), By.CORO)
    assert sorted((row.coro, row.count) for row in rows) == [
        ("fetch", 3),
        ("handler", 1),
        ("main", 1),
        ("tick", 1),
    ]


@pytest.mark.parametrize("cut", [1, 2, 3, 10, 50, 200])
def test_cut_tail(read, cut):
    """A cut packet at the end is lost and counted, everything before it is read."""
    data = blocked_loop().data()
    whole, trace = shown(read(data)), read(data[:-cut])
    assert shown(trace) == whole[: len(shown(trace))]
    assert trace.lost_bytes == len(data) - cut - trace.events.framed_bytes
    assert len(shown(trace)) < len(whole)


def test_unknown_packets_and_fields(read):
    """Packets and fields of other tools are skipped and count as nothing."""
    chunk = blocked_loop().chunks()[0]
    sequence = number(s.PACKET_SEQUENCE_ID, 77)
    foreign = message(s.TRACE_PACKET, sequence + message(900, b"what") + number(901, 5))
    data = chunk[0] + foreign + b"".join(chunk[1:])
    trace = read(data)
    assert shown(trace) == shown(read(b"".join(chunk)))
    assert trace.lost_bytes == 0


def test_damaged_packet_costs_its_chunk(read):
    """What follows a damaged packet is not believed until the next chunk head."""
    chunks = blocked_loop().chunks(chunk_events=10)
    bad = message(s.TRACE_PACKET, b"\xff\xff\xff")
    chunks[1].insert(len(chunks[1]) - 5, bad)
    trace = read(b"".join(b"".join(chunk) for chunk in chunks))
    assert len(shown(trace)) == len(blocked_loop().events) - 5
    assert trace.lost_bytes == len(bad) + sum(map(len, chunks[1][-5:]))


def test_lost_chunk_costs_that_chunk(read):
    """Without a middle chunk the others are read, with their right times."""
    story = blocked_loop()
    chunks = story.chunks(chunk_events=9)
    whole = shown(read(story.data()))
    del chunks[2]
    rest = whole[:18] + whole[27:]
    assert shown(read(b"".join(b"".join(chunk) for chunk in chunks))) == rest


def test_open_slices_end_with_their_process(read):
    """Slices open at the end are unfinished and end with the last event of their process."""
    trace = read(killed().data() + blocked_loop().data())
    unfinished = [
        trace.slices.end_ns[i] - 1_000_000_000
        for i, is_open in enumerate(trace.slices.unfinished)
        if is_open
    ]
    assert unfinished == [9_000, 9_000, 9_000]
    assert [p.recording_ended is None for p in trace.processes] == [True, False]


def test_newest_track_name_wins(read):
    """A track described twice has the later name."""
    story = blocked_loop()
    data = story.data()
    track = story.tracer
    sequence = number(s.PACKET_SEQUENCE_ID, story.sequence_id)
    for name in (b"newer", s.TRACK_TRACER.encode(), b"newest", b"newer"):
        old = bytes([len(s.TRACK_TRACER)]) + s.TRACK_TRACER.encode()
        body = story.descriptors[track].replace(old, bytes([len(name)]) + name)
        inner = sequence + message(s.PACKET_TRACK_DESCRIPTOR, body)
        data += message(s.TRACE_PACKET, inner)
    assert read(data).tracks[track].name == "newer"


def test_threads_of_one_name(read):
    """Each has its tid, as one without a name has."""
    trace = TraceBuilder()
    for name, tid in (("pool", 11), ("main", 12), ("pool", 13), ("", 14)):
        trace.thread(name, tid).running(0).end(5)
    model = build_model(read(trace.ended(5).data()))
    assert model.thread_names == ("pool (11)", "main", "pool (13)", "thread 14")


def test_times(read):
    """A process starts at its recording event, and the wall clock comes from the snapshot."""
    process = read(blocked_loop().data()).processes[0]
    assert process.start_ns == 1_000_000_000
    assert process.end_ns == 1_045_000_000
    assert process.start_unix_ns == 1_700_000_001_000_000_000


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (b"", "cannot read 'X': the file is empty. Record one with 'tracer run prog.py'."),
        (
            b"PK\x03\x04 a zip file",
            "cannot read 'X': not a trace (begins 50 4b 03 04). "
            "Record one with 'tracer run prog.py'.",
        ),
        (
            b"\x0a\x05abc",
            "cannot read 'X': not a trace (begins 0a 05 61 62). "
            "Record one with 'tracer run prog.py'.",
        ),
        (
            TraceBuilder(recording=False).chunks() or message(1, number(10, 1)),
            "cannot read 'X': a Perfetto trace, but not made by tracer "
            "(no 'recording' event). Record one with 'tracer run prog.py'.",
        ),
        (
            TraceBuilder(version=s.VERSION + 1).data(),
            "cannot read 'X': its version is 2, this tracer reads up to version 1. "
            "Update tracer.",
        ),
    ],
    ids=["empty", "zip", "torn", "foreign", "newer"],
)
def test_refusals(refused, data, line):
    """What is not a trace of tracer is refused in one line: what, which, why, what next."""
    assert refused(data) == line


def test_missing_file(tmp_path, engine):
    """A missing file is named."""
    with pytest.raises(TraceFileError, match=r"cannot read '.*none': no such file\."):
        read_trace(tmp_path / "none", engine)


@pytest.mark.parametrize(("name", "data"), every_trace())
def test_everything_is_read(read, name, data):
    """No byte of a good trace is lost and no end is without its begin."""
    trace = read(data)
    assert trace.lost_bytes == 0
    assert trace.slices.unmatched_ends == 0
