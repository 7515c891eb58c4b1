"""The part of a text report about the program's own regions and tasks."""

from tracer import schema as s
from tracer.units import plural
from viewer.analysis.regions import AWAITING, TASK, UNKNOWN, RegionRow
from viewer.analysis.report import Report
from viewer.render.text.tables import Cell, Style, Time, over, spare, table

_COLUMNS = (
    *("region", "count", "p50", "p90", "p99", "max", "total"),
    *("running", "ready", "waiting", "unknown"),
)
_TO_SPARE = ("p90", "p99")
# States of a task or thread -> the column they are shown in.
_SHOWN = {
    s.RUNNING: "running",
    s.NATIVE: "running",
    s.READY: "ready",
    s.GIL_WAIT: "ready",
    s.PREEMPTED: "ready",
    AWAITING: "waiting",
    "lock": "waiting",
    "io": "waiting",
    s.SLEEP: "waiting",
    s.OFF_CPU: "waiting",
    UNKNOWN: "unknown",
}


def regions(report: Report, top: int, style: Style) -> str:
    """One row per name: how long the regions took, and what their task or thread did."""
    columns, rows = list(_COLUMNS), [_row(row) for row in report.regions[:top]]
    if all(row[-1] == "" for row in rows):
        columns, rows = columns[:-1], [row[:-1] for row in rows]
    names = [str(row[0]) for row in rows]
    columns, rows = spare(columns, rows, names, style.width, _TO_SPARE)
    lines = table(columns, rows, style)
    lines.insert(0, over("wall time", columns, lines[0], "p50", "total"))
    lines.insert(0, style.title("Regions"))
    if len(report.regions) > top:
        lines.append(f"  … and {plural(len(report.regions) - top, 'row')} more (--top)")
    return "\n".join(lines)


def _row(row: RegionRow) -> list[Cell]:
    times = (row.wall.p50_ns, row.wall.p90_ns, row.wall.p99_ns, row.wall.max_ns)
    shown = dict.fromkeys(_COLUMNS[-4:], 0)
    for state, ns in row.states.items():
        shown[_SHOWN[state]] += ns
    return [
        f"task {row.name}" if row.kind == TASK else row.name,
        f"{row.wall.count:,}",
        *map(Time, times),
        Time(row.wall.total_ns),
        *(Time(ns) if ns else "" for ns in shown.values()),
    ]
