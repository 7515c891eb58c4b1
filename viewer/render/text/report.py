"""The report as text for a terminal: the headlines first, then the tables they rest on."""

from collections.abc import Callable, Sequence

from tracer.units import duration, moment, plural, share, size
from viewer.analysis.gc import GcRow
from viewer.analysis.health import Health
from viewer.analysis.report import Heading, Report, why_not
from viewer.analysis.tasks import By, Delay, TaskRow, Wait
from viewer.render.text.findings import findings
from viewer.render.text.histogram import availability, latency
from viewer.render.text.regions import regions
from viewer.render.text.tables import Cell, Style, Time, beginnings, over, spare, table, wrap
from viewer.render.text.waits import io, locks, threads
from viewer.words import place, shorten, tail

_HEADLINES = 3
_SLOW_NS = 1_000_000  # of shorter waits only the longest is mentioned
_MATTERS = 10  # a second reason is given when it is at least a tenth of the wait
_HARDLY = 100  # a wait this many times shorter than the worst is not explained
_REASONS = 3  # given for each row
_LOST_BY_A_KILL_MS = 250
_LONG = 48  # names and places in sentences
_TO_SPARE = ("p90", "awaiting", "steps")  # columns left out first where space is short

# What the loop did instead, by kind of delay; {who} and {at} are filled in.
_INSTEAD = {
    "task": "the loop ran {who}{at}",
    "callback": "the loop ran the callback {who}{at}",
    "select": "the loop was polling (select)",
    "loop": "asyncio itself was busy",
    "gc": "the garbage collector ran",
    "unknown": "it is unknown what the loop ran",
}


def render_text(report: Report, sections: Sequence[str], top: int, style: Style) -> str:
    """The sections, each with at most `top` rows; one line for a section not recorded."""
    parts = [_heading(report.heading, style)]
    for name in sections:
        if name == "tasks" and report.tasks:
            parts.append(_slowest(report, style))
        if name in report.recorded:
            parts.append(_SECTIONS[name](report, top, style))
        elif name != "regions" or len(sections) == 1:  # most programs have no regions
            reason = why_not(report, name)
            because = f" ({reason})" if reason else ""
            parts.append(f"{name}: not recorded in this trace{because}.")
    return "\n\n".join(part for part in parts if part) + "\n"


def _heading(heading: Heading, style: Style) -> str:
    facts = [
        duration(heading.duration_ns),
        f"{heading.events:,} events",
        size(heading.size_bytes),
        f"CPython {heading.python}",
        f"pid {heading.pid}" if heading.processes == 1 else f"{heading.processes} processes",
    ]
    name = place(heading.file, style.base)
    first = f"{shorten(name, style.width - 2)}"
    line = ", ".join(facts)
    program = shorten(" ".join(heading.argv), style.width - 2)
    return "\n".join([style.title(first), f"  {line}", f"  {program}"])


def _slowest(report: Report, style: Style) -> str:
    waits = [row for row in report.tasks if row.worst is not None and row.worst.ns]
    if not waits:
        lines = ["No task had to wait for its loop."]
        if report.latency is not None:
            lines += availability(report.latency.loops, style)
        return "\n".join(lines)
    lines = [style.title("Slowest waits")]
    for row in waits[:_HEADLINES]:
        assert row.worst is not None
        if row.worst.ns < _SLOW_NS and row is not waits[0]:
            break
        lines += wrap(_sentence(report, row, row.worst, style), style.width)
    if report.latency is not None:
        lines += availability(report.latency.loops, style)
    return "\n".join(lines)


def _sentence(report: Report, row: TaskRow, wait: Wait, style: Style) -> str:
    """`tick` waited up to 31.2 ms to run (at 0.41 s); 98 % of that time the loop ran …"""
    which = "" if wait.name == row.coro or report.by is By.TASK else f"{wait.name}, "
    at = moment(max(wait.start_ns - report.heading.start_ns, 0))
    label = shorten(_label(row, report.by), _LONG)
    opening = f"`{label}` waited up to {duration(wait.ns)} to run ({which}at {at})"
    if not wait.delayed_by:
        return opening + "."
    first, *others = wait.delayed_by
    part = "all" if first.ns == wait.ns else share(first.ns, wait.ns)
    text = f"{opening}; for {part} of that time {_instead(first, row, style)}"
    if others and others[0].ns * _MATTERS >= wait.ns:
        text += f", for {share(others[0].ns, wait.ns)} {_instead(others[0], row, style)}"
    return text + "."


def _instead(delay: Delay, row: TaskRow, style: Style) -> str:
    who = f"`{shorten(delay.who, _LONG)}`"
    if delay.kind == "task" and (delay.who, delay.site) == (row.coro, row.site):
        who = f"other {who} tasks"
    at = f" ({tail(place(delay.site, style.base), _LONG)})" if delay.site else ""
    return _INSTEAD[delay.kind].format(who=who, at=at)


