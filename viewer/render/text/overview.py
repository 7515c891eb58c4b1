"""The first screen of a report: what was recorded, what is wrong, who waited, what next."""

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

from tracer import schema as s
from tracer.units import duration, plural, share, size
from viewer.analysis.causes.spent import ASLEEP, OFF_CPU_TIME, Spent
from viewer.analysis.flight import Flight
from viewer.analysis.report import Heading, Report
from viewer.render.text.findings import next_step, no_findings, numbered, title
from viewer.render.text.health import troubles
from viewer.render.text.histogram import availability
from viewer.render.text.tables import Style, wrap
from viewer.render.text.tasks import slowest_tasks
from viewer.render.text.waits import (
    slowest_locks,
    starved_threads,
    waits_for_children,
    waits_for_writers,
)
from viewer.trace.sites import place_of
from viewer.words import place, shorten

_MISSING = 3
_FIRST_LINES, _LINES = 8, 3  # of the first finding, and of each other one
_SCREEN = 24  # lines
# Findings, waits and sections: fewer until the screen has room.
_LESS = ((3, 3, 5), (3, 2, 4), (3, 1, 3), (2, 1, 3), (2, 1, 2))
_SLOW_NS = 1_000_000  # shorter waits are not mentioned, except the longest
_SPENT, _SPENT_PART = 3, 0.1
_COMMAND = 40
_FITS = 1.5  # else most of the time of such a call is no part of the path
_IMPORTING = "<frozen importlib"
# The `poll` of a C library, such as libpq, waits for an answer.
_FOR_CLIENTS = ("accept", "select", ".poll", "epoll_wait", "idle thread")
_BUSY_NS, _BUSY_PART = 100_000_000, 0.1  # less CPU time says nothing about the program


def overview(report: Report, style: Style) -> str:
    """At most 24 lines of a usual width; everything else is in the sections that the last
    lines name."""
    text = ""
    for findings, waits, sections in _LESS:
        parts = [
            "\n".join([*heading(report.heading, style), *_not_recorded(report, style)]),
            _findings(report, style, findings),
            _slowest(report, style, waits),
            _look_next(report, style, sections),
        ]
        text = "\n\n".join(part for part in parts if part) + "\n"
        if text.count("\n") <= _SCREEN:
            break
    return text


def heading(of: Heading, style: Style) -> list[str]:
    """The file, the program, and when it ran."""
    facts = [
        duration(of.duration_ns),
        *([when(of)] if of.start_unix_ns else []),
        *([f"calls under {duration(of.threshold_ns)} omitted"] if of.threshold_ns else []),
        f"{of.events:,} events",
        size(of.size_bytes),
        f"CPython {of.python}",
        f"pid {of.pid}" if of.processes == 1 else f"{of.processes} processes",
    ]
    program = shorten(" ".join(of.argv), style.width - 2)
    name = place(of.file, style.base)
    more = f" and {len(of.given) - 1} more" if len(of.given) > 1 else ""
    name = shorten(name, style.width - 2 - len(more)) + more
    lines = [style.title(name), *wrap(", ".join(facts), style.width), f"  {program}"]
    return [*lines, *wrap(_flight(of.flight), style.width)] if of.flight else lines


def _flight(of: Flight) -> str:
    """How far back the trace reaches, and why it was taken."""
    asked = of.is_snapshot and of.reaches_ns < of.asked_ns
    short = f" ({duration(of.asked_ns)} requested)" if asked else ""
    what = "a snapshot" if of.is_snapshot else "the files of a flight recording"
    why = f", taken for: {of.reason}" if of.reason else ""
    more = (
        f" Since the previous snapshot, {plural(of.suppressed, 'more moment')} met a "
        "condition during the cooldown and got no snapshot."
        if of.suppressed
        else ""
    )
    return (
        f"{what}{why}. It covers the last {duration(of.reaches_ns)}{short}, and what began "
        f"earlier and was still going on.{more}"
    )


