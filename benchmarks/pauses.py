"""`python -m benchmarks.pauses`: does a snapshot hold up the program?

A thread of a program under a flight recording reads the clock without end. Seconds in which
another process asks for one snapshot after the other take turns with seconds in which none is
taken. Shown are the gaps between two readings, less the time in which the thread could run but
had no processor: what is left is what it waited for.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PROJECT = Path(__file__).parent.parent
NOTABLE_NS = 50_000
MS = 1_000_000

PROGRAM = """
import os, sys, threading, time
import tracer

tracer.flight(sys.argv[1], seconds=30, max_bytes=256 << 20)
text = "x" * 100
for _ in range(300_000):  # about 10 MB, so that a snapshot has something to copy
    tracer.log(text)
ends = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), ends.set()), daemon=True).start()
print("ready", flush=True)
kernel = os.open("/proc/thread-self/schedstat", os.O_RDONLY)

def without_processor_ns():
    return int(os.pread(kernel, 64, 0).split()[1])

gaps, clock = [], time.monotonic_ns
stood, last = without_processor_ns(), clock()
while not ends.is_set():
    for _ in range(10_000):
        now = clock()
        if now - last > {notable}:
            standing = without_processor_ns()
            gaps.append((last, now, max(now - last - (standing - stood), 0)))
            stood, now = standing, clock()
        last = now
print(*(f"{{a}}-{{b}}-{{c}}" for a, b, c in gaps))
"""


def ask(pid: int, folder: str, until: float) -> int:
    """One snapshot after the other; how many."""
    from tracer.live import client

    count = 0
    address = client.address_of(str(pid))
    while time.monotonic() < until:
        os.unlink(client.ask(address, "snapshot")["file"])
        count += 1
    return count


def gaps_of(folder: str, seconds: int) -> tuple[list[list[int]], int]:
    """Gaps in ns, of the seconds without and with snapshots; and how many there were."""
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM.format(notable=NOTABLE_NS), folder],
        env=os.environ | {"PYTHONPATH": str(PROJECT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdin is not None
    process.stdout.readline()
    turns: list[tuple[int, int, int]] = []  # from, until, whether snapshots were taken
    count = 0
    for second in range(seconds):
        begin_ns = time.monotonic_ns()
        if second % 2:
            count += ask(process.pid, folder, time.monotonic() + 1)
        else:
            time.sleep(1)
        turns.append((begin_ns, time.monotonic_ns(), second % 2))
    process.stdin.close()
    found: list[list[int]] = [[], []]
    for word in process.stdout.read().split():
        begin_ns, _, waited_ns = map(int, word.split("-"))
        for from_ns, until_ns, kind in turns:
            if from_ns <= begin_ns < until_ns:
                found[kind].append(waited_ns)
    process.wait()
    return found, count


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pauses", description=__doc__)
    parser.add_argument("--seconds", type=int, default=60)
    seconds = parser.parse_args().seconds
    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(KeyboardInterrupt):
        found, count = gaps_of(folder, seconds)
        print(f"{count} snapshots in {seconds // 2} s; gaps without and with them")
        for limit in (0.1, 0.2, 0.5, 1, 2, 5, 10):
            without, with_ = (sum(gap > limit * MS for gap in gaps) for gaps in found)
            print(f"longer than {limit:>4} ms: {without:6} {with_:6}")
        longest = [max(gaps, default=0) / MS for gaps in found]
        print(f"longest: {longest[0]:.2f} ms, {longest[1]:.2f} ms")


if __name__ == "__main__":
    main()
