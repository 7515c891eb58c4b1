"""Threads, locks and blocking calls as text: who waited, and behind whom."""

from collections.abc import Sequence
from itertools import islice

from tracer import schema as s
from tracer.units import duration, moment, plural, share, size
from viewer.analysis.io import IoRow
from viewer.analysis.lockers import Cause
from viewer.analysis.locks import ENDS, LockRow
from viewer.analysis.report import Report
from viewer.analysis.rows import Rows
from viewer.analysis.spread import Spread
from viewer.analysis.threads import Held, ThreadRow
from viewer.render.text.tables import Cell, Style, Time, beginnings, spare, table, wrap
from viewer.words import Named, beside, code, place, shorten, tail

_HEADLINES = 3
_REASONS = 3  # given for each row
_NOTED = 100  # waits are explained from a hundredth of the thread's time on …
_NEWS = 20  # … and mentioned first from a twentieth on
_NEWS_NS = 1_000_000  # shorter calls that hold the GIL are not mentioned
_HARDLY = 100  # a lock with this many times less waiting than the worst is not explained
_LONG, _SHORT = 48, 16  # names in sentences, in columns of their own
_SENTENCE = 56  # characters of a sentence besides the name in it
_TO_SPARE = ("unknown", "off cpu", "native", "sleep", "run delay", "p90", "p50", "held")
_AT_LAST = ("preempted", "woken by", "timed out", "longest hold", "bytes", "idle")
_FREE = "nobody: free, not yet acquired"
_OTHERS = "many others, each for a moment"
_CAUSES = {"free": _FREE, "unknown": "unknown", "others": _OTHERS}
_BEGINNING = 24  # characters before the text of a part


def threads(report: Report, top: int, style: Style) -> str:
    if not report.threads:
        return "threads: none were recorded."
    rows = report.thread_groups[:top]
    lines = [style.title("Threads")]
    for row in islice(_starving(report), _HEADLINES):
        lines += wrap(_starved(report, row), style.width)
    if "gil" not in report.health.signals:
        lines += wrap(
            "The signal gil was off: what threads did between these waits is unknown.",
            style.width,
        )
    columns = ["thread", "wall", *_STATES]
    body: list[list[Cell]] = [
        [
            _thread_name(report, row),
            Time(row.wall_ns),
            *(share(part, row.wall_ns) if part else "" for part in _states(row)),
        ]
        for row in rows
    ]
    if any(row.run_delay_ns is not None for row in rows):
        columns.append("run delay")
        for row, cells in zip(rows, body, strict=True):
            cells.append("" if row.run_delay_ns is None else Time(row.run_delay_ns))
    lines += _fitted(columns, body, style)
    lines += _more(len(report.thread_groups), top)
    explained = [
        line
        for row in rows
        if row.gil_wait_ns * _NOTED >= row.wall_ns and row.gil_wait_ns
        for line in _who_had_the_gil(report, row, style)
    ]
    if explained:
        lines += ["", style.title("Who held the GIL while they waited"), *explained]
    keepers = [row for row in report.thread_groups if sum(row.holding.values()) >= _NEWS_NS]
    if keepers:
        lines += ["", style.title("Held the GIL without running Python")]
        for row in keepers[:_HEADLINES]:
            name = shorten(_thread_name(report, row), _LONG)
            lines += wrap(f"{name}: {_parts(row.holding)}", style.width)
    return "\n".join(lines)


def starved_threads(report: Report, most: int) -> list[tuple[int, str]]:
    """(time, sentence) of the threads that waited longest for the GIL."""
    rows = islice(_starving(report).largest(s.GIL_WAIT), most)
    return [(row.gil_wait_ns, _starved(report, row)) for row in rows]


def _starving(report: Report) -> Rows[ThreadRow]:
    """The threads that waited for the GIL for a good part of their time."""
    groups = report.thread_groups
    waited, wall = groups.measure(s.GIL_WAIT), groups.measure("wall_ns")
    if not any(waited):
        return Rows()
    return groups.only(lambda number: waited[number] * _NEWS >= wall[number] > 0)


_STATES = (
    "running", "GIL wait", "lock", "idle", "io", "sleep", "native", "preempted", "off cpu",
    "unknown",
)  # fmt: skip


