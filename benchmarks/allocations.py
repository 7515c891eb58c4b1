"""What sampling allocations adds to a malloc and its free that are no sample.

Measured in C, which is compiled here: Python makes no such pair without much besides.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.children import PROJECT
from benchmarks.pairs import OFF, WRAPPED

PAIRS = 2_000_000
SIZES = {64: 2.0, 600: 4.0, 20_000: 4.0}  # and how many ns a pair may take more
SOURCE = """
#include <stddef.h>
#include <time.h>
enum { HELD = 300 };
void *PyObject_Malloc(size_t);
void PyObject_Free(void *);

double pair_ns(size_t size, long count)
{
    struct timespec begin, end;
    /* What was free already: malloc takes from the end of its heap then, in each process. */
    void *held[HELD];
    for (int i = 0; i < HELD; i++)
        held[i] = PyObject_Malloc(size);
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &begin);
    for (long i = 0; i < count; i++) {
        void *block = PyObject_Malloc(size);
        __asm__ volatile("" : : "r"(block) : "memory");
        PyObject_Free(block);
    }
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &end);
    for (int i = 0; i < HELD; i++)
        PyObject_Free(held[i]);
    return ((end.tv_sec - begin.tv_sec) * 1e9 + (end.tv_nsec - begin.tv_nsec)) / count;
}
"""
CHILD = """
import ctypes, sys
library, arm, count, *sizes = sys.argv[1:]
pair_ns = ctypes.PyDLL(library).pair_ns
pair_ns.restype, pair_ns.argtypes = ctypes.c_double, (ctypes.c_size_t, ctypes.c_long)
from benchmarks.pairs import ARMS
around = ARMS[arm]()
around.start()
for size in sizes:
    print(min(pair_ns(int(size), int(count) // 10) for _ in range(10)))
around.stop()
around.finish(None)
"""


@dataclass
class PairCost:
    """The least of all rounds, in ns."""

    size: int
    budget: float
    off: float = float("inf")
    again: float = float("inf")
    on: float = float("inf")

    @property
    def added(self) -> float:
        return self.on - min(self.off, self.again)


def pair_costs(rounds: int, scale: float) -> list[PairCost]:
    """Nothing without a compiler."""
    if shutil.which("cc") is None:
        return []
    costs = [PairCost(size, budget) for size, budget in SIZES.items()]
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "pairs.so"
        command = ["cc", "-O2", "-shared", "-fPIC", "-x", "c", "-", "-o", str(library)]
        subprocess.run(command, input=SOURCE, check=True, text=True)
        for _ in range(rounds):
            for name, arm in (("off", OFF), ("on", WRAPPED), ("again", OFF)):
                for cost, ns in zip(costs, _round(library, arm, scale), strict=True):
                    setattr(cost, name, min(getattr(cost, name), ns))
    return costs


def _round(library: Path, arm: str, scale: float) -> Iterator[float]:
    count = max(1000, int(PAIRS * scale))
    words = map(str, (library, arm, count, *SIZES))
    done = subprocess.run(
        [sys.executable, "-c", CHILD, *words], cwd=PROJECT, check=True, capture_output=True
    )
    return map(float, done.stdout.split())
