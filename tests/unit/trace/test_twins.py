"""The C decoder and its Python twin agree on good traces, on damaged ones and on garbage."""

import random

import pytest

from tests.support.builder.wire import message, number
from tests.support.engines import plain
from tests.support.stories.large import write_large
from tests.support.stories.waits import every_trace
from tracer.errors import TraceFileError
from viewer.analysis.report import build_report
from viewer.analysis.tasks import By
from viewer.trace.engine import BEST, HAS_NATIVE, PYTHON
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
    assert plain(BEST.decode(data)) == plain(PYTHON.decode(data))
    assert whole_story(path, BEST) == whole_story(path, PYTHON)


@pytest.mark.parametrize(("name", "data"), every_trace())
def test_good_traces(tmp_path, name, data):
    """Both read every hand-made trace alike, from columns to report."""
    assert_twins(tmp_path / "x", data)


def test_large_trace(tmp_path):
    """Both read a trace of many tasks, flows and chunks alike."""
    path = tmp_path / "large"
    write_large(path, 20_000)
    assert whole_story(path, BEST) == whole_story(path, PYTHON)


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


@pytest.mark.parametrize("seed", range(8))
def test_damaged_traces(tmp_path, seed):
    """Whatever is damaged, both say the same of it and neither fails."""
    choose = random.Random(seed)
    traces = [data for _, data in every_trace()]
    for _ in range(60):
        assert_twins(tmp_path / "x", mutate(choose.choice(traces), choose))


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
        assert plain(BEST.decode(data)) == plain(PYTHON.decode(data))


def test_many_sequences_and_tracks():
    """Time does not explode with the number of sequences and tracks a file names."""
    packets = [
        message(1, number(10, i) + number(13, 1) + message(11, number(9, 3) + number(11, i)))
        for i in range(3_000)
    ]
    data = b"".join(packets)
    assert plain(BEST.decode(data)) == plain(PYTHON.decode(data))
