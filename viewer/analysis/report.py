"""Everything in `tracer report`, as one value; its text and its JSON are made from it."""

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

from tracer import schema as s
from viewer.analysis.alike import fold_locks, fold_threads, shared_names
from viewer.analysis.availability import Latency, latency
from viewer.analysis.causes.spent import Spent, spent
from viewer.analysis.escape import Escape, escape
from viewer.analysis.findings import Facts, Failed, Finding, find
from viewer.analysis.flight import Flight, flight_of
from viewer.analysis.gc import GcRow, gc_rows
from viewer.analysis.health import Health, health
from viewer.analysis.io import IoRow, io_rows
from viewer.analysis.locks import LockRow, lock_rows
from viewer.analysis.memory import Memory, memory
from viewer.analysis.processes.family import Family
from viewer.analysis.processes.rows import JobRow, ProcessRow, job_rows, process_rows
from viewer.analysis.profiles.cpu import CpuRow, cpu_rows
from viewer.analysis.regions import RegionRow, has_regions, region_rows
from viewer.analysis.rows import Later, Rows
from viewer.analysis.tasks import By, TaskRow, task_rows
from viewer.analysis.threads import ThreadRow, thread_rows
from viewer.trace.loops import Nouns
from viewer.trace.model import Model
from viewer.trace.told import Told as Columns

SECTIONS = (
    "findings",
    "processes",
    "jobs",
    "tasks",
    "latency",
    "regions",
    "threads",
    "locks",
    "io",
    "gc",
    "cpu",
    "memory",
    "escape",
    "health",
)
_SIGNALS = {
    "tasks": "tasks",
    "threads": "gil",
    "locks": "locks",
    "io": "io",
    "gc": "gc",
    "cpu": "cpu",
    "memory": "heap",
    "escape": "heap",
}


class Heading(NamedTuple):
    """What was recorded. `start_unix_ns` is 0 when unknown, as is `threshold_ns`: calls and
    waits that are shorter were not recorded."""

    file: str
    given: tuple[str, ...]  # the files and folders that the user named
    duration_ns: int
    start_ns: int
    start_unix_ns: int
    pid: int
    argv: tuple[str, ...]
    python: str
    events: int
    size_bytes: int
    processes: int
    threshold_ns: int
    names: dict[int, str]  # of the processes, by their number; empty of a single one
    nouns: Nouns
    flight: Flight | None  # the trace has only the last seconds


class Report(NamedTuple):
    """`by` says what a row of tasks is. Sections that were not requested are empty, as is what
    the time was `spent` on where findings tell it."""

    heading: Heading
    by: By
    findings: tuple[Finding, ...]
    spent: tuple[Spent, ...]
    processes: Sequence[ProcessRow]
    jobs: tuple[JobRow, ...]
    latency: Latency | None
    tasks: Rows[TaskRow]
    regions: Sequence[RegionRow]
    threads: Rows[ThreadRow]
    thread_groups: Rows[ThreadRow]  # the same; those that differ in a number are one
    locks: Rows[LockRow]
    io: Rows[IoRow]
    gc: tuple[GcRow, ...]
    cpu: tuple[CpuRow, ...]
    memory: Memory | None
    escape: Escape | None
    health: Health
    recorded: tuple[str, ...]  # the sections that this trace has data for


def build_report(
    model: Model,
    by: By,
    sections: tuple[str, ...] = SECTIONS,
    failed: list[Failed] | None = None,
) -> Report:
    """`failed`: as for `find`."""
    jobs = job_rows(model) if "jobs" in sections else ()
    tasks = task_rows(model, by) if "tasks" in sections else Rows[TaskRow]()
    regions = "regions" in sections and has_regions(model)
    threads = thread_rows(model) if "threads" in sections else Rows[ThreadRow]()
    locks = lock_rows(model) if "locks" in sections else Rows[LockRow]()
    io = io_rows(model) if "io" in sections else Rows[IoRow]()
    gc = gc_rows(model) if "gc" in sections else ()
    cpu = cpu_rows(model) if "cpu" in sections else ()
    held = memory(model) if "memory" in sections else None
    escaped = escape(model) if "escape" in sections else None
    state = health(model)
    rows = {
        "tasks": tasks,
        "threads": threads,
        "locks": locks,
        "io": io,
        "gc": gc,
        "cpu": cpu,
        "memory": held,
        "escape": escaped,
    }
    soon = latency(model) if {"tasks", "latency"} & {*sections} else None
    found: tuple[Finding, ...] = ()
    if "findings" in sections:
        found = find(
            Facts(
                model,
                tasks=tasks if "tasks" in sections and by is By.CORO else None,
                threads=threads if "threads" in sections else None,
                locks=locks if "locks" in sections else None,
            ),
            failed,
        )
    alike = cache(lambda: shared_names(model))
    disabled = {hook for hook, _ in state.disabled}
    recorded = tuple(
        # A signal that was on counts as recorded even if nothing happened.
        name
        for name, signal in _SIGNALS.items()
        if rows[name] or (signal in state.signals and signal not in disabled)
    )
    of = heading(model)
    recorded = (
        *(["processes"] if of.names else []),
        *(["jobs"] if jobs else []),
        *recorded,
        *(["regions"] if regions else []),
    )
    return Report(
        of,
        by,
        found,
        spent(model) if "findings" in sections and not found else (),
        Later(lambda: process_rows(model) if "processes" in sections else ()),
        jobs,
        soon,
        tasks,
        Later(lambda: region_rows(model) if regions else ()),
        threads,
        fold_threads(model, threads, alike),
        fold_locks(model, locks, alike),
        io,
        gc,
        cpu,
        held,
        escaped,
        state,
        ("findings", *recorded, *(["latency"] if soon and soon.loops else []), "health"),
    )


def why_not(report: Report, section: str) -> str:
    """Why a section was not recorded, as far as the trace shows; else ""."""
    signal = _SIGNALS.get(section, section)
    reasons = [reason for hook, reason in report.health.disabled if hook == signal]
    if reasons:
        return reasons[0]
    if signal == "heap":
        return "allocations are recorded on request: tracer run --heap"
    return f"the signal {signal} was off" if signal in report.health.off else ""


def heading(model: Model) -> Heading:
    """What was recorded, and when."""
    trace = model.trace
    recorded, first = trace.processes.recorded, trace.processes[trace.processes.first]
    family, pid = Family.of(model), first.pid
    argv = trace.cmdline or (str(first.recording.get(s.ARG_ARGV, "")),)
    start = first.start_ns
    return Heading(
        str(trace.path),
        tuple(map(str, trace.given)) or (str(trace.path),),
        max(map(trace.processes.end_ns.__getitem__, recorded)) - start,
        start,
        first.start_unix_ns,
        pid,
        argv,
        str(first.recording.get(s.ARG_PYTHON, "?")),
        len(trace.events.time_ns),
        trace.size_bytes,
        len(recorded),
        max(Columns(trace, trace.processes.begin).numbers(s.ARG_THRESHOLD, 0)),
        {i: family.names[i] for i in family.order} if len(recorded) > 1 else {},
        model.nouns,
        flight_of(model),
    )
