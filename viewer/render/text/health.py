"""How far the trace can be trusted, as text."""

from collections import Counter
from collections.abc import Sequence

from tracer.units import duration, plural, share
from viewer.analysis.children import Children, count
from viewer.analysis.endings import LOST
from viewer.analysis.health import Health
from viewer.analysis.report import Report
from viewer.render.text.tables import Style, wrap
from viewer.words import place

_CHILDREN = 3  # lines of code that are named
_MULTIPROCESSING = {
    "from multiprocessing.spawn import spawn_main": "multiprocessing (spawn)",
    "from multiprocessing.forkserver import main": "multiprocessing (fork server)",
}


def health(report: Report, top: int, style: Style) -> str:
    found = troubles(report.health)
    facts = f"signals: {', '.join(report.health.signals) or 'none'}"
    if report.health.overhead_ns:
        part = share(report.health.overhead_ns, report.heading.duration_ns)
        cpu = duration(report.health.overhead_ns)
        facts += f"; the recorder's own thread used {cpu} of CPU time, {part} of the run"
    lines = [style.title("Health"), *wrap(facts, style.width)]
    if report.heading.threshold_ns:
        least = duration(report.heading.threshold_ns)
        lines.append(f"  calls and waits shorter than {least} are not recorded")
    if report.health.off:
        lines.append(f"  switched off: {', '.join(report.health.off)}")
    if report.health.unfinished_slices:
        still = plural(report.health.unfinished_slices, "slice")
        lines.append(f"  {still} still open at the end of the trace")
    for line in found or ["complete: nothing dropped, nothing lost, nothing disabled."]:
        lines += wrap(line, style.width)
    return "\n".join(lines)


def _children(rows: Sequence[Children]) -> str:
    """`2 child processes are not in this trace: python manage.py (runner.py:7).`"""
    many = count(rows)
    what = plural(many, "child process is", "child processes are")
    first = sorted(rows, key=lambda row: -row.count)[:_CHILDREN]
    more = [f"{len(rows) - _CHILDREN} more"] if len(rows) > _CHILDREN else []
    return f"{what} not in this trace: {', '.join([*map(_started, first), *more])}."


def _started(row: Children) -> str:
    at = f" at {place(row.site)}" if row.site else ""
    times = f"{row.count:,} × " if row.count > 1 else ""
    _, _, code = row.command.partition(" -c ")
    what = _MULTIPROCESSING.get(code, f"`{row.command}`") if row.command else "forked"
    why = f" ({row.reason})" if row.reason else ""
    return times + what + at + why


def _endings(health: Health) -> list[str]:
    """A line for each recording without a proper end; those with one signal share a line."""
    killed = Counter(end.killed[1] for end in health.open if end.killed)
    told = [
        end.text
        for end in health.open
        if end.text and not (end.killed and killed[end.killed[1]] > 1)
    ]
    for signal, many in killed.items():
        who = [end.killed[0] for end in health.open if end.killed and end.killed[1] == signal]
        if many > 1:
            more = [f"{many - _CHILDREN} more"] if many > _CHILDREN else []
            shown = ", ".join([*who[:_CHILDREN], *more])
            told.append(f"{many} processes were killed by {signal} ({shown}): {LOST}.")
    return told


def troubles(health: Health) -> list[str]:
    """One line for each reason not to trust the trace completely."""
    lines = [*health.unread, *_endings(health)]
    if health.children:
        lines.insert(0, _children(health.children))
    if health.dropped_events:
        dropped = plural(health.dropped_events, "event")
        lines.append(f"{dropped} dropped: the buffer was full (see --buffer).")
    if health.lost_bytes:
        lines.append(f"{plural(health.lost_bytes, 'byte')} of the file could not be read.")
    if health.orphan_ends:
        lines.append(f"{plural(health.orphan_ends, 'slice end')} without a beginning.")
    if health.late:
        lines.append(
            f"{plural(health.late, 'record')} came late: their times were moved to keep order."
        )
    lines += [f"{hook} disabled: {reason}" for hook, reason in health.disabled]
    lines += [f"{what}: sampled, not exact." for what in health.sampled]
    return [*lines, *(f"note: {note}" for note in health.notes)]