def _states(row: ThreadRow) -> list[int]:
    states = {**row.states, "lock": row.states["lock"] - row.idle_ns}
    states |= {"idle": row.idle_ns, "unknown": row.unknown_ns}
    return [states[name] for name in _STATES]


def _starved(report: Report, row: ThreadRow) -> str:
    """`main` waited 812 ms for the GIL (41 % of its time), 790 ms of that for `compress`."""
    name = shorten(_of_process(report, row.process, row.name), _LONG)
    who, its = (f"{row.threads:,} threads ", "their") if row.threads > 1 else ("", "its")
    part = share(row.gil_wait_ns, row.wall_ns)
    text = (
        f"{who}`{name}` waited {duration(row.gil_wait_ns)} for the GIL ({part} of {its} time)"
    )
    if not row.held.holders:
        return f"{text}; its holder is unknown."
    worst = row.held.holders[0]
    text += f", {duration(worst.ns)} of that for `{shorten(worst.name, _LONG)}` to release it"
    away = {state: ns for state, ns in worst.states.items() if state != s.RUNNING}
    return f"{text} ({_parts(away)})." if away else f"{text}."


def _thread_name(report: Report, row: ThreadRow) -> str:
    """`worker-3`; `12 × worker-N` for threads that differ only in a number."""
    name = _of_process(report, row.process, row.name)
    return f"{row.threads:,} × {name}" if row.threads > 1 else name


def _parts(states: dict[str, int]) -> str:
    """`preempted 60.0 ms, io 1.20 ms`, the longest first, without zeros."""
    parts = sorted(states.items(), key=lambda item: -item[1])
    return ", ".join(f"{state} {duration(ns)}" for state, ns in parts if ns)


def _who_had_the_gil(report: Report, row: ThreadRow, style: Style) -> list[str]:
    name = shorten(_thread_name(report, row), max(style.width - _SENTENCE, _SHORT))
    waits = plural(row.gil_waits.count, "wait")
    line = f"{name}: waited {duration(row.gil_wait_ns)} in {waits}"
    if row.worst is not None and row.gil_waits.count > 1:
        at = moment(max(row.worst.start_ns - report.heading.start_ns, 0))
        line += f", the longest {duration(row.worst.ns)} (at {at})"
    return [*wrap(line, style.width), *_holders(row.held, row.gil_wait_ns, style)]


def _holders(held: Held, total: int, style: Style) -> list[str]:
    parts: list[tuple[int, str]] = []
    for holder in held.holders[:_REASONS]:
        away = {state: ns for state, ns in holder.states.items() if state != s.RUNNING}
        when = f" ({_parts(away)})" if away else ""
        if len(when) > style.width - _BEGINNING - _SHORT:
            when = ""
        room = style.width - _BEGINNING - len(when)
        parts.append((holder.ns, shorten(holder.name, room) + when))
    rest = held.holders[_REASONS:]
    parts.append((sum(holder.ns for holder in rest), plural(len(rest), "other")))
    parts += [
        (held.others_ns, _OTHERS),
        (held.free_ns, _FREE),
        (held.unknown_ns, "unknown"),
    ]
    return _shares(parts, total)


def _shares(parts: Sequence[tuple[int, str]], total: int) -> list[str]:
    """One line for each part that is not nothing."""
    present = [part for part in parts if part[0]]
    starts = beginnings([ns for ns, _ in present], total)
    return [start + text for start, (_, text) in zip(starts, present, strict=True)]


def locks(report: Report, top: int, style: Style) -> str:
    if not report.locks:
        return "locks: nobody waited for one."
    first_idle = len(report.locks) - report.locks.total("is_idle")  # they are the last
    contended, idle = report.locks.part(0, first_idle), report.locks.part(first_idle, None)
    parts = []
    if contended:
        parts.append(_contended(report, contended, top, style))
    else:
        parts.append("locks: nobody waited for a lock that another held.")
    if idle:
        lines = [style.title("Idle waits"), *wrap(_ABOUT_IDLE, style.width)]
        columns = ["what", "waits", "p50", "p90", "max", "total", "timed out", "woken by"]
        body = [[*_waits(report, row, style), _wakers(row)] for row in idle[:top]]
        lines += _fitted(columns, body, style)
        parts.append("\n".join(lines + _more(len(idle), top)))
    return "\n\n".join(parts)


