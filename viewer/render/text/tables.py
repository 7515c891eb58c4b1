"""Tables and paragraphs of a text report."""

import os
import re
from collections.abc import Sequence
from typing import NamedTuple, Self, TextIO

from tracer.units import durations, share
from viewer.words import Named, shorten

_BOLD, _PLAIN = "\x1b[1m", "\x1b[0m"
_BREAK = re.compile(r"(?<!\d) | (?!(?:ns|µs|ms|s|%)(?!\w))")
_NARROWEST = 60
_SHORTEST = 12  # of a first column
_FIRST_COLUMN = 24  # its width at least, where other columns can be left out


class Time(int):
    """A duration as a cell, in ns: all those of a column are written with one precision."""


class Change(Time):
    """A difference of durations: one that grew has a plus sign."""


type Cell = str | Time


class Style(NamedTuple):
    """How wide lines may be, whether to use bold, and what paths are relative to."""

    width: int = 100
    colour: bool = False
    base: str = "/"

    @classmethod
    def of(cls, out: TextIO) -> Self:
        """The style for a terminal, a pipe or a file."""
        colour = out.isatty() and not os.environ.get("NO_COLOR")
        from shutil import get_terminal_size  # JSON needs none of it

        # Piped text has no terminal to fit; COLUMNS says otherwise.
        width = max(get_terminal_size((100, 24)).columns, _NARROWEST)
        return cls(min(width, 120), colour, os.getcwd())

    def title(self, text: str) -> str:
        return f"{_BOLD}{text}{_PLAIN}" if self.colour else text


def wrap(text: str, width: int) -> list[str]:
    """Lines of whole words, indented; a word that is too long keeps a line of its own.

    A number and its unit count as one word.
    """
    lines, line = [], " "
    for word in _BREAK.split(text):
        if len(line) + 1 + len(word) > width and line.strip():
            lines.append(line)
            line = "   "
        line += f" {word}"
    return [*lines, line]


def over(text: str, columns: list[str], header: str, first: str, last: str) -> str:
    """A line that brackets the columns first to last of the header below it."""
    before = header.index(columns[columns.index(first) - 1]) + len(
        columns[columns.index(first) - 1]
    )
    start, end = before + 2, header.index(f" {last}") + 1 + len(last)
    return " " * start + f" {text} ".center(end - start, "─")


def written(cells: Sequence[Sequence[Cell]]) -> list[list[str]]:
    """The rows as text."""
    rows = [[cell if isinstance(cell, str) else str(cell) for cell in row] for row in cells]
    for i in range(len(cells[0]) if cells else 0):
        times = [(n, cell) for n, row in enumerate(cells) if isinstance(cell := row[i], Time)]
        texts = durations([ns for _, ns in times])
        for (n, ns), text in zip(times, texts, strict=True):
            rows[n][i] = f"+{text}" if isinstance(ns, Change) and ns > 0 else text
    return rows


def beginnings(parts: Sequence[int], total: int) -> list[str]:
    """Beginnings of lines, one for each part of a time: its share and duration."""
    texts = durations(parts)
    room = max(map(len, texts), default=0)
    return [
        f"    {share(ns, total):>5}  {text:>{room}}  "
        for ns, text in zip(parts, texts, strict=True)
    ]


def spare(
    columns: list[str],
    rows: list[list[Cell]],
    names: list[str],
    width: int,
    to_spare: Sequence[str],
    at_last: Sequence[str] = (),
) -> tuple[list[str], list[list[Cell]]]:
    """The table without those columns of `to_spare` that leave no room for the names, and
    those of `at_last` without which it still would not fit."""
    wanted = min(max(len(columns[0]), *map(len, names)), _FIRST_COLUMN)
    for name in (*to_spare, *at_last):
        taken = widths(columns, written(rows))
        room = width - sum(taken[1:]) - 2 * len(columns)
        if room < (wanted if name in to_spare else min(wanted, _SHORTEST)):
            keep = [i for i, column in enumerate(columns) if column != name]
            columns = [columns[i] for i in keep]
            rows = [[row[i] for i in keep] for row in rows]
    return columns, rows


def widths(columns: Sequence[str], rows: list[list[str]]) -> list[int]:
    return [max(len(name), *(len(row[i]) for row in rows)) for i, name in enumerate(columns)]


def table(columns: Sequence[str], cells: Sequence[Sequence[Cell]], style: Style) -> list[str]:
    """Header and rows. The first column is left-aligned and shortened to fit."""
    rows = written(cells)
    taken = widths(columns, rows)
    rest = sum(taken[1:]) + 2 * len(columns)
    taken[0] = min(taken[0], max(style.width - rest, _SHORTEST))
    lines = []
    for row in [list(columns), *rows]:
        first = row[0]
        short = (
            first.fitted(taken[0]) if isinstance(first, Named) else shorten(first, taken[0])
        )
        line = [short.ljust(taken[0])]
        line += [cell.rjust(width) for cell, width in zip(row[1:], taken[1:], strict=True)]
        lines.append(("  " + "  ".join(line)).rstrip())
    return lines
