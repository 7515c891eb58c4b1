"""A dump as text: how many threads and tasks do the same, since when, and behind whom."""

from collections import Counter
from collections.abc import Iterator

from tracer.units import duration, plural
from viewer.analysis.dump.entry import Dump, Entry, What
from viewer.analysis.dump.groups import Group, groups
from viewer.analysis.dump.words import at, behind, created_by, named, sampled
from viewer.analysis.profiles.profile import Place
from viewer.render.text.tables import Style, wrap
from viewer.words import code, place, shorten

_NAMED = 3  # names of a group that are shown
_LONG = 60


def render_text(dump: Dump, entries: tuple[Entry, ...], file: str, style: Style) -> str:
    """The groups, the largest first."""
    counts = Counter(entry.what for entry in entries)
    told = [plural(counts[what], what.value) for what in What if counts[what]]
    lines = [style.title(f"{file} at {at(dump)}: {' and '.join(told) or 'nothing'}")]
    for remark in dump.remarks:
        lines += wrap(f"! {remark}", style.width)
    for group in groups(entries):
        lines += ["", *_group(dump, group, style)]
    return "\n".join(lines) + "\n"


def _group(dump: Dump, group: Group, style: Style) -> Iterator[str]:
    yield style.title(shorten(_title(dump, group), style.width))
    first = group.entries[0]
    if group.what is What.TASK and len(group.entries) <= _NAMED:
        yield "  named " + ", ".join(shorten(entry.name, _LONG) for entry in group.entries)
    if first.sampled_ns >= 0:
        yield f"  {sampled(dump, first)}"
    for line in dict.fromkeys(
        behind(dump, entry) for entry in group.entries if entry.behind is not None
    ):
        yield from wrap(line, style.width)
    yield from _frames(group.frames, style)
    for creator, count in Counter(map(created_by, group.entries)).most_common(_NAMED):
        if creator is not None:
            times = f" ({count:,} of them)" if count < len(group.entries) else ""
            yield f"  created by {creator.function}  {_where(creator, style)}{times}".rstrip()


def _title(dump: Dump, group: Group) -> str:
    ages = [dump.age_ns(entry) for entry in group.entries if entry.since_ns >= 0]
    least = "at least " if any(entry.at_least for entry in group.entries) else ""
    ends = dict.fromkeys(duration(age) for age in (min(ages), max(ages))) if ages else ()
    since = f" for {least}{' to '.join(ends)}" if ends else ""
    count = len(group.entries)
    if group.what is What.THREAD:
        who = named(group.entries[0]) if count == 1 else plural(count, "thread")
        return f"{who}: {group.state}{since}"
    return f"{plural(count, 'task')} {code(group.function, group.site)}: {group.state}{since}"


def _frames(frames: tuple[Place, ...], style: Style) -> list[str]:
    if not frames:
        return ["    stack unknown"]
    names = [shorten(frame.function, _LONG) for frame in frames]
    room = max(map(len, names))
    return [
        f"    {name:<{room}}  {_where(frame, style)}".rstrip()
        for name, frame in zip(names, frames, strict=True)
    ]


def _where(frame: Place, style: Style) -> str:
    return place(f"{frame.path}:{frame.line}", style.base) if frame.path else ""
