"""Everything `tracer report` says, as one value that both its forms are rendered from."""

from dataclasses import dataclass

from tracer import schema as s
from viewer.analysis.cpu import CpuRow, cpu_rows
from viewer.analysis.gc import GcRow, gc_rows
from viewer.analysis.health import Health, health
from viewer.analysis.tasks import By, TaskRow, task_rows
from viewer.model import Model

SECTIONS = ("tasks", "threads", "locks", "io", "gc", "cpu", "health")


@dataclass(frozen=True, slots=True)
class Heading:
    """What was recorded. `start_unix_ns` is 0 when the trace does not say."""

    file: str
    duration_ns: int
    start_ns: int
    start_unix_ns: int
    pid: int
    argv: tuple[str, ...]
    python: str
    events: int
    size_bytes: int
    processes: int


@dataclass(frozen=True, slots=True)
class Report:
    """`by` says what a row of tasks is. Sections that were not asked for are empty."""

    heading: Heading
    by: By
    tasks: tuple[TaskRow, ...]
    gc: tuple[GcRow, ...]
    cpu: tuple[CpuRow, ...]
    health: Health
    recorded: tuple[str, ...]  # sections this trace has data for


def build_report(model: Model, by: By, sections: tuple[str, ...] = SECTIONS) -> Report:
    tasks = task_rows(model, by) if "tasks" in sections else ()
    gc = gc_rows(model) if "gc" in sections else ()
    cpu = cpu_rows(model) if "cpu" in sections else ()
    state = health(model)
    recorded = [name for name, rows in (("tasks", tasks), ("gc", gc), ("cpu", cpu)) if rows]
    # A signal that was on and saw nothing was recorded all the same.
    recorded += [name for name in ("tasks", "gc", "cpu") if name in state.signals]
    return Report(
        heading(model), by, tasks, gc, cpu, state, (*dict.fromkeys(recorded), "health")
    )


def heading(model: Model) -> Heading:
    """What the trace is of."""
    trace = model.trace
    recorded = [process for process in trace.processes if process.recording]
    first = min(recorded, key=lambda process: process.start_ns)
    pid = first.pid
    words = next((t.cmdline for t in trace.tracks.values() if t.pid == pid and t.cmdline), ())
    argv = words or (str(first.recording.get(s.ARG_ARGV, "")),)
    start = first.start_ns
    return Heading(
        str(trace.path),
        max(process.end_ns for process in recorded) - start,
        start,
        first.start_unix_ns,
        pid,
        argv,
        str(first.recording.get(s.ARG_PYTHON, "?")),
        len(trace.events.time_ns),
        trace.size_bytes,
        len(recorded),
    )
