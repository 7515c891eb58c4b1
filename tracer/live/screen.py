"""What happened in an interval, as lines of a terminal. Pure functions."""

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tracer.live.view import CoroutineRow, Lag, LockRow, LoopRow, View, WaitRow
from tracer.units import duration, plural, share, size

# Key -> how coroutines are sorted, and what the bottom line calls that.
SORTS: dict[str, tuple[str, Callable[[CoroutineRow], int]]] = {
    "r": ("running", operator.attrgetter("running_ns")),
    "w": ("ready", operator.attrgetter("ready_ns")),
    "s": ("steps", operator.attrgetter("steps")),
    "l": ("live", operator.attrgetter("live")),
    "m": ("longest step", operator.attrgetter("longest_step_ns")),
}
_NARROWEST = 40  # columns that a table needs; what is narrower shows a part of it
_LEAST_HEAD = 3  # lines of it where there is no room for more …
_SECTIONS = 6  # … beside two sections of a title and a row
_ELLIPSIS = "…"
_NO_LIMIT = 1 << 30  # columns
_STATES = 4  # at most, in a line


@dataclass(frozen=True)
class Section:
    """A heading and its rows; the least important ones come last."""

    title: str
    rows: list[str]
    left_out: int = 0  # rows that are not here

    def lines(self, most: int) -> list[str]:
        """At most so many, or none at all."""
        if most < 2 or not self.rows:
            return []
        hidden = len(self.rows) + self.left_out - (most - 1)
        title = _noted(self.title, f" ({hidden} more)") if hidden > 0 else self.title
        return [title, *self.rows[: most - 1]]


def _noted(title: str, note: str) -> str:
    """In the room of the first column, if it is wide enough, so that the others stay."""
    room = " " * (len(note) + 1)
    return title.replace(room, f"{note} ", 1) if room in title else title + note


def screen(view: View, sort: str, width: int, height: int, *, keys: bool) -> list[str]:
    """The whole screen: never more lines, nor longer ones, than there is room."""
    foot = [_keys(sort, width)] if keys else []
    head = _head(view)[: max(height - len(foot) - _SECTIONS, _LEAST_HEAD)]
    columns = max(width, _NARROWEST)
    sections = [
        _loops(view),
        _coroutines(view, sort, columns),
        _locks(view.locks, columns),
        _waits(view, columns),
    ]
    room = max(height - len(head) - len(foot), 0)
    lines = [*head, *_shared(sections, room), *foot]
    return [_cut(_plain(line), width) for line in lines[:height]]


def whole(view: View, sort: str) -> list[str]:
    """Every row, for a file or a pipe."""
    sections = [
        _loops(view),
        _coroutines(view, sort, 100),
        _locks(view.locks, _NO_LIMIT),
        _waits(view, _NO_LIMIT),
    ]
    shown = [section for section in sections if section.rows]
    blocks = [line for s in shown for line in ("", *s.lines(len(s.rows) + 1))]
    return [_plain(line) for line in (*_head(view), *blocks)]


def _shared(sections: Sequence[Section], room: int) -> list[str]:
    """Room for all sections: each gets a line in turn, as long as it has more to show."""
    wanted = [len(s.rows) + 2 if s.rows else 0 for s in sections]  # with a blank line before
    given = [0] * len(sections)
    for at, want in enumerate(wanted):
        if want and room >= 3:
            given[at], room = 3, room - 3
    while room and (short := [i for i, n in enumerate(given) if 0 < n < wanted[i]]):
        for at in short[:room]:
            given[at] += 1
        room -= len(short[:room])
    return [
        line
        for section, lines in zip(sections, given, strict=True)
        if lines
        for line in ("", *section.lines(lines - 1))
    ]


# --- the parts ---


def _head(view: View) -> list[str]:
    per_s = f"{_rate(view.gc.count, view.interval_ns)} GC/s"
    dropped = f", {plural(view.dropped, 'event')} dropped" if view.dropped else ""
    if view.gil is None:
        gil = "GIL not recorded"
    else:
        held = share(view.gil.held_ns, view.interval_ns)
        gil = f"GIL held {held}, waited for {_many(view.gil.waited_ns, view.interval_ns)}"
    states = [
        f"{name} {_many(ns, view.interval_ns)}"
        for name, ns in sorted(view.thread_states_ns.items(), key=lambda item: -item[1])
        if ns
    ]
    now = [f"{count} {name}" for name, count in view.threads_now.items()]
    return [
        f"{view.pid}  {view.argv}",
        f"up {duration(view.up_ns)}, last {duration(view.interval_ns)}   "
        f"{plural(view.tasks, 'task')}, {view.ready} ready   RSS {size(view.rss_bytes)}   "
        f"recorder {share(view.recorder_ns, view.interval_ns)}{dropped}",
        f"{gil}   {per_s}, {share(view.gc.pause_ns, view.interval_ns)} of the time, "
        f"{plural(view.gc.collected, 'object')} freed",
        f"{plural(view.threads, 'thread')}: {', '.join(now[:_STATES])}",
        f"spent: {', '.join(states[:_STATES]) or 'not recorded'}",
    ]