def _wakers(row: LockRow) -> str:
    first = shorten(row.woken_by[0][0], _SHORT) if row.woken_by else ""
    return first + (f" +{len(row.woken_by) - 1}" if len(row.woken_by) > 1 else "")


_ABOUT_IDLE = "for work, a result, an event or a slot; nobody holds what these wait for."


def _contended(report: Report, rows: Rows[LockRow], top: int, style: Style) -> str:
    lines = [style.title("Locks")]
    worst = rows[0].waits.total_ns
    slow = [row for row in rows[:top] if row.waits.total_ns * _HARDLY > worst]
    for row in slow[:_HEADLINES]:
        lines += wrap(_blocked(report, row, style), style.width)
    columns = ["lock", "waits", "p50", "p90", "max", "total", "timed out", "held"]
    body = [
        [*_waits(report, row, style), Time(row.holds.max_ns) if row.holds.count else ""]
        for row in rows[:top]
    ]
    columns[-1] = "longest hold"
    lines += [*_fitted(columns, body, style), *_more(len(rows), top)]
    if slow:
        lines += ["", style.title("Who held the lock while others waited")]
        for row in slow:
            lines += _who_had_it(report, row, style)
    return "\n".join(lines)


def slowest_locks(report: Report, style: Style, most: int) -> list[tuple[int, str]]:
    """(time, sentence) of the locks that others held: those with the longest waits."""
    held = (
        row
        for row in report.locks.largest("max_ns", having="waited_for")
        if not row.is_idle and row.waiters and row.kind not in ENDS  # told by those themselves
    )
    slowest = islice(held, most)
    return [(row.waits.max_ns, _blocked(report, row, style)) for row in slowest]


def _waits(report: Report, row: LockRow, style: Style) -> list[Cell]:
    return [
        _lock_name(report, row, style),
        f"{row.waits.count:,}",
        *_times(row.waits),
        f"{row.timed_out:,}" if row.timed_out else "",
    ]


def _times(spread: Spread) -> list[Cell]:
    return [*map(Time, (spread.p50_ns, spread.p90_ns, spread.max_ns, spread.total_ns))]


def _lock_name(report: Report, row: LockRow, style: Style) -> Named:
    kind = shorten(row.kind, _LONG)
    name = kind if row.locks == 1 else f"{row.locks:,} × {kind}"
    return Named(name, _of_process(report, row.process, place(row.site, style.base)))


def _blocked(report: Report, row: LockRow, style: Style) -> str:
    """Lock app.py:12: 107 ms of waiting, 95 % of it for `flush` …; `worker` waited most …"""
    name = _lock_name(report, row, style).fitted(style.width - 4)
    if not row.waiters:
        return f"{name}: nobody waited for it."
    waiter = row.waiters[0]
    text = f"{name}: {duration(row.waits.total_ns)} of waiting"
    cause = row.waited_for[0] if row.waited_for else None
    if cause is not None and cause.kind == "owner":
        where = tail(place(cause.site, style.base), _LONG)
        at = f", which acquired it at {where}" if cause.site else ""
        part = share(cause.ns, row.waits.total_ns)
        text += f", {part} of it for `{shorten(cause.who, _LONG)}`{at}"
    elif cause is not None:
        text += ", mostly for an unknown holder" if cause.kind == "unknown" else ""
    at = f", at {tail(place(waiter.site, style.base), _LONG)}" if waiter.site else ""
    longest = f", the longest {duration(waiter.max_ns)}" if waiter.count > 1 else ""
    return (
        f"{text}; `{shorten(waiter.who, _LONG)}` waited most{at} "
        f"({duration(waiter.ns)}{longest})."
    )


def _who_had_it(report: Report, row: LockRow, style: Style) -> list[str]:
    total = row.waits.total_ns
    waits = plural(row.waits.count, "wait")
    name = _lock_name(report, row, style).fitted(style.width - 40)
    parts = [(cause.ns, _cause(cause, style)) for cause in row.waited_for[:_REASONS]]
    rest = row.waited_for[_REASONS:]
    parts.append((sum(cause.ns for cause in rest), plural(len(rest), "other")))
    return [f"  {name}: {duration(total)} in {waits}", *_shares(parts, total)]


