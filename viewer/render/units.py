"""Numbers as people write them: durations, sizes, shares, shortened names."""

import os
import re

_LIBRARIES = (re.compile(r"^.*/site-packages/"), re.compile(r"^.*/lib/python3\.\d+/"))
_AT_LINE = re.compile(r".*:\d+(?= |$)")  # a file's name may have spaces
_STEPS = ((1_000, "ns"), (1_000_000, "µs"), (1_000_000_000, "ms"))


def duration(ns: int) -> str:
    """Three significant digits and the unit: `850 ns`, `1.25 ms`, `31.2 ms`, `1,204 s`."""
    scale, unit = 1_000_000_000, "s"
    for limit, name in _STEPS:
        # Rounding may carry into the next unit: 999,950 ns are 1.00 ms, not 1000 µs.
        if ns + limit // 2_000 < limit:
            scale, unit = limit // 1_000, name
            break
    if scale == 1:
        return f"{ns} {unit}" if ns else "0"
    value = ns / scale
    digits = 2 if value < 9.995 else 1 if value < 99.95 else 0
    return f"{value:,.{digits}f} {unit}"


def moment(ns: int) -> str:
    """A time since the start, to be found again on a timeline: seconds to the millisecond."""
    return f"{ns / 1_000_000_000:,.3f} s" if ns >= 1_000_000_000 else duration(ns)


def size(count: int) -> str:
    """Bytes as `812 B`, `4.3 MB`."""
    value, unit = float(count), "B"
    for bigger in ("kB", "MB", "GB", "TB"):
        if value < 1_000:
            break
        value, unit = value / 1_000, bigger
    return f"{value:.0f} B" if unit == "B" else f"{value:.1f} {unit}"


def share(part: int, whole: int) -> str:
    """Per cent without decimals; what is there is never shown as 0 %, nor a part as all."""
    if not part or not whole:
        return "0 %"
    percent = (part * 100 + whole // 2) // whole
    if percent == 0:
        return "<1 %"
    return f"{99 if percent >= 100 and part < whole else percent} %"


def plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def shorten(text: str, width: int) -> str:
    """At most `width` characters; the middle goes first: both ends of a name tell most."""
    text = text.replace("\n", " ")
    if len(text) <= width:
        return text
    keep = width - 1
    tail = keep * 2 // 3
    return text[: keep - tail] + "…" + text[len(text) - tail :]


def tail(text: str, width: int) -> str:
    """At most `width` characters, the last ones: of a path the file and line."""
    return text if len(text) <= width else "…" + text[len(text) - width + 1 :]


def place(site: str, base: str) -> str:
    """`file:line` of a "file:line function" site, relative to `base` where that is shorter."""
    at_line = _AT_LINE.match(site)
    where = at_line[0] if at_line else site
    path, colon, line = where.rpartition(":")
    if not colon or not os.path.isabs(path):
        return where
    for library in _LIBRARIES:  # of an installed module its name is enough
        if found := library.search(path):
            return f"{path[found.end() :]}:{line}"
    return min(where, f"{os.path.relpath(path, base)}:{line}", key=len)
