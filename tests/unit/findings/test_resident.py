"""Memory of a process that grows all the time, or does not."""

import pytest

from tests.support.builder.samples import SampleBuilder
from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds
from tracer import schema as s

STEP = 100 * MS
MB = 1_000_000
GROWS = [20 + 10 * n for n in range(12)]


def program(mbs, elsewhere=4, samples=12, busy_ms=80, then=s.SLEEP, importing=0):
    """A counter of the resident memory every 100 ms, while `remember` computes; so many of the
    samples are in an import."""
    trace = TraceBuilder(argv="leak.py", signals=SIGNALS)
    main, track = trace.thread("MainThread").running(0), trace.track(s.COUNTER_RSS, b"")
    for n in range(len(mbs)):
        at, site = n * STEP + busy_ms * MS, "/app/leak.py:9 serve"
        (main.sleep(at, site=site) if then == s.SLEEP else main.io(at, then, site=site))
        main.running((n + 1) * STEP)
    for n, mb in enumerate(mbs):
        trace.counter(track, n * STEP, mb * MB)
    taken = SampleBuilder(trace)
    for n in range(samples):
        name, line = ("remember", 7) if n >= elsewhere else ("other", 3)
        frames = [("_load", "<frozen importlib._bootstrap>", 5)] * (n < importing)
        taken.add(main, (n + 1) * 50 * MS, (name, "/app/leak.py", line), *frames)
    main.end(len(mbs) * STEP)
    return trace.ended(len(mbs) * STEP)


def test_memory_that_nobody_gives_back(tmp_path):
    (found,) = find_in(tmp_path, program(GROWS))
    assert found.finding == "growing global"
    assert found.text == (
        "Memory grows all the time: from 20.0 MB (at 0) to 130.0 MB (1.10 s later). "
        "Meanwhile 67 % of 12 CPU samples were in `remember` (leak.py:7)."
    )
    assert "tracer run --heap" in found.next_step
    assert found.evidence.site == "/app/leak.py:7 remember"


@pytest.mark.parametrize("given", [{"elsewhere": 7}, {"samples": 9}])
def test_who_computes_may_be_unknown(tmp_path, given):
    (found,) = find_in(tmp_path, program(GROWS, **given))
    if "elsewhere" in given:
        assert "`other` (leak.py:3)" in found.text
    else:
        assert found.text.endswith("later).")


@pytest.mark.parametrize(
    "mbs",
    [
        pytest.param([20 + 9 * n for n in range(12)], id="less than 100 MB"),
        pytest.param([*GROWS[:6], *GROWS[1:]], id="some is given back"),
        pytest.param([20, 30, 140, *range(141, 150)], id="data is loaded once"),
    ],
)
def test_memory_that_may_be_needed(tmp_path, mbs):
    assert "growing global" not in kinds(tmp_path, program(mbs))


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"busy_ms": 95}, False),
        ({"then": "io.BufferedReader.read1"}, False),
        ({"then": "socket.recv"}, True),
        ({"importing": 7}, False),
        ({"importing": 6}, True),
    ],
)
def test_a_program_that_makes_or_loads_what_it_needs(tmp_path, given, told):
    """It computes or reads all the time, for nobody who asks now and then, or imports."""
    assert ("growing global" in kinds(tmp_path, program(GROWS, **given))) == told
