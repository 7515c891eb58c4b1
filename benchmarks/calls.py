"""What a program's own events cost it: ns per statement, without a recording and with one.

The least of many short runs: what the statement costs when nobody disturbs it.
"""

from __future__ import annotations

import tempfile
import timeit
from pathlib import Path

import tracer

STATEMENTS = (
    "with region('parse'): pass",
    "with region('parse', size=512): pass",
    "with task('request'): pass",
    "log('half way')",
    "counter('open', 3)",
    "decorated()",
)
NAMES = {name: getattr(tracer, name) for name in ("region", "task", "log", "counter")}
NUMBER, BATCH = 1000, 100  # a batch leaves the writer time, so that nothing is dropped


def least_ns(statement: str, repeat: int) -> float:
    """Net of what an empty loop costs."""
    names = {**NAMES, "plain": plain, "decorated": tracer.region("decorated")(plain)}
    timers = (timeit.Timer(code, globals=names) for code in (statement, "pass"))
    net, empty = (min(timer.repeat(repeat, NUMBER)) for timer in timers)
    called = least_ns("plain()", repeat) if statement == "decorated()" else 0.0
    return (net - empty) / NUMBER * 1e9 - called


def plain() -> None: ...


def call_costs(repeat: int) -> list[tuple[str, float, float]]:
    """(statement, ns without a recording, ns with one). Of a decorator, what it adds."""
    off = [least_ns(statement, repeat) for statement in STATEMENTS]
    on = [float("inf")] * len(STATEMENTS)
    with tempfile.TemporaryDirectory() as directory:
        for _ in range(max(1, repeat // BATCH)):
            with tracer.recording(Path(directory) / "calls.pftrace", signals=("tasks",)):
                for i, statement in enumerate(STATEMENTS):
                    on[i] = min(on[i], least_ns(statement, min(repeat, BATCH)))
    return list(zip(STATEMENTS, off, on, strict=True))
