"""What a dump says of an entry in words, for all its text forms."""

from collections.abc import Iterator

from tracer.units import duration, moment
from viewer.analysis.dump.entry import Dump, Entry, How, What
from viewer.analysis.profiles.profile import Place
from viewer.trace.sites import is_library

_HOW = {
    How.HOLDS: "waits for {who}, which holds it",
    How.HELD: "waits for {who}, which held it when the wait began",
    How.AWAITED: "waits for {who}",
}


def named(entry: Entry) -> str:
    """`task 7 "Task-7" (worker)`, `thread 4711 "MainThread"`."""
    number = f" {entry.number}" if entry.number >= 0 else ""
    function = f" ({entry.function})" if entry.what is What.TASK else ""
    return f'{entry.what}{number} "{entry.name}"{function}'


def notes(dump: Dump, entry: Entry) -> Iterator[str]:
    """What is known of an entry besides its state and its stack."""
    yield f"{named(entry)}{_for(dump, entry)}"
    if entry.runs_on >= 0:
        yield f"runs on {named(dump.entries[entry.runs_on])}"
    if entry.sampled_ns >= 0:
        yield sampled(dump, entry)
    if entry.behind is not None:
        yield behind(dump, entry)


def _for(dump: Dump, entry: Entry) -> str:
    if entry.since_ns < 0:
        return ""
    least = "at least " if entry.at_least else ""
    return f": {entry.state} for {least}{duration(dump.age_ns(entry))}"


def sampled(dump: Dump, entry: Entry) -> str:
    """When the stack was seen, if not at the moment itself."""
    ns = dump.at_ns - entry.sampled_ns
    return f"stack seen {duration(abs(ns))} {'earlier' if ns >= 0 else 'later'}"


def behind(dump: Dump, entry: Entry) -> str:
    """Whom it waits for, whom that one waits for, to the end of the chain."""
    found: list[str] = []
    seen = {entry.place}
    while entry.behind is not None:
        told = entry.behind
        following = dump.entries[told.index] if told.index >= 0 else None
        who = named(following) if following is not None else f'{told.what} "{told.name}"'
        found.append(_HOW[told.how].format(who=who))
        if following is None:
            break
        if following.place in seen:
            found.append("a circle: none of them can go on")
            break
        seen.add(following.place)
        if following.behind is None:
            age = f" for {duration(dump.age_ns(following))}" if following.since_ns >= 0 else ""
            found.append(f"that one: {following.state}{age}")
        entry = following
    return "; ".join(found)


def created_by(entry: Entry) -> Place | None:
    """The innermost line of the program in the stack that created it, else its creator."""
    for place in entry.created:
        if place.path and not is_library(f"{place.path}:"):
            return place
    return Place(entry.creator_name) if entry.creator_name else None


def at(dump: Dump) -> str:
    """The moment, since the trace began."""
    return moment(dump.at_ns - dump.start_ns)
