"""The C decoder and its Python twin agree on good traces, on damaged ones and on garbage."""

import random

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.builder.wire import message, number
from tests.support.engines import plain
from tests.support.stories.large import write_large
from tests.support.stories.waits import every_trace
from tracer.errors import TraceFileError
from viewer.analysis.report import build_report
from viewer.analysis.tasks import By
from viewer.trace.engine import BEST, HAS_NATIVE, in_python
from viewer.trace.model import build_model
from viewer.trace.reader import read_trace

pytestmark = [
    pytest.mark.skipif(
        not HAS_NATIVE, reason="needs the C decoder, which was not built: install a C compiler"
    ),
    pytest.mark.invalid_traces,
]


def whole_story(path, engine):
    """Everything the reader turns a file into: columns, or the refusal."""
    try:
        trace = read_trace(path, engine)
    except TraceFileError as error:
        return str(error)
    model = build_model(trace)
    reports = [build_report(model, by) for by in By]
    return [*map(plain, (trace.events, trace.slices, model.owners, model.states)), reports]


def assert_twins(path, data):
    path.write_bytes(data)
    assert plain(BEST.decode(data)) == plain(in_python().decode(data))
    assert whole_story(path, BEST) == whole_story(path, in_python())


@pytest.mark.parametrize(("name", "data"), every_trace())
def test_good_traces(tmp_path, name, data):
    """Both read every hand-made trace alike, from columns to report."""
    assert_twins(tmp_path / "x", data)


def test_large_trace(tmp_path):
    """Both read a trace of many tasks, flows and chunks alike."""
    path = tmp_path / "large"
    write_large(path, 20_000)
    assert whole_story(path, BEST) == whole_story(path, in_python())


@pytest.mark.default("0", "3")
@pytest.mark.parametrize("seed", range(6))
def test_tasks_are_known_by_any_ids(tmp_path, seed):
    """In a row, far apart, the largest first: each is one task, also where it was met before
    those below it."""
    choose = random.Random(seed)
    ids = [2000, 1500, 1 << 40, *choose.sample(range(1, 9000), 400)]
    trace, at = TraceBuilder(), 1000
    loop = trace.loop(trace.thread("MainThread"))
    tasks = [loop.task(f"f{choose.randrange(3)}") for _ in ids]
    for task, id_ in zip(tasks, ids, strict=True):
        task.id = id_
    for _ in range(3):
        for task in choose.sample(tasks[1:], 100) + tasks[:1]:
            task.ready(at, waker_task=choose.choice(ids)).running(at + 10)
            loop.step(task, at + 10, at + 20)
            task.awaits(at + 20, "sleep")
            at += 30
    assert_twins(tmp_path / "x", trace.data())
    owners = build_model(read_trace(tmp_path / "x")).owners
    known = {id_ for id_ in owners.task_id.tolist() if id_ >= 0}
    assert len(owners.task_id) == len(known)
    assert {2000} <= known <= {*ids}


def mutate(data, choose):
    """A damaged copy: bytes changed, taken out, put in, doubled or cut off."""
    out = bytearray(data)
    for _ in range(choose.randrange(1, 6)):
        at = choose.randrange(len(out))
        size = choose.randrange(1, 40)
        match choose.randrange(6):
            case 0:
                out[at] = choose.randrange(256)
            case 1:
                out[at] ^= 1 << choose.randrange(8)
            case 2:
                del out[at : at + size]
            case 3:
                out[at:at] = choose.randbytes(size)
            case 4:
                out[at:at] = out[at : at + size]
            case 5 if choose.random() < 0.2:
                del out[at:]
        if not out:
            return b"\x0a"
    return bytes(out)


@pytest.mark.default("0", "1")
@pytest.mark.parametrize("seed", range(8))
def test_damaged_traces(tmp_path, seed):
    """Whatever is damaged, both say the same of it and neither fails."""
    choose = random.Random(seed)
    traces = [data for _, data in every_trace()]
    for _ in range(60):
        assert_twins(tmp_path / "x", mutate(choose.choice(traces), choose))


