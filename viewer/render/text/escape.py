"""The part of a text report about what outlives its call."""

from tracer.units import plural, size
from viewer.analysis.escape import EscapeRow
from viewer.analysis.report import Report
from viewer.render.text.tables import Cell, Style, Time, spare, table, wrap
from viewer.words import places

_COLUMNS = ("outlive", "±", "samples", "allocated", "p50", "p99", "live")
_TO_SPARE = ("p99", "±")
_HOW = (
    "sampled; outlive: the share of the objects that were not freed when the call whose line "
    "made them returned; p50, p99: how long they lived; -: longer than the recording tells"
)


def escape(report: Report, top: int, style: Style) -> str:
    """By line, what was not freed before its call returned."""
    found = report.escape
    if found is None:
        return ""
    total = found.total
    if not total.samples:
        return "escape: no allocation was sampled."
    title = (
        f"Escape, {size(total.outlived_bytes)} of {size(total.allocated_bytes)} outlive the "
        "calls that made them"
    )
    rows = found.lines[:top]
    names = places([row.site for row in rows], style.base)
    cells = [_cells(name, row) for name, row in zip(names, rows, strict=True)]
    columns, cells = spare(["line", *_COLUMNS], cells, names, style.width, _TO_SPARE)
    lines = [style.title(title), *wrap(_HOW, style.width), *table(columns, cells, style)]
    if len(found.lines) > top:
        lines.append(f"  … and {plural(len(found.lines) - top, 'row')} more (--top)")
    return "\n".join(lines)


def _cells(name: str, row: EscapeRow) -> list[Cell]:
    return [
        name,
        "-" if row.share is None else f"{row.share:.0%}".replace("%", " %"),
        "" if row.share is None else f"{row.share_error * 100:.0f} %",
        f"{row.samples:,}",
        size(row.allocated_bytes),
        "-" if row.p50_ns is None else Time(row.p50_ns),
        "-" if row.p99_ns is None else Time(row.p99_ns),
        size(row.live_bytes),
    ]