def _cause(cause: Cause, style: Style) -> str:
    if cause.kind in _CAUSES:
        return _CAUSES[cause.kind]
    room = style.width - _BEGINNING
    name = shorten(cause.who, room // 2)
    return f"{name}  {tail(place(cause.site, style.base), room - len(name) - 2)}".rstrip()


def waits_for_children(report: Report, style: Style) -> list[tuple[int, str]]:
    """(time, sentence) of the calls that waited for child processes."""
    return [
        (
            row.calls.max_ns,
            f"`{_call_name(report, row, style).fitted(style.width - 4)}` waited "
            f"{duration(row.calls.total_ns)} for {_named_children(row)}.",
        )
        for row in report.io.at_least("children", 1)
        if not row.writers
    ]


def waits_for_writers(report: Report, style: Style) -> list[tuple[int, str]]:
    """(time, sentence) of the calls that waited until another recorded process wrote."""
    found = []
    for row in report.io.at_least("writers_ns", 1):
        names = {_of_process(report, one.process, one.who): one.site for one in row.writers}
        sites = {one.site for one in row.writers}
        who, site = next(iter(names.items()))
        at = beside(site, style.base) if len(sites) == 1 else ""
        others = f" and {plural(len(names) - 1, 'other thread')}" if len(names) > 1 else ""
        call = _call_name(report, row, style).fitted(style.width - 4)
        waited = duration(sum(one.ns for one in row.writers))
        text = f"`{call}` waited {waited} for {code(who)}{others} to write{at}."
        found.append((row.calls.max_ns, text))
    return found


def _named_children(row: IoRow) -> str:
    """`worker 1`, `worker 2` and 6 more; "child processes" where their names are unknown."""
    names = [code(name) for name in row.children[:_REASONS]]
    more = len(row.children) - _REASONS
    told = [*names, f"{more} more"] if more > 0 else names
    said = " and ".join([*([", ".join(told[:-1])] if told[1:] else []), *told[-1:]])
    return (
        f"the child {'processes' if told[1:] else 'process'} {said}"
        if said
        else "child processes"
    )


def io(report: Report, top: int, style: Style) -> str:
    if not report.io:
        return "io: no blocking calls were recorded."
    rows = report.io[:top]
    lines = [style.title("Blocking calls")]
    keepers = sorted(
        report.io.at_least("holding_gil_ns", _NEWS_NS),
        key=lambda row: -row.holding_gil_ns,
    )
    for row in keepers[:_HEADLINES]:
        text = f"`{_call_name(report, row, style).fitted(style.width - 4)}` held the GIL for "
        text += f"{duration(row.holding_gil_ns)}: no other thread could run Python."
        lines += wrap(text, style.width)
    for _, text in sorted(waits_for_writers(report, style), reverse=True)[:_HEADLINES]:
        lines += wrap(text, style.width)
    columns = ["call", "calls", "p50", "p90", "max", "total", "bytes"]
    body = [
        [
            _call_name(report, row, style),
            f"{row.calls.count:,}",
            *_times(row.calls),
            "" if row.size_bytes is None else size(row.size_bytes),
        ]
        for row in rows
    ]
    return "\n".join([*lines, *_fitted(columns, body, style), *_more(len(report.io), top)])


def _call_name(report: Report, row: IoRow, style: Style) -> Named:
    where = _of_process(report, row.process, place(row.site, style.base))
    return Named(shorten(row.callable, _LONG), where)


def _of_process(report: Report, process: int, name: str) -> str:
    """With the process where the trace has several."""
    of = report.heading.names.get(process, "")
    return f"{name} [{of}]" if of else name


def _fitted(columns: Sequence[str], rows: list[list[Cell]], style: Style) -> list[str]:
    """The table without columns that are empty, or that it has no room for."""
    keep = [i for i in range(len(columns)) if i < 2 or any(row[i] != "" for row in rows)]
    shown = [columns[i] for i in keep]
    cells = [[row[i] for i in keep] for row in rows]
    names = [str(row[0]) for row in cells]
    return table(*spare(shown, cells, names, style.width, _TO_SPARE, _AT_LAST), style)


def _more(count: int, top: int) -> list[str]:
    return [f"  … and {plural(count - top, 'row')} more (--top)"] if count > top else []