def _label(row: TaskRow, by: By) -> str:
    if by is By.CORO or not row.names:
        return row.coro
    return row.names[0] if row.names[0] == row.coro else f"{row.names[0]} {row.coro}"


def _tasks(report: Report, top: int, style: Style) -> str:
    if not report.tasks:
        return "tasks: none were recorded."
    rows = report.tasks[:top]
    by_coro = report.by is By.CORO
    head = ("coroutine", "tasks") if by_coro else ("task",)
    columns = [
        *head, "steps", "p50", "p90", "p99", "max", "running", "awaiting", "longest step",
    ]  # fmt: skip
    body: list[list[Cell]] = [
        [
            _label(row, report.by),
            *([f"{row.count:,}"] if by_coro else []),
            f"{row.steps:,}",
            *map(Time, (row.ready.p50_ns, row.ready.p90_ns, row.ready.p99_ns)),
            Time(row.ready.max_ns),
            Time(row.running.total_ns),
            Time(row.awaiting.total_ns),
            Time(row.running.max_ns),
        ]
        for row in rows
    ]
    slow = [row for row in rows if row.ready.max_ns * _HARDLY > report.tasks[0].ready.max_ns]
    names = [_label(row, report.by) for row in slow or rows]
    columns, body = spare(columns, body, names, style.width, _TO_SPARE)
    lines = table(columns, body, style)
    lines.insert(0, over("time ready", columns, lines[0], "p50", "max"))
    lines.insert(0, style.title("Tasks"))
    if len(report.tasks) > top:
        lines.append(f"  … and {plural(len(report.tasks) - top, 'row')} more (--top)")
    # The others hardly waited compared with the worst: nothing to explain.
    instead = [line for row in slow for line in _who_ran(row, report.by, style)]
    if instead:
        lines += ["", style.title("Who ran while they were ready"), *instead]
    return "\n".join(lines)


def _who_ran(row: TaskRow, by: By, style: Style) -> list[str]:
    """The row's ready time and its main reasons, one line each."""
    if not row.ready.total_ns:
        return []
    total = row.ready.total_ns
    label = shorten(_label(row, by), style.width - 40)
    lines = [f"  {label}: ready {duration(total)} in {plural(row.ready.count, 'wait')}"]
    rest = row.delayed_by[_REASONS:]
    left = sum(delay.ns for delay in rest)
    starts = beginnings([*(delay.ns for delay in row.delayed_by[:_REASONS]), left], total)
    for delay, line in zip(row.delayed_by[:_REASONS], starts, strict=False):
        room = style.width - len(line)
        at = place(delay.site, style.base)
        if delay.kind not in ("task", "callback"):
            text = _instead(delay, row, style)
        elif len(delay.who) + 2 + len(at) <= room:
            text = f"{delay.who}  {at}"
        else:
            text = shorten(delay.who, room // 2)
            text += f"  {tail(at, room - len(text) - 2)}"
        lines.append((line + text).rstrip())
    if rest:
        lines.append(f"{starts[-1]}{plural(len(rest), 'other')}")
    return lines


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
    names = [str(row[0]) for row in rows]
    columns, rows = spare(columns, rows, names, style.width, _TO_SPARE)
    return "\n".join([style.title("Garbage collection"), *table(columns, rows, style)])


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
        return "cpu: no samples were taken."
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
    lines = [style.title(f"CPU, {duration(total)} sampled"), *table(columns, rows, style)]
    if len(report.cpu) > top:
        lines.append(f"  … and {plural(len(report.cpu) - top, 'row')} more (--top)")
    return "\n".join(lines)


def _health(report: Report, top: int, style: Style) -> str:
    troubles = _troubles(report.health)
    facts = f"signals: {', '.join(report.health.signals) or 'none'}"
    if report.health.overhead_ns:
        part = share(report.health.overhead_ns, report.heading.duration_ns)
        cpu = duration(report.health.overhead_ns)
        facts += f"; the recorder's own thread used {cpu} of CPU time, {part} of the run"
    lines = [style.title("Health"), *wrap(facts, style.width)]
    if report.health.off:
        lines.append(f"  switched off: {', '.join(report.health.off)}")
    if report.health.unfinished_slices:
        still = plural(report.health.unfinished_slices, "slice")
        lines.append(f"  {still} still open at the end of the trace")
    for line in troubles or ["complete: nothing dropped, nothing lost, nothing disabled."]:
        lines += wrap(line, style.width)
    return "\n".join(lines)


def _troubles(health: Health) -> list[str]:
    """One line for each reason not to trust the trace completely."""
    lines = [
        f"the program (pid {pid}) was killed or crashed: up to the last {_LOST_BY_A_KILL_MS} "
        "ms are missing."
        for pid in health.killed
    ]
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


_SECTIONS: dict[str, Callable[[Report, int, Style], str]] = {
    "findings": findings,
    "tasks": _tasks,
    "latency": latency,
    "regions": regions,
    "threads": threads,
    "locks": locks,
    "io": io,
    "gc": _gc,
    "cpu": _cpu,
    "health": _health,
}
