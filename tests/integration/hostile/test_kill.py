"""A program killed with SIGKILL leaves a readable trace that is 250 ms short at most.

The writer can only ask for the CPU; any time that the kernel made it wait is added to that.
"""

from __future__ import annotations

import contextlib
import mmap
import random
import signal
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from perfetto.protos.perfetto.trace.perfetto_trace_pb2 import TracePacket

from tests.conftest import Recorder
from tracer import schema
from viewer.trace.rings import read_ring

KILLS, FLIGHT_KILLS = 100, 200
LATEST_KILL_S = 0.6  # after the program's first step
LATEST_FLIGHT_KILL_S = 1.6  # its ring has dropped its first files by then
MISSING_NS = 250_000_000
LATEST_NS = 60_000_000_000  # longer than any of these programs runs
WRITER = "tracer-writer"
CLOCK_FORMAT = "<q"

# Writes its clock into a page shared with us before every step it takes, so that we know, to
# the step, how far it got. A byte on stdout announces that the first step was taken.
PROGRAM = """
import asyncio, mmap, struct, sys, time

async def worker(page, pause_s):
    while True:
        struct.pack_into("<q", page, 0, time.monotonic_ns())
        await asyncio.sleep(pause_s)

async def main(path):
    with open(path, "r+b") as file, mmap.mmap(file.fileno(), 8) as page:
        workers = [asyncio.create_task(worker(page, (n + 1) / 2000)) for n in range(4)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        print(".", end="", flush=True)
        await asyncio.gather(*workers)

asyncio.run(main(sys.argv[1]))
"""


def whole_packets(data: bytes) -> Iterator[TracePacket]:
    """Every complete packet of a trace; a half-written last one is left out."""
    position = 0
    while position < len(data):
        assert data[position] == schema.TRACE_PACKET << 3 | 2
        size = shift = 0
        position += 1
        while position < len(data):
            byte = data[position]
            position += 1
            size |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        if position + size > len(data):
            return
        yield TracePacket.FromString(data[position : position + size])
        position += size


def last_event_ns(data: bytes) -> int:
    """The latest event's time on CLOCK_MONOTONIC."""
    now = latest = 0
    for packet in whole_packets(data):
        for clock in packet.clock_snapshot.clocks:
            if clock.clock_id == schema.CLOCK_DELTA:
                now = clock.timestamp
        if not packet.HasField("track_event"):
            continue
        if packet.timestamp_clock_id == schema.CLOCK_MONOTONIC:
            latest = max(latest, packet.timestamp)
        else:
            now += packet.timestamp
            latest = max(latest, now)
    return latest


def writer_run_delay_ns(pid: int) -> int:
    """How long in its whole life the writer has been ready to run without running. Where it is
    in the midst of waiting for the disk, nobody knows how long that has lasted."""
    for task in Path(f"/proc/{pid}/task").iterdir():
        if (task / "comm").read_text().strip() == WRITER:
            if (task / "stat").read_text().rpartition(")")[2].split()[0] == "D":
                return LATEST_NS
            return int((task / "schedstat").read_text().split()[1])
    raise AssertionError("no writer")


def kill(folder: Path, moment_s: float, *options: str) -> tuple[int, int]:
    """Kills a program so long after its first step: the time of its last step, and how long
    the kernel has made the writer wait."""
    program, clock = (folder / name for name in ("p.py", "clock"))
    program.write_text(PROGRAM)
    clock.write_bytes(bytes(mmap.PAGESIZE))
    process = subprocess.Popen(
        [sys.executable, "-m", "tracer", "run", *options, str(program), str(clock)],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.read(1) == b"."
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(moment_s)
        delay_ns = writer_run_delay_ns(process.pid)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    (last_step_ns,) = struct.unpack_from(CLOCK_FORMAT, clock.read_bytes())
    return last_step_ns, delay_ns


@pytest.mark.kill
@pytest.mark.parametrize("seed", range(KILLS))
def test_killed_program_leaves_its_trace(record: Recorder, tmp_path: Path, seed: int) -> None:
    """Killed at random, it leaves a valid trace (conftest), at most 250 ms short."""
    moment_s = random.Random(seed).uniform(0, LATEST_KILL_S)
    trace = tmp_path / "killed.pftrace"
    last_step_ns, delay_ns = kill(tmp_path, moment_s, "-o", str(trace))
    missing_ns = last_step_ns - last_event_ns(trace.read_bytes())
    assert missing_ns <= MISSING_NS + delay_ns
    report = record.tracer("report", str(trace), "--json")
    assert report.returncode == 0, report.stderr


@pytest.mark.kill
@pytest.mark.parametrize("seed", range(FLIGHT_KILLS))
def test_killed_program_leaves_its_ring(record: Recorder, tmp_path: Path, seed: int) -> None:
    """The same of a flight recording: its ring is a valid trace (conftest)."""
    moment_s = random.Random(seed).uniform(0, LATEST_FLIGHT_KILL_S)
    folder = tmp_path / "flight"
    options = ("--flight", "1s", "--snapshots", str(folder))
    last_step_ns, delay_ns = kill(tmp_path, moment_s, *options)
    (ring,) = folder.iterdir()
    missing_ns = last_step_ns - last_event_ns(read_ring(ring)[0])
    assert missing_ns <= MISSING_NS + delay_ns
    report = record.tracer("report", str(folder), "--json")
    assert report.returncode == 0, report.stderr
