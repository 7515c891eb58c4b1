"""Tasks as text: how long they were ready, and who ran instead."""

from itertools import islice

from tracer.units import duration, moment, plural, share
from viewer.analysis.report import Report
from viewer.analysis.tasks import By, Delay, TaskRow, Wait
from viewer.render.text.tables import Cell, Style, Time, beginnings, over, spare, table
from viewer.words import beside, place, shorten, tail

_MATTERS = 10  # a second reason is given when it is at least a tenth of the wait
_HARDLY = 100  # a wait this many times shorter than the worst is not explained
_REASONS = 3  # given for each row
_LONG = 48  # names and places in sentences
_TO_SPARE = ("p90", "awaiting", "steps")  # columns left out first where space is short
_AT_LAST = ("longest step", "p99")
# What the loop did instead, by kind of delay; {who}, {at} and {loop} are replaced.
_INSTEAD = {
    "task": "the {loop} ran {who}{at}",
    "callback": "the {loop} ran the callback {who}{at}",
    "select": "the {loop} was polling (select)",
    "loop": "the {loop} itself was busy",
    "gc": "the garbage collector ran",
    "unknown": "it is unknown what the {loop} ran",
    "others": "the {loop} ran many others, each for a moment",
}


def slowest_tasks(report: Report, style: Style, most: int) -> list[tuple[int, str]]:
    """(time, sentence) of the longest wait for the loop of the rows with the longest ones."""
    waits = ((row, row.worst) for row in report.tasks if row.worst is not None)
    slowest = islice(waits, most)  # they are in this order
    return [(wait.ns, _sentence(report, row, wait, style)) for row, wait in slowest if wait.ns]


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
    text = f"{opening}; for {part} of that time {_instead(first, row, report, style)}"
    if others and others[0].ns * _MATTERS >= wait.ns:
        text += (
            f", for {share(others[0].ns, wait.ns)} {_instead(others[0], row, report, style)}"
        )
    return text + "."


def _instead(delay: Delay, row: TaskRow, report: Report, style: Style) -> str:
    who, nouns = f"`{shorten(delay.who, _LONG)}`", report.heading.nouns
    if delay.kind == "task" and (delay.who, delay.site) == (row.coro, row.site):
        who = f"other {who} {nouns.task}s"
    at = beside(delay.site, style.base)
    return _INSTEAD[delay.kind].format(who=who, at=at, loop=nouns.loop.split()[-1])


def _label(row: TaskRow, by: By) -> str:
    if by is By.CORO or not row.names:
        return row.coro
    return row.names[0] if row.names[0] == row.coro else f"{row.names[0]} {row.coro}"


def tasks(report: Report, top: int, style: Style) -> str:
    if not report.tasks:
        return "tasks: none were recorded."
    rows = report.tasks[:top]
    by_coro = report.by is By.CORO
    noun = report.heading.nouns.task
    head = ("coroutine", f"{noun}s") if by_coro else (noun,)
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
    columns, body = spare(columns, body, names, style.width, _TO_SPARE, _AT_LAST)
    lines = table(columns, body, style)
    lines.insert(0, over("time ready", columns, lines[0], "p50", "max"))
    lines.insert(0, style.title(f"{noun.capitalize()}s"))
    if len(report.tasks) > top:
        lines.append(f"  … and {plural(len(report.tasks) - top, 'row')} more (--top)")
    # The others hardly waited compared with the worst: nothing to explain.
    instead = [line for row in slow for line in _who_ran(row, report, style)]
    if instead:
        lines += ["", style.title("Who ran while they were ready"), *instead]
    return "\n".join(lines)


def _who_ran(row: TaskRow, report: Report, style: Style) -> list[str]:
    """The row's ready time and its main reasons, one line each."""
    if not row.ready.total_ns:
        return []
    total = row.ready.total_ns
    label = shorten(_label(row, report.by), style.width - 40)
    lines = [f"  {label}: ready {duration(total)} in {plural(row.ready.count, 'wait')}"]
    rest = row.delayed_by[_REASONS:]
    left = sum(delay.ns for delay in rest)
    starts = beginnings([*(delay.ns for delay in row.delayed_by[:_REASONS]), left], total)
    for delay, line in zip(row.delayed_by[:_REASONS], starts, strict=False):
        room = style.width - len(line)
        at = place(delay.site, style.base)
        if delay.kind not in ("task", "callback"):
            text = _instead(delay, row, report, style)
        elif len(delay.who) + 2 + len(at) <= room:
            text = f"{delay.who}  {at}"
        else:
            text = shorten(delay.who, room // 2)
            text += f"  {tail(at, room - len(text) - 2)}"
        lines.append((line + text).rstrip())
    if rest:
        lines.append(f"{starts[-1]}{plural(len(rest), 'other')}")
    return lines
