"""The entries of a dump counted by identical stack and state."""

from collections import defaultdict
from typing import NamedTuple

from tracer import schema as s
from viewer.analysis.dump.entry import Entry, What
from viewer.analysis.profiles.profile import Place


class Group(NamedTuple):
    """Threads, or tasks, with one stack, which do the same."""

    what: What
    state: str
    function: str  # of tasks
    site: str
    frames: tuple[Place, ...]  # innermost first; () unknown
    entries: tuple[Entry, ...]  # the one that has been so for longest comes first


def state_of(entry: Entry) -> str:
    """The state without the name of the task that is awaited."""
    for prefix in (s.AWAIT_TASK_PREFIX, s.AWAIT_GREENLET_PREFIX):
        if entry.state.startswith(prefix):
            return prefix.rstrip()
    return entry.state


def groups(entries: tuple[Entry, ...]) -> tuple[Group, ...]:
    """The largest group first; of equal ones, the one that has been so for longest."""
    found: dict[tuple[What, str, str, str, tuple[Place, ...]], list[Entry]] = defaultdict(list)
    for entry in entries:
        key = entry.what, state_of(entry), entry.function, entry.site, entry.frames
        found[key].append(entry)
    made = [
        Group(*key, tuple(sorted(alike, key=lambda entry: entry.since_ns)))
        for key, alike in found.items()
    ]
    made.sort(key=lambda group: (-len(group.entries), group.entries[0].since_ns))
    return tuple(made)
