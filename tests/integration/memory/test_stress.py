"""A minute of threads, forks, exceptions, cycles and ends of every kind, with --heap.

TRACER_STRESS_S sets how many seconds it takes; half an hour shows what is rare.
"""

import itertools
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.validator.rules import validate

pytestmark = [
    pytest.mark.stress,
    pytest.mark.skipif(
        not getattr(sys, "_is_gil_enabled", lambda: True)(), reason="it needs a GIL"
    ),
]
SECONDS = float(os.environ.get("TRACER_STRESS_S", "60"))
PROGRAM = """\
import gc, lzma, os, random, sys, threading, time, tracer
seed, end = int(sys.argv[1]), sys.argv[2]
until = time.monotonic() + 3
KEPT = []

class Node:
    def __init__(self):
        self.itself, self.payload = self, bytes(random.randrange(5000))

def fails(depth):
    data = bytes(3000)
    if depth:
        fails(depth - 1)
    raise ValueError(data[:1])

def generated():
    data = bytearray(2000)
    while True:
        yield len(data)
        data += bytes(500)

def spaces(one):
    two = bytes(2000)
    return sorted(locals()), eval("two"), __import__("os").getpid()

def work(number):
    rng = random.Random(seed * 100 + number)
    steps = generated()
    while time.monotonic() < until:
        Node()
        next(steps)
        spaces(number)
        try:
            fails(rng.randrange(20))
        except ValueError as error:
            KEPT.append(error)
        if rng.random() < 0.01:
            lzma.compress(bytes(100_000))
        if rng.random() < 0.01 and number == 0:
            child = os.fork()
            if not child:
                KEPT.clear()
                Node()
                os._exit(0)
            os.waitpid(child, 0)
        if len(KEPT) > 500:
            del KEPT[:250]
        if number == 1 and rng.random() < 0.002:
            tracer.retained("fails", seconds=0.05)

threads = [threading.Thread(target=work, args=(n,)) for n in range(1, 5)]
for thread in threads:
    thread.start()
work(0)
for thread in threads:
    thread.join()
if end == "raise":
    raise KeyError(end)
os._exit(4) if end == "_exit" else sys.exit(5)
"""
CODES = {"raise": 1, "_exit": 4, "exit": 5}


def test_a_busy_program_ends_as_it_wants(tmp_path: Path) -> None:
    (tmp_path / "prog.py").write_text(PROGRAM)
    until = time.monotonic() + SECONDS
    for seed in itertools.count():
        if time.monotonic() > until:
            break
        end = list(CODES)[seed % len(CODES)]
        words = [sys.executable, "-W", "ignore", "-m", "tracer", "run", "--heap"]
        done = subprocess.run(
            [*words, "--no-follow", "--heap-rate=64K", "prog.py", str(seed), end],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == CODES[end], done.stderr
        assert validate((tmp_path / "prog.pftrace").read_bytes()).heap
