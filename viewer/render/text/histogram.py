"""Delays as bars for a terminal, and how often each loop was responsive."""

from operator import attrgetter

from tracer.units import duration, plural
from viewer.analysis.availability import Bucket, HistogramRow
from viewer.analysis.report import Report
from viewer.render.text.tables import Style, wrap
from viewer.words import place, shorten, tail

_BAR = 40  # characters of the longest bar
_BESIDE = 34  # characters before a bar
_EIGHTHS = " ▏▎▍▌▋▊▉█"
_LONG = 48
_FEW_LOOPS = 3  # loops that have a line each


def latency(report: Report, top: int, style: Style) -> str:
    """How responsive the loops were; a histogram for each of the first `top` coroutines."""
    assert report.latency is not None
    lines = [style.title("Scheduling latency")]
    lines += availability(report, style)
    rows = report.latency.coroutines
    if not rows:
        lines.append("  No task was ever ready.")
    for row in rows[:top]:
        lines += ["", *_histogram(row, style)]
    if len(rows) > top:
        lines += ["", f"  … and {plural(len(rows) - top, 'coroutine')} more (--top)"]
    return "\n".join(lines)


def availability(report: Report, style: Style) -> list[str]:
    """A line for each loop; of more than a few loops one line for all."""
    rows = report.latency.loops if report.latency is not None else ()
    noun = report.heading.nouns.loop.split()[-1]  # `loop`, or `hub`
    if len(rows) > _FEW_LOOPS:
        windows, free = (sum(map(attrgetter(name), rows)) for name in ("windows", "available"))
        text = (
            f"The {len(rows):,} {noun}s were responsive (able to answer within 10 ms at any "
            f"moment) in {_how_many(free, windows)} of 100 ms."
        )
        return wrap(text, style.width)
    lines = []
    for row in rows:
        of = report.heading.names.get(row.process, "")
        name = shorten(f"{row.thread} [{of}]" if of else row.thread, _LONG)
        was = "was not" if row.windows == 1 and not row.available else "was"
        loop = f"{noun} of `{name}` {was} responsive"
        dropped = plural(row.unknown, "window") + " with dropped events"
        if row.windows:
            text = (
                f"The {loop} (able to answer within 10 ms at any moment) in "
                f"{_how_many(row.available, row.windows)} of 100 ms"
            )
            text += f"; {dropped} left out" if row.unknown else ""
        else:
            text = f"Whether the {loop} is unknown: there are only {dropped}"
        lines += wrap(f"{text}.", style.width)
    return lines


def _how_many(part: int, windows: int) -> str:
    """`none of 10 windows`, `4 of 10 windows`, `all 10 windows`."""
    if windows == 1:
        return "its only window"
    if part == windows:
        return f"all {windows:,} windows"
    return f"{f'{part:,}' if part else 'none'} of {windows:,} windows"


def _histogram(row: HistogramRow, style: Style) -> list[str]:
    name = shorten(row.coro, min(_LONG, style.width // 2))
    at = tail(place(row.site, style.base), max(style.width - len(name) - 30, 1))
    lines = [f"  {name}  {at}".rstrip() + f": ready {plural(row.count, 'time')}"]
    most = max(bucket.count for bucket in row.buckets)
    longest = min(_BAR, style.width - _BESIDE)
    return lines + [_line(bucket, most, longest) for bucket in row.buckets]


def _line(bucket: Bucket, most: int, longest: int) -> str:
    if bucket.end_ns < 0:
        label = f"{_round(bucket.start_ns)} or more"
    elif not bucket.start_ns:
        label = f"below {_round(bucket.end_ns)}"
    else:
        label = f"{_round(bucket.start_ns)} to {_round(bucket.end_ns)}"
    return f"    {label:>17}  {bucket.count:>9,}  {_bar(bucket.count, most, longest)}".rstrip()


def _round(ns: int) -> str:
    """A bound, which is a round number: `20 µs`."""
    number, unit = duration(ns).split()
    return f"{number.rstrip('0').rstrip('.') if '.' in number else number} {unit}"


def _bar(count: int, most: int, longest: int) -> str:
    """A bar in eighths of a character; something is never an empty bar."""
    eighths = max(count * longest * 8 // most, 1) if count else 0
    whole, part = divmod(eighths, 8)
    return "█" * whole + (_EIGHTHS[part] if part else "")
