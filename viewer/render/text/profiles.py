"""Profiles as text for a terminal: top, callers and callees, source lines, differences."""

import linecache
import re
from collections import Counter
from collections.abc import Callable

from tracer.errors import NotInTraceError, UsageError
from tracer.units import duration, share, size
from viewer.analysis.profiles.profile import Profile, Sample, totals

_CONTEXT = 2  # source lines shown around each line with a value
_UNITS: dict[str, Callable[[int], str]] = {"nanoseconds": duration, "bytes": size}


def render_top(profile: Profile, top: int) -> str:
    """The functions with the largest values of their own, like `go tool pprof -top`."""
    rows = [row for row in totals(profile.samples) if row.flat or row.cumulative]
    lines = [*_heading(profile), _row("flat", "flat%", "sum%", "cum", "cum%", "")]
    total, running = _whole(profile), 0
    for row in rows[:top]:
        running += row.flat
        lines.append(
            _row(
                _amount(profile, row.flat),
                _share(row.flat, total),
                _share(running, total),
                _amount(profile, row.cumulative),
                _share(row.cumulative, total),
                row.function.function,
            )
        )
    if len(rows) > top:
        lines.append(f"  … and {len(rows) - top:,} more (--rows)")
    return "\n".join(lines) + "\n"


def render_peek(profile: Profile, pattern: str) -> str:
    """For each function that matches: who called it, and what it called."""
    wanted = _compiled(pattern)
    rows = [row for row in totals(profile.samples) if wanted.search(row.function.function)]
    lines = _heading(profile)
    for row in rows:
        key = (row.function.function, row.function.path)
        callers: Counter[str] = Counter()
        callees: Counter[str] = Counter()
        for sample in profile.samples:
            value = sample.values[-1]
            names = [(place.function, place.path) for place in sample.frames]
            seen = {
                (kind, sample.frames[other].function)
                for at, name in enumerate(names)
                if name == key
                for kind, other in (("caller", at + 1), ("callee", at - 1))
                if 0 <= other < len(names)
            }
            for kind, name in sorted(seen):
                (callers if kind == "caller" else callees)[name] += value
        lines.append("-" * 60)
        lines += [_edge(profile, v, row.cumulative, name) for name, v in _most(callers)]
        flat, cumulative = _amount(profile, row.flat), _amount(profile, row.cumulative)
        lines.append(f"{flat:>10} {cumulative:>10}  | {row.function.function}")
        lines += [_edge(profile, v, row.cumulative, name) for name, v in _most(callees)]
    if not rows:
        raise NotInTraceError(f"no function matches {pattern!r}.")
    return "\n".join(lines) + "\n"


def render_source(profile: Profile, pattern: str) -> str:
    """The source lines of each function that matches, with their values."""
    wanted = _compiled(pattern)
    flat: dict[tuple[str, str], Counter[int]] = {}
    cumulative: dict[tuple[str, str], Counter[int]] = {}
    for sample in profile.samples:
        value = sample.values[-1]
        for depth, place in enumerate(sample.frames):
            key = (place.function, place.path)
            if wanted.search(key[0]) and place not in sample.frames[:depth]:
                cumulative.setdefault(key, Counter())[place.line] += value
                flat.setdefault(key, Counter())[place.line] += 0 if depth else value
    lines = _heading(profile)
    for key in sorted(cumulative, key=lambda key: (-cumulative[key].total(), key)):
        lines += _listing(profile, key, flat[key], cumulative[key])
    if not cumulative:
        raise NotInTraceError(f"no function matches {pattern!r}.")
    return "\n".join(lines) + "\n"


def difference(profile: Profile, base: Profile) -> Profile:
    """The profile minus the base. Raises UsageError when they measure different things."""
    if profile.types != base.types:
        have, had = (", ".join(map("/".join, p.types)) for p in (profile, base))
        raise UsageError(f"cannot compare a profile of {have} with one of {had}.")
    minus = tuple(
        Sample(sample.frames, tuple(-value for value in sample.values), sample.labels)
        for sample in base.samples
    )
    duration_ns = profile.duration_ns - base.duration_ns
    comments = (*profile.comments, f"difference: the base has {_amount(base, base.total)}")
    return Profile(
        profile.types,
        profile.samples + minus,
        profile.period,
        profile.start_unix_ns,
        duration_ns,
        comments,
    )


def _heading(profile: Profile) -> list[str]:
    name, _unit = profile.types[-1]
    facts = [f"Type: {name}"]
    if profile.duration_ns > 0:
        facts.append(f"Duration: {duration(profile.duration_ns)}")
    facts.append(f"Total: {_amount(profile, profile.total)}")
    return [", ".join(facts), *(f"# {comment}" for comment in profile.comments)]


def _listing(
    profile: Profile, key: tuple[str, str], flat: Counter[int], cumulative: Counter[int]
) -> list[str]:
    name, path = key
    total = f"{_amount(profile, flat.total())} flat, {_amount(profile, cumulative.total())}"
    lines = ["", f"{name}  {path}", f"  {total} cumulative in its lines"]
    shown: set[int] = set()
    for line in cumulative:
        shown.update(range(max(line - _CONTEXT, 1), line + _CONTEXT + 1))
    before = 0
    for number in sorted(shown):
        text = linecache.getline(path, number).rstrip()
        if not text and number not in cumulative:
            continue
        if before and number > before + 1:
            lines.append(f"{'⋮':>21}")
        before = number
        cells = (
            (_amount(profile, column[number]) if column[number] else ".")
            for column in (flat, cumulative)
        )
        lines.append("{:>10} {:>10}  {:>5}  {}".format(*cells, number, text).rstrip())
    return lines


def _row(flat: str, of: str, sum_: str, cum: str, cum_of: str, name: str) -> str:
    return f"{flat:>10} {of:>6} {sum_:>6} {cum:>10} {cum_of:>6}  {name}".rstrip()


def _edge(profile: Profile, value: int, of: int, name: str) -> str:
    return f"{'':>10} {_amount(profile, value):>10} {_share(value, abs(of)):>5} |   {name}"


def _most(edges: Counter[str]) -> list[tuple[str, int]]:
    found = ((name, value) for name, value in edges.items() if value)
    return sorted(found, key=lambda item: (-abs(item[1]), item[0]))


def _whole(profile: Profile) -> int:
    return sum(abs(sample.values[-1]) for sample in profile.samples)


def _amount(profile: Profile, value: int) -> str:
    return _UNITS.get(profile.types[-1][1], "{:,}".format)(value)


def _share(part: int, whole: int) -> str:
    text = share(abs(part), whole).replace(" ", "")
    return f"-{text}" if part < 0 else text


def _compiled(pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern)
    except re.error as error:
        raise UsageError(f"{pattern!r} is not a regular expression: {error}.") from None
