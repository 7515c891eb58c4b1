"""TRACER_DEBUG in real programs: its lines, and that the program runs on whatever it says."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Recorder
from tests.support.validator.strict import read_strict
from tracer import schema as s

GC = re.compile(
    r"tracer: gc (?P<number>\d+) @\d+\.\d{3}s \d+\.\d%: pid=\d+ gen=(?P<generation>[0-2])"
    r" pause=(?P<us>\d+)us collected=(?P<collected>\d+) uncollectable=\d+( heap=\d+->\d+)?"
)
SCHED = re.compile(
    r"tracer: sched (?P<ms>\d+)ms: pid=\d+ tasks=\d+ ready=\d+ running=\d+ awaiting=\d+"
    r" threads=\d+( [a-z_]+=\d+)*( gil_held=\d+% gil_waited=\d+%)? rss=\d+"
    r" loops=\[(\d+: ready=\d+ busy=\d+% lag_p99=\d+us lag_max=\d+us(, )?)*\]"
)
LOOP = re.compile(r'tracer: sched \d+ms: pid=\d+ loop=1 tasks=\d+ steps=\d+ name="[^"]+"')
THREAD = re.compile(
    r'tracer: sched \d+ms: pid=\d+ thread=\d+ for=\d+us state="[^"]+" name="MainThread"'
)
COLLECTS = """
import gc
gc.disable()
for n in range(3):
    gc.collect(n)
print("done", flush=True)
"""


def with_debug(monkeypatch: pytest.MonkeyPatch, words: str) -> None:
    monkeypatch.setenv("TRACER_DEBUG", words)


def lines(stderr: str, word: str) -> list[str]:
    return [line for line in stderr.splitlines() if line.startswith(f"tracer: {word} ")]


def test_each_collection_is_a_line(record: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    """And says what the trace says."""
    with_debug(monkeypatch, "gctrace=1")
    trace = record(COLLECTS)
    found = [GC.fullmatch(line) for line in lines(record.stderr, "gc")]
    assert all(found)
    assert [int(m["number"]) for m in found if m] == list(range(1, len(found) + 1))
    assert [m["generation"] for m in found if m][-3:] == ["0", "1", "2"]
    collections = [
        event
        for event in read_strict(trace.read_bytes()).events
        if event.category == "gc" and event.type == s.TYPE_SLICE_BEGIN
    ]
    tracks = {event.track for event in collections}
    assert len(found) in {sum(e.track == track for e in collections) for track in tracks}
    assert record.stdout == "done\n"


def test_collections_show_the_heap_where_it_is_recorded(
    record: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_debug(monkeypatch, "gctrace=1")
    record(COLLECTS, options=("--heap",))
    # Not of those before allocations are recorded, or after.
    assert sum(" heap=" in line for line in lines(record.stderr, "gc")) >= 3


SCHEDULES = """
import asyncio, sys, time
async def main():
    deadline = time.monotonic() + 60
    while open(sys.argv[1]).read().count(" loop=") < 2 and time.monotonic() < deadline:
        await asyncio.sleep(0.01)
asyncio.run(main())
"""


def test_schedule(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The program reads what was said, and ends when that is enough."""
    with_debug(monkeypatch, "schedtrace=50,scheddetail=1")
    script, said = tmp_path / "prog.py", tmp_path / "stderr"
    script.write_text(SCHEDULES)
    with said.open("wb") as stderr:
        subprocess.run(
            [
                *(sys.executable, "-m", "tracer", "run", "--no-profile", "-o", "t.pftrace"),
                *(script, said),
            ],
            cwd=tmp_path,
            stderr=stderr,
            timeout=120,
            check=True,
        )
    rows = lines(said.read_text(), "sched")
    summaries = [match for match in map(SCHED.fullmatch, rows) if match]
    assert len(summaries) >= 2
    times = [int(match["ms"]) for match in summaries]
    assert times == sorted(set(times))
    assert times[0] >= 50
    assert sum(LOOP.fullmatch(row) is not None for row in rows) >= 1
    assert sum(THREAD.fullmatch(row) is not None for row in rows) >= 1
    assert all(any(p.fullmatch(row) for p in (SCHED, LOOP, THREAD)) for row in rows)


def test_words_that_make_no_sense(record: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    with_debug(monkeypatch, "nonsense,gctrace=1,schedtrace=x")
    record(COLLECTS)
    wrong = [line for line in record.stderr.splitlines() if "TRACER_DEBUG" in line]
    assert [line.split("'")[1] for line in wrong] == ["nonsense", "schedtrace=x"]
    assert len(lines(record.stderr, "gc")) >= 3
    assert record.stdout == "done\n"


@pytest.mark.parametrize(
    "first",
    [
        "import os; os.close(2)",
        "import os; os.close(2); assert os.open('other', os.O_CREAT | os.O_RDWR) == 2",
    ],
    ids=["closed", "another file"],
)
def test_stderr_that_is_gone(
    record: Recorder, monkeypatch: pytest.MonkeyPatch, first: str
) -> None:
    """Nothing is written into what the program has opened in its place."""
    with_debug(monkeypatch, "gctrace=1,schedtrace=50")
    record(f"{first}\n{COLLECTS}")
    assert record.stdout == "done\n"
    other = record.directory / "other"
    assert not other.exists() or b" gc " not in other.read_bytes()


FULL = """
import fcntl, os, gc
fcntl.fcntl(2, 1031, 4096)  # F_SETPIPE_SZ
os.set_blocking(2, False)
try:
    while True:
        os.write(2, b"x" * 4096)
except BlockingIOError:
    os.set_blocking(2, True)
"""


def test_stderr_that_nobody_reads_blocks_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_debug(monkeypatch, "gctrace=1,schedtrace=50")
    script = tmp_path / "prog.py"
    script.write_text(FULL + COLLECTS)
    reads, writes = os.pipe()
    with subprocess.Popen(
        [sys.executable, "-m", "tracer", "run", "--no-profile", "-o", "t.pftrace", script],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=writes,
    ) as process:
        os.close(writes)
        assert process.stdout is not None
        assert process.stdout.readline() == b"done\n"
        while os.read(reads, 1 << 16):  # the recorder's last line has room now
            pass
        assert process.wait(60) == 0
    os.close(reads)
