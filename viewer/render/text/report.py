"""The report as text for a terminal: its sections, one after the other."""

from collections.abc import Callable, Sequence

from tracer.units import duration, plural, share, size
from viewer.analysis.gc import GcRow
from viewer.analysis.report import Report, why_not
from viewer.render.text.escape import escape
from viewer.render.text.findings import findings
from viewer.render.text.health import health
from viewer.render.text.histogram import latency
from viewer.render.text.memory import memory
from viewer.render.text.overview import heading
from viewer.render.text.processes import jobs, processes
from viewer.render.text.regions import regions
from viewer.render.text.tables import Cell, Style, Time, spare, table, wrap
from viewer.render.text.tasks import tasks
from viewer.render.text.waits import io, locks, threads
from viewer.words import code, place, tail

_LONG = 48  # names and places in sentences
_RARE = ("processes", "jobs", "regions")  # most programs have none: nobody has to be told
_TO_SPARE = ("p90",)  # columns left out first where space is short


def render_text(report: Report, sections: Sequence[str], top: int, style: Style) -> str:
    """The sections, each with at most `top` rows; one line for a section not recorded."""
    parts = ["\n".join(heading(report.heading, style))]
    for name in sections:
        if name in report.recorded:
            parts.append(_SECTIONS[name](report, top, style))
        elif name not in _RARE or len(sections) == 1:
            reason = why_not(report, name)
            because = f" ({reason})" if reason else ""
            text = f"{name}: not recorded in this trace{because}."
            lines = wrap(text, max(style.width, len(name) + 2))
            parts.append("\n".join([lines[0].removeprefix("  "), *lines[1:]]))
    return "\n\n".join(part for part in parts if part) + "\n"


def _gc(report: Report, top: int, style: Style) -> str:
    if not report.gc:
        return "gc: no collections ran."
    columns = [
        "generation", "runs", "p50", "p90", "p99", "max", "total", "collected",
        "uncollectable",
    ]  # fmt: skip
    rows = list(map(_gc_row, report.gc))
    if not any(row.uncollectable for row in report.gc):
        columns, rows = columns[:-1], [row[:-1] for row in rows]
    if any(row.freed_bytes is not None for row in report.gc):
        columns.append("freed")
        rows = [
            [*row, size(of.freed_bytes or 0)] for row, of in zip(rows, report.gc, strict=True)
        ]
    names = [str(row[0]) for row in rows]
    columns, rows = spare(columns, rows, names, style.width, _TO_SPARE, ("collected",))
    called = [
        f"gen{row.generation}: {code('gc.collect()', site)} was called {plural(count, 'time')}"
        for row in report.gc
        for site, count in row.calls[:top]
    ]
    title = style.title("Garbage collection")
    return "\n".join([title, *table(columns, rows, style), *called])


def _gc_row(row: GcRow) -> list[Cell]:
    times = (row.pauses.p50_ns, row.pauses.p90_ns, row.pauses.p99_ns, row.pauses.max_ns)
    return [
        f"gen{row.generation}",
        f"{row.pauses.count:,}",
        *map(Time, times),
        Time(row.pauses.total_ns),
        f"{row.collected:,}",
        f"{row.uncollectable:,}",
    ]


def _cpu(report: Report, top: int, style: Style) -> str:
    if not report.cpu:
        return "cpu: no samples were recorded."
    total = sum(row.self_ns for row in report.cpu)
    columns = ["function", "self", "", "cumulative", " ", "hottest line"]
    rows: list[list[Cell]] = [
        [
            row.function,
            Time(row.self_ns),
            share(row.self_ns, total),
            Time(row.cumulative_ns),
            share(row.cumulative_ns, total),
            tail(place(f"{row.file}:{row.line}", style.base), _LONG // 2) if row.file else "",
        ]
        for row in report.cpu[:top]
    ]
    names = [str(row[0]) for row in rows]
    columns, rows = spare(columns, rows, names, style.width, (), (" ", "cumulative"))
    lines = [style.title(f"CPU, {duration(total)} sampled"), *table(columns, rows, style)]
    if len(report.cpu) > top:
        lines.append(f"  … and {plural(len(report.cpu) - top, 'row')} more (--top)")
    return "\n".join(lines)


_SECTIONS: dict[str, Callable[[Report, int, Style], str]] = {
    "findings": findings,
    "processes": processes,
    "jobs": jobs,
    "tasks": tasks,
    "latency": latency,
    "regions": regions,
    "threads": threads,
    "locks": locks,
    "io": io,
    "gc": _gc,
    "cpu": _cpu,
    "memory": memory,
    "escape": escape,
    "health": health,
}
