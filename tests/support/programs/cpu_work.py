"""Functions that compute, in Python and in C, for programs whose CPU time is sampled."""

from pathlib import Path

from tests.support.validator.samples import Sample
from tests.support.validator.strict import read_strict

WORK = """\
import json, re, sys, threading, time, zlib
TEXT = "the quick brown fox jumps over the lazy dog " * 40
DATA = TEXT.encode() * 60
ROWS = [{"id": i, "name": str(i), "tags": ["a", "b"]} for i in range(60)]
NUMBERS = [(i * 7919) % 10007 for i in range(4000)]

def pure(seconds):
    end = time.thread_time() + seconds
    while (now := time.thread_time()) < end:
        until = min(end, now + 0.01)
        while time.thread_time() < until:
            total = 0
            for i in range(2000):
                total += i * i
        time.sleep(now % 0.003)  # else another may have every tick of the kernel

def sort(seconds):
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        sorted(NUMBERS)

def pattern(seconds):
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        re.findall(r"(\\w+) (\\w+)", TEXT)

def pack(seconds):
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        zlib.compress(DATA)

def dump(seconds):
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        json.dumps(ROWS)

spent = {}

def A(work, seconds):
    before = time.thread_time()
    work(seconds)
    spent["A"] = spent.get("A", 0) + time.thread_time() - before

def B(work, seconds):
    before = time.thread_time()
    work(seconds)
    spent["B"] = spent.get("B", 0) + time.thread_time() - before
"""


def samples_of(path: Path) -> list[Sample]:
    return read_strict(path.read_bytes()).samples


def inside(samples: list[Sample], name: str) -> int:
    """How many samples have a function of that name in their stack."""
    return sum(any(function == name for function, _, _ in each.frames) for each in samples)