def _loops(view: View) -> Section:
    title = f"{'LOOP':<22}{'BUSY':>6}{'LAG p50':>9}{'p99':>9}{'MAX':>9}{'READY':>7}  NOW"
    return Section(title, [_loop(row) for row in view.loops if row.runs or row.steps])


def _loop(row: LoopRow) -> str:
    busy = share(row.busy_ns, row.ran_ns) if row.runs or row.ran_ns else "-"
    now = f"{row.now} {duration(row.now_ns)}" if row.now else "-"
    lag = _with_now(row.lag, row.ready_longest_ns)
    name = row.name.replace(" loop @", " @")
    return (
        f"{_cut(name, 21):<22}{busy:>6}{_or(lag.p50_ns):>9}{_or(lag.p99_ns):>9}"
        f"{_or(lag.max_ns):>9}{row.ready:>7}  {now}"
    )


def _with_now(lag: Lag, ready_ns: int) -> Lag:
    """A task that is ready all the time counts as soon as it is the latest."""
    if ready_ns <= (lag.max_ns or 0):
        return lag
    return Lag(lag.count, lag.p50_ns, lag.p99_ns, ready_ns)


def _coroutines(view: View, sort: str, width: int) -> Section:
    by = SORTS[sort][1]
    rows = sorted(view.coroutines, key=lambda row: (-by(row), row.coro))
    rows = [row for row in rows if row.live or row.steps]
    name = max(width - 49, 20)
    title = (
        f"{'COROUTINE':<{name}}{'LIVE':>7}{'STEPS/s':>9}{'RUNNING':>9}{'READY':>10}"
        f"{'LONGEST STEP':>14}"
    )
    return Section(title, [_coroutine(row, view.interval_ns, name) for row in rows])


def _coroutine(row: CoroutineRow, interval_ns: int, name: int) -> str:
    shown = _fit(f"{row.coro}  ", row.site.partition(" ")[0], name - 1)
    return (
        f"{_cut(shown, name - 1):<{name}}{row.live:>7,}{_rate(row.steps, interval_ns):>9}"
        f"{share(row.running_ns, interval_ns):>9}{duration(row.ready_ns):>10}"
        f"{duration(row.longest_step_ns):>14}"
    )


def _locks(locks: Sequence[LockRow], width: int) -> Section:
    title = f"{'WAITERS':>7}{'SINCE':>9}{'WAITED':>9}  LOCK, HELD BY"
    return Section(title, [_lock(row, width) for row in locks])


def _lock(row: LockRow, width: int) -> str:
    since = duration(row.waits_since_ns) if row.waiters else "-"
    what = f"{row.waiters:>7}{since:>9}{duration(row.waited_ns):>9}  {row.kind} "
    if not row.owner:
        return _fit(what, row.site, width)
    held = f", held by {row.owner} "
    room = (width - len(what) - len(held)) // 2  # for each of the two places
    owner_site = _fit("", row.owner_site, room)
    return _fit(what, row.site, width - len(held) - len(owner_site)) + held + owner_site


def _waits(view: View, width: int) -> Section:
    """Those who wait for the same at the same line share a row, that of the longest wait."""
    alike: dict[tuple[str, str], list[WaitRow]] = {}
    for row in view.waits:
        alike.setdefault((row.what, row.site), []).append(row)
    title = f"{'WAITS':>9}  WHO, FOR WHAT"
    rows = [_wait(width, *rows) for rows in alike.values()]
    return Section(title, rows, view.waits_omitted)


def _wait(width: int, longest: WaitRow, *others: WaitRow) -> str:
    who = f"{longest.who} and {plural(len(others), 'other')}" if others else longest.who
    return _fit(f"{duration(longest.ns):>9}  {who}: {longest.what} ", longest.site, width)


def _keys(sort: str, width: int) -> str:
    """The sort in use is in brackets. Where there is no room, only the keys."""
    named = {key: f"{key} {name}" for key, (name, _) in SORTS.items()}
    for words in (named, {key: key for key in SORTS}):
        shown = (f"[{word}]" if key == sort else word for key, word in words.items())
        line = f"sort: {'  '.join(shown)}   q quit"
        if len(line) <= width:
            break
    return line


# --- numbers and text ---


def _or(ns: int | None) -> str:
    return "-" if ns is None else duration(ns)


def _rate(count: int, interval_ns: int) -> str:
    """Per second, without decimals; something is never 0."""
    if not count or not interval_ns:
        return "0"
    per_s = count * 1_000_000_000 // interval_ns
    return f"{per_s:,}" if per_s else "<1"


def _many(ns: int, interval_ns: int) -> str:
    """The share of one thread's time; several have more than 100 %."""
    if ns < interval_ns or not interval_ns:
        return share(ns, interval_ns)
    return f"{(ns * 100 + interval_ns // 2) // interval_ns} %"


def _plain(line: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in line).rstrip()


def _fit(text: str, site: str, width: int) -> str:
    """A text and the place after it. Where both have no room, the place has fewer folders: its
    file and line say more than those do."""
    over = len(text) + len(site) - width
    path = site.partition(" ")[0]
    if over <= 0 or "/" not in path:
        return text + site
    folders = [i for i, letter in enumerate(path) if letter == "/" and i > over]
    return f"{text}{_ELLIPSIS}{site[folders[0] if folders else path.rindex('/') :]}"


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + _ELLIPSIS