@pytest.mark.default("0")
@pytest.mark.parametrize("seed", range(4))
def test_damage_inside_packets(tmp_path, seed):
    """Damage that leaves the framing whole reaches every parser behind it."""
    choose = random.Random(seed)
    stories = [data for name, data in every_trace() if "chunks" in name]
    for _ in range(60):
        data = bytearray(choose.choice(stories))
        at, bodies = 0, []
        while at < len(data):
            size, start = data[at + 1], at + 2
            if size > 127:
                size, start = (size & 127) | data[at + 2] << 7, at + 3
            bodies.append((start, start + size))
            at = start + size
        for _ in range(choose.randrange(1, 4)):
            start, end = choose.choice(bodies)
            if start < end:
                data[choose.randrange(start, end)] = choose.choice([0, 1, 2, 8, 127, 128, 255])
        assert_twins(tmp_path / "x", bytes(data))


@pytest.mark.parametrize("seed", range(4))
def test_garbage(seed):
    """Random bytes behind a packet's tag do no harm."""
    choose = random.Random(seed)
    for size in (1, 10, 100, 5_000):
        data = b"\x0a" + choose.randbytes(size)
        assert plain(BEST.decode(data)) == plain(in_python().decode(data))


def test_many_sequences_and_tracks():
    """Time does not explode with the number of sequences and tracks a file names."""
    packets = [
        message(1, number(10, i) + number(13, 1) + message(11, number(9, 3) + number(11, i)))
        for i in range(3_000)
    ]
    data = b"".join(packets)
    assert plain(BEST.decode(data)) == plain(in_python().decode(data))


@pytest.mark.parametrize("step", [1, 16, 1 << 20, (1 << 40) + 16])
def test_uuids_of_any_pattern(step):
    """The table of uuids tells them apart, whatever bits they differ in."""
    uuids = [(7 + i * step) % (1 << 64) for i in range(3_000)]
    head = number(10, 1) + number(13, 1)
    event = [message(11, number(9, 3) + number(11, uuid)) for uuid in uuids]
    told = [
        message(60, number(1, uuid) + message(2, b"t%d" % n)) for n, uuid in enumerate(uuids)
    ]
    data = b"".join(
        message(1, head + number(8, n) + number(58, 3) + event[n] + told[n] + event[n])
        for n in range(len(uuids))
    )
    decoded = [engine.decode(data) for engine in (BEST, in_python())]
    assert plain(decoded[0]) == plain(decoded[1])
    assert decoded[0].uuids.tolist() == uuids
    described = [
        plain(
            engine.describe(
                data, of.descriptor_at, of.descriptor_bytes, of.descriptor_packet, of.uuids
            )
        )
        for engine, of in zip((BEST, in_python()), decoded, strict=True)
    ]
    assert described[0] == described[1]
    assert described[0]["row_of_track"] == list(range(len(uuids)))


def test_ids_of_any_size():
    """Some are in a table, some in a map. A later meaning replaces an earlier one, and a new
    head forgets all."""
    ids = [1, 2, 1_000, 1_027, 1_100, 5_000, 1 << 20, 1 << 40, 1_000, 1 << 40, 3]
    packets, names = [], []
    for n, iid in enumerate([*ids, *ids]):
        is_head = n % len(ids) == 0
        body = number(10, 1) + number(8, n) + number(58, 3)
        body += number(13, 1) if is_head else b""
        body += message(12, message(2, number(1, iid) + message(2, b"name %d" % n)))
        packets.append(message(1, body + message(11, number(9, 3) + number(10, iid))))
        names.append(f"name {n}")
    forgotten = number(10, 1) + number(13, 1) + number(8, 99) + number(58, 3)
    packets += [
        message(1, (forgotten if not n else number(10, 1) + number(8, 99) + number(58, 3))
                + message(11, number(9, 3) + number(10, iid)))
        for n, iid in enumerate(ids)
    ]  # fmt: skip
    data = b"".join(packets)
    decoded = [engine.decode(data) for engine in (BEST, in_python())]
    assert plain(decoded[0]) == plain(decoded[1])
    events = decoded[0]
    assert [events.strings[name] if name >= 0 else "" for name in events.name] == [
        *names,
        *[""] * len(ids),
    ]
