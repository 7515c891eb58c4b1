"""Processes and the jobs of their pools as text."""

from collections.abc import Iterator, Sequence

from tracer.units import duration, moment, plural, share, size
from viewer.analysis.endings import How, signal_name
from viewer.analysis.processes.rows import JobRow, ProcessRow
from viewer.analysis.report import Report
from viewer.render.text.tables import Cell, Style, Time, spare, table, wrap
from viewer.words import Named, place

_TO_SPARE = ("tasks", "threads", "GC", "GIL wait", "p90", "result", "sent")
_AT_LAST = ("jobs", "from", "pid", "failed", "returned")
_HOW = {
    How.ENDED: "ended",
    How.LIVE: "still runs",
    How.REPLACED: "became another program",
    How.CUT: "file cut",
    How.SNAPSHOT: "snapshot",
    How.UNKNOWN: "unknown",
}
_INDENT = 2  # of a child below its parent


def processes(report: Report, top: int, style: Style) -> str:
    """A tree: each process below the one that started it."""
    columns = [
        *("process", "pid", "from", "lived", "end", "work", "", "GIL wait", "GC", "jobs"),
        *("threads", "tasks"),
    ]
    work_ns = sum(row.work_ns for row in report.processes)
    ordered = [*_tree(report.processes)]
    rows = [_row(report, row, depth, work_ns) for depth, row in ordered[:top]]
    lines = [style.title("Processes"), *_fitted(columns, rows, style)]
    if len(ordered) > top:
        lines.append(f"  … and {plural(len(ordered) - top, 'row')} more (--top)")
    programs = {row.program: row.name for row in reversed(report.processes) if row.program}
    for program, name in reversed(programs.items()):
        lines += wrap(f"{name}: {program}", style.width)
    return "\n".join(lines)


def _tree(rows: Sequence[ProcessRow]) -> Iterator[tuple[int, ProcessRow]]:
    """(depth, row), each below its parent, in order of begin."""
    known = {row.process for row in rows}
    below: dict[int, list[ProcessRow]] = {}
    for row in rows:
        below.setdefault(row.parent if row.parent in known else -1, []).append(row)
    stack = [(0, row) for row in reversed(below.get(-1, []))]
    while stack:
        depth, row = stack.pop()
        yield depth, row
        stack += [(depth + 1, child) for child in reversed(below.get(row.process, []))]


def ended(how: How, status: int | None, signal: int | None) -> str:
    """`exit 0`, `SIGKILL`, `still runs`."""
    if signal is not None:
        return signal_name(signal)
    return _HOW[how] if status is None else f"exit {status}"


def _row(report: Report, row: ProcessRow, depth: int, work_ns: int) -> list[Cell]:
    return [
        " " * (_INDENT * depth) + row.name,
        str(row.pid),
        moment(max(row.start_ns - report.heading.start_ns, 0), report.heading.duration_ns),
        Time(row.lived_ns),
        ended(row.how, row.status, row.signal),
        Time(row.work_ns),
        share(row.work_ns, work_ns) if work_ns else "",
        Time(row.gil_wait_ns) if row.gil_wait_ns else "",
        Time(row.gc_ns) if row.gc_ns else "",
        f"{row.jobs:,}" if row.jobs else "",
        f"{row.threads:,}",
        f"{row.tasks:,}" if row.tasks else "",
    ]


def jobs(report: Report, top: int, style: Style) -> str:
    """One row per function of a pool: how long its jobs waited, ran, came back."""
    if not report.jobs:
        return "jobs: no process pool ran any."
    columns = [
        *("job", "jobs", "queued", "ran", "p90", "max", "total", "returned", "sent", "result"),
        "failed",
    ]
    rows = [_job(report, row, style) for row in report.jobs[:top]]
    title = "Jobs of process pools (queued, ran, returned: median of one job)"
    lines = [style.title(title), *_fitted(columns, rows, style)]
    if len(report.jobs) > top:
        lines.append(f"  … and {plural(len(report.jobs) - top, 'row')} more (--top)")
    for row in report.jobs[:top]:
        lines += wrap(_told(row), style.width)
    return "\n".join(lines)


def _told(row: JobRow) -> str:
    """`resize`: 100 jobs in 4 processes ran 1.2 s in all, and waited 300 ms to begin."""
    if not row.workers:
        return f"`{row.name}`: {plural(row.jobs, 'job')}, of which none began in this trace."
    text = f"`{row.name}`: {plural(row.jobs, 'job')} in "
    text += f"{plural(row.workers, 'process', 'processes')} ran {duration(row.ran.total_ns)} "
    text += f"in all, were queued for {duration(row.queued.total_ns)}, and their results took "
    text += f"{duration(row.returned.total_ns)} to come back"
    return f"{text}; {row.unfinished:,} did not end." if row.unfinished else f"{text}."


def _job(report: Report, row: JobRow, style: Style) -> list[Cell]:
    of = report.heading.names.get(row.process, "")
    where = place(row.site, style.base) + (f" [{of}]" if of else "")
    return [
        Named(row.name, where),
        f"{row.jobs:,}",
        Time(row.queued.p50_ns),
        Time(row.ran.p50_ns),
        Time(row.ran.p90_ns),
        Time(row.ran.max_ns),
        Time(row.ran.total_ns),
        Time(row.returned.p50_ns),
        size(row.sent_bytes) if row.sent_bytes else "",
        size(row.result_bytes) if row.result_bytes else "",
        f"{row.failed:,}" if row.failed else "",
    ]


def _fitted(columns: list[str], rows: list[list[Cell]], style: Style) -> list[str]:
    keep = [i for i in range(len(columns)) if i < 2 or any(row[i] != "" for row in rows)]
    shown, cells = [columns[i] for i in keep], [[row[i] for i in keep] for row in rows]
    names = [str(row[0]) for row in cells]
    return table(*spare(shown, cells, names, style.width, _TO_SPARE, _AT_LAST), style)