def when(of: Heading) -> str:
    """`2026-11-28 14:03:20 to 14:03:24 CET`, in the reader's time zone."""
    begin, end = (
        datetime.fromtimestamp(ns // 1_000_000_000, UTC).astimezone()
        for ns in (of.start_unix_ns, of.start_unix_ns + of.duration_ns)
    )
    day = "" if begin.date() == end.date() else f"{end:%Y-%m-%d} "
    return f"{begin:%Y-%m-%d %H:%M:%S} to {day}{end:%H:%M:%S %Z}"


def _not_recorded(report: Report, style: Style) -> list[str]:
    parts = missing(report)[:_MISSING]
    return [line for part in parts for line in wrap(f"! {part}", style.width)]


def missing(report: Report) -> list[str]:
    """What the trace does not have, so that nobody concludes anything from its absence."""
    health = report.health
    parts = [text for text, _ in Counter(troubles(health)).items()]
    if health.off:
        parts.append(f"switched off: {', '.join(health.off)}.")
    return parts


def _findings(report: Report, style: Style, most: int) -> str:
    found = report.findings
    if not found:
        return "\n".join([no_findings(report, style), *_calm(report, style)])
    lines = [style.title(title(report))]
    for number, finding in enumerate(found[:most], 1):
        step = next_step(finding, style) if number == 1 else []
        most_lines = _LINES if number > 1 else _FIRST_LINES
        lines += _short(numbered(number, finding, style), most_lines - len(step)) + step
    if len(found) > most:
        lines.append(f"  … and {len(found) - most} more (--section findings)")
    return "\n".join(lines)


def _short(lines: list[str], most: int) -> list[str]:
    return lines if len(lines) <= most else [*lines[: most - 1], lines[most - 1] + " …"]


def _calm(report: Report, style: Style) -> list[str]:
    """What the time went to, and numbers that show that nothing is wrong."""
    spent = _spent(report, style)
    lines = [*spent, *_busiest(report, style, spent), *availability(report, style)]
    said = []
    if report.tasks:
        late = max(report.tasks.values("ready_p99_ns"))
        said.append(
            f"99 % of all waits of {report.heading.nouns.task}s to run "
            f"were shorter than {duration(late)}"
        )
    if "threads" in report.recorded:
        gil = report.threads.total("gil_ns")
        said.append(f"all waits for the GIL took {duration(gil)}")
    if "locks" in report.recorded:
        held = report.locks.total("contended_ns")
        said.append(f"all waits for locks took {duration(held)}")
    text = "; ".join(said)
    if said:
        lines += wrap(f"{text[:1].upper()}{text[1:]}.", style.width)
    return lines


def _spent(report: Report, style: Style) -> list[str]:
    """What the time went to, unless the program mostly waited for others to come. Shares are
    of the time without what the kernel took."""
    off = sum(one.ns for one in report.spent if one.did == OFF_CPU_TIME)
    whole = sum(one.ns for one in report.spent) - off
    every = [one for one in report.spent if one.did != OFF_CPU_TIME]
    worth = [one for one in every[:_SPENT] if one.ns >= whole * _SPENT_PART]
    if whole < _BUSY_NS or not worth or worth[0].call.endswith(_FOR_CLIENTS):
        return []
    (first, *others) = [(share(one.ns, whole), _how(one, style)) for one in worth]
    parts = [f"{first[0]} went to {first[1]}", *(f"{part} to {how}" for part, how in others)]
    until = f"Of the {duration(whole + off)} until the program's end"
    if off >= whole * _SPENT_PART:
        until += f", {duration(off)} were off the CPU. Of the rest"
    return wrap(f"{until}, {'; '.join(parts)}.{_counted(report)}", style.width)


def _counted(report: Report) -> str:
    """How waits count, where somebody else may have ended them."""
    kinds = {
        report.heading.nouns.task: len(report.tasks) > 0,
        "thread": len(report.threads) > 1,
        "process": bool(report.heading.names),
    }
    listed = ", ".join(kind for kind, is_there in kinds.items() if is_there)
    others = " or ".join(listed.rsplit(", ", 1))
    said = f" A wait that another {others} ended counts as what that one did meanwhile."
    return said if others else ""


def _how(one: Spent, style: Style) -> str:
    """`` `main` in `store` (keep.py:9), in `os.fsync` 3 times, mostly for 50 ms ``."""
    if one.hot is not None:
        function = one.hot.function.removeprefix(f"{Path(one.hot.file).stem}.")
        where = place(f"{one.hot.file}:{one.hot.line}", style.base)
        part = share(one.hot.samples, one.hot.of)
        return f"{one.did} ({part} of {one.hot.of} CPU samples in `{function}`, {where})"
    if not one.call:
        return one.did
    where, function = place(one.site, style.base), place_of(one.site).function
    inside = f"`{function}` ({where})" if function and where else where
    who = one.calls.who if one.calls is not None else ""
    by = f"`{who}`" if who not in ("", function) else ""
    text = " in ".join(part for part in (by, inside) if part)
    if not text:
        return f"`{one.call}`"
    text += f", {one.did}" if one.did == ASLEEP else f", {one.did} `{one.call}`"
    if one.calls is None:
        return text
    times, usual = one.calls.times, one.calls.usual_ns
    text += f" {times:,} times" if times > 1 else " once"
    if times > 2 and one.calls.longest_ns * 2 > one.ns:
        text += f", one of them for {duration(one.calls.longest_ns)}"
    elif times > 1 and times * usual <= one.ns * _FITS:
        is_usual = times * usual * 2 >= one.ns  # a few long ones may be most of the time
        text += f", mostly for {duration(usual)}" if is_usual else ""
        text += "" if is_usual else f", for {duration(one.ns // times)} on average"
    if one.calls.children:
        more = " and others" if len(one.calls.children) > 1 else ""
        text += f", for the end of `{shorten(one.calls.children[0], _COMMAND)}`{more}"
    return f"{text}, while hardly any other thread computed" if one.calls.is_quiet else text


def _busiest(report: Report, style: Style, spent: list[str]) -> list[str]:
    """Where the program computed, if it did so for a good part of its time, unless that has
    been said."""
    total_ns = sum(row.self_ns for row in report.cpu)
    if total_ns < max(_BUSY_NS, report.heading.duration_ns * _BUSY_PART):
        return []
    most = max(report.cpu, key=lambda row: row.self_ns)
    where = place(f"{most.file}:{most.line}", style.base)
    if where in " ".join(spent):
        return []
    what = f"`{most.function}` ({where})"
    if most.file.startswith(_IMPORTING):
        what = "importing modules"
    elif most.function == s.FRAME_FOREIGN:
        what = "threads that run no Python code"
    return wrap(
        f"Of {duration(total_ns)} of CPU time (sampled), {duration(most.self_ns)} went to "
        f"{what}.",
        style.width,
    )


def _slowest(report: Report, style: Style, most: int) -> str:
    """The longest waits of tasks for their loop, for locks, the GIL, children, and what other
    processes write; the longest first."""
    waits = slowest_tasks(report, style, most) + slowest_locks(report, style, most)
    waits += starved_threads(report, most) + waits_for_children(report, style)
    waits += waits_for_writers(report, style)
    waits.sort(key=lambda wait: -wait[0])
    worth = [wait for n, wait in enumerate(waits[:most]) if not n or wait[0] >= _SLOW_NS]
    lines = [line for _, text in worth for line in wrap(text, style.width)]
    if report.findings:
        lines += availability(report, style)
    return "\n".join([style.title("Slowest waits"), *lines]) if lines else ""


def _look_next(report: Report, style: Style, most: int) -> str:
    """Commands, first the section with the most time."""
    name = " ".join(place(file, style.base) for file in report.heading.given)
    rows = [(f"tracer why {name}", "why the slowest waits took so long")]
    for section, ns, what in _by_cost(report)[:most]:
        rows.append((f"tracer report {name} --section {section}", f"{duration(ns)} {what}"))
    if report.heading.names:
        what = "who started whom, how they ended"
        rows.append((f"tracer report {name} --section processes", what))
    rows.append((f"tracer view {name}", "the timeline, in a browser"))
    room = max(len(command) for command, _ in rows)
    lines = [style.title("Where to look next (times are summed over all who waited)")]
    for command, what in rows:
        line = f"  {command:<{room}}  {what}"
        lines.append(line if len(line) <= style.width else f"  {command}")
    return "\n".join(lines)


def _by_cost(report: Report) -> list[tuple[str, int, str]]:
    """(section, time, what that is), the most expensive first."""
    rows = [
        (
            "tasks",
            report.tasks.total("ready_ns"),
            f"of ready {report.heading.nouns.task}s waiting to run",
        ),
        ("threads", report.threads.total(s.GIL_WAIT), "of waiting for the GIL"),
        ("locks", report.locks.total("contended_ns"), "of waiting for locks"),
        ("jobs", sum(row.queued.total_ns for row in report.jobs), "of jobs waiting to run"),
        ("io", report.io.total("calls_ns"), "in blocking calls"),
        ("gc", sum(row.pauses.total_ns for row in report.gc), "of garbage collection"),
        ("cpu", sum(row.self_ns for row in report.cpu), "of CPU time, sampled"),
    ]
    return sorted((row for row in rows if row[1]), key=lambda row: -row[1])
