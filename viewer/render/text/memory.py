"""The part of a text report about memory."""

from collections.abc import Sequence

from tracer.units import plural, share, size
from viewer.analysis.memory import Memory, MemoryRow
from viewer.analysis.report import Report
from viewer.render.text.tables import Cell, Style, spare, table, wrap
from viewer.words import places

_COLUMNS = ("live", "±", "blocks", "grown", "allocated", "share")
_TO_SPARE = ("blocks", "±")


def memory(report: Report, top: int, style: Style) -> str:
    """What was allocated and not freed: by line, then by coroutine and region."""
    found = report.memory
    if found is None:
        return ""
    total = found.total
    if not total.samples:
        return "memory: no allocation was sampled."
    lines = [
        style.title(
            f"Memory, {size(total.live_bytes)} live at the end, "
            f"{size(total.allocated_bytes)} allocated"
        ),
        *wrap(_sampled(found), style.width),
    ]
    lines += _table("line", found.sites, total, top, style)
    for title, rows in (("coroutine", found.coroutines), ("region", found.regions)):
        if rows:
            lines += ["", *_table(title, rows, total, top, style)]
    return "\n".join(lines)


def _sampled(found: Memory) -> str:
    how = f"one every {size(found.mean_bytes)}" if found.mean_bytes else "at several rates"
    return (
        f"estimated from {plural(found.total.samples, 'sample')}, {how}; "
        "grown: since halfway through the recording; memory that C code takes without "
        "Python's allocators (arrays of numpy before 2.5, sqlite's pages) is not included"
    )


def _table(
    title: str, rows: Sequence[MemoryRow], total: MemoryRow, top: int, style: Style
) -> list[str]:
    columns, names = [title, *_COLUMNS], [row.name for row in rows[:top]]
    if title == "line":
        names = places(names, style.base)
    cells: list[list[Cell]] = [
        [
            name,
            size(row.live_bytes),
            size(row.live_error) if row.live_bytes else "",
            f"{row.live_blocks:,}",
            _grown(row.grown_bytes),
            size(row.allocated_bytes),
            share(row.allocated_bytes, total.allocated_bytes),
        ]
        for name, row in zip(names, rows[:top], strict=True)
    ]
    columns, cells = spare(columns, cells, names, style.width, _TO_SPARE)
    lines = table(columns, cells, style)
    if len(rows) > top:
        lines.append(f"  … and {plural(len(rows) - top, 'row')} more (--top)")
    return lines


def _grown(count: int) -> str:
    return f"+{size(count)}" if count > 0 else size(count)
