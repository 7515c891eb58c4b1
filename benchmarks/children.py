"""What is measured in fresh processes: import, report, and instructions under callgrind."""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

PROJECT = Path(__file__).parent.parent

IMPORT = """
import time
start = time.perf_counter_ns()
{statement}
print(time.perf_counter_ns() - start)
"""


def import_ms(statement: str, runs: int) -> tuple[float, float]:
    """(least, median) wall time of an import, each in a fresh interpreter."""
    command = [sys.executable, "-c", IMPORT.format(statement=statement)]
    times = [
        int(subprocess.run(command, check=True, capture_output=True, text=True).stdout) / 1e6
        for _ in range(runs)
    ]
    return min(times), statistics.median(times)


@dataclass(frozen=True)
class ReportCost:
    """One `tracer report` on a large trace, as a whole process."""

    events: int
    trace_bytes: int
    cpu_s: float
    memory_mib: float


def report_cost(events: int) -> ReportCost:
    """Writes a trace of so many events, reports on it, and asks the kernel what it took."""
    from tests.support.stories.large import write_large  # only these tables need the tests

    with tempfile.TemporaryDirectory() as directory:
        trace = Path(directory) / "large.pftrace"
        _apart(write_large, trace, events)
        return _report_on(trace, events)


def shape_costs(events: int, runs: int) -> Iterator[tuple[str, ReportCost]]:
    """The same on traces of each shape, of about so many events: the least of some runs."""
    from tests.support.stories.shapes import SHAPES

    for name in SHAPES:
        with tempfile.TemporaryDirectory() as directory:
            trace = Path(directory) / f"{name}.pftrace"
            _apart(_write, trace, name, events)
            costs = [_report_on(trace, events) for _ in range(runs)]
            yield name, min(costs, key=lambda cost: cost.cpu_s)


def _write(trace: Path, name: str, events: int) -> None:
    from tests.support.stories.shapes import SHAPES

    trace.write_bytes(SHAPES[name](events).data())


def _apart(write: Callable[..., object], *args: object) -> None:
    """In a process of its own: to the kernel a child's memory begins with its parent's."""
    writer = get_context("fork").Process(target=write, args=args)
    writer.start()
    writer.join()
    if writer.exitcode:
        raise SystemExit(f"the trace was not written: exit code {writer.exitcode}")


def _report_on(trace: Path, events: int) -> ReportCost:
    command = [sys.executable, "-m", "tracer", "report", str(trace)]
    with open(os.devnull, "wb") as nowhere:
        child = subprocess.Popen(command, stdout=nowhere)
        _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"{' '.join(command)} exited {child.returncode}")
    cpu_s = usage.ru_utime + usage.ru_stime
    return ReportCost(events, trace.stat().st_size, cpu_s, usage.ru_maxrss / 1024)


CHILD = """
import sys
from benchmarks.pairs import run_once
from benchmarks.workloads import WORKLOADS
name, arm, amount = sys.argv[1:]
(workload,) = (each for each in WORKLOADS if each.name == name)
run_once(workload, int(amount), arm, None)
"""


@dataclass(frozen=True)
class Instructions:
    """User-mode instructions of one run: of the main thread, and of all threads."""

    main: int
    process: int


def count_instructions(
    workload: str, arm: str, amount: int, child: str = CHILD
) -> Instructions:
    """Runs `amount` units under callgrind, which knows neither seconds nor neighbours."""
    with tempfile.TemporaryDirectory() as directory:
        out = Path(directory) / "counts"
        subprocess.run(
            [
                *("valgrind", "--quiet", "--tool=callgrind", "--separate-threads=yes"),
                f"--callgrind-out-file={out}",
                *(sys.executable, "-c", child, workload, arm, str(amount)),
            ],
            cwd=PROJECT,
            env={**os.environ, "PYTHONHASHSEED": "0"},
            check=True,
        )
        threads = [
            int(total[1])
            for file in sorted(Path(directory).glob("counts*-*"))
            if (total := re.search(r"^totals: (\d+)", file.read_text(), re.MULTILINE))
        ]
    return Instructions(threads[0], sum(threads))


def instructions_per_unit(workload: str, arm: str, amount: int) -> tuple[float, float]:
    """(main thread, process) per unit: what twice the amount costs more than once."""
    once = count_instructions(workload, arm, amount)
    twice = count_instructions(workload, arm, 2 * amount)
    return (twice.main - once.main) / amount, (twice.process - once.process) / amount
