"""An entry of a dump: a thread or task at one moment."""

from dataclasses import field
from enum import StrEnum
from typing import NamedTuple

from viewer.analysis.profiles.profile import Place


class What(StrEnum):
    """What an entry is."""

    THREAD = "thread"
    TASK = "task"


class How(StrEnum):
    """Why an entry waits for another one."""

    HOLDS = "holds"  # the lock, or the GIL
    HELD = "held"  # … when the wait began; who holds it now is unknown
    AWAITED = "awaited"  # a task that is awaited, a thread that is joined


UNKNOWN = "unknown"  # the state of a thread that the trace does not show


class Behind(NamedTuple):
    """Whom an entry waits for. `index` is among the entries; -1: it is not in the dump."""

    how: How
    what: What
    name: str
    index: int = -1  # type: ignore[assignment]
    site: str = ""  # where a holder acquired the lock


class Entry(NamedTuple):
    """Times are the trace's own, in ns; frames are innermost first, empty where unknown."""

    what: What
    process: int
    index: int  # type: ignore[assignment]  # among the model's threads, or tasks
    number: int  # a tid, or a task's id; -1 unknown
    name: str
    function: str  # of a task: its coroutine function; "" of a thread
    site: str  # … and where that is
    state: str  # "await Lock", "ready", "running", "lock wait: Lock", "io: …", UNKNOWN
    since_ns: int  # -1 unknown
    frames: tuple[Place, ...] = ()
    at_least: bool = False  # it was in this state before the recording began
    sampled_ns: int = -1  # when the frames were seen; -1: they are of the moment itself
    created: tuple[Place, ...] = ()  # the stack that created it
    creator: int = -1  # among the entries; -1 unknown, or over
    creator_name: str = ""
    runs_on: int = -1  # the entry of the thread that runs this task's step
    is_loop: bool = False  # a thread on which a loop runs
    lock: int = -1
    behind: Behind | None = None

    @property
    def place(self) -> tuple[What, int]:
        """Which thread or task it is."""
        return self.what, self.index


class Dump(NamedTuple):
    """All threads and tasks of one moment."""

    at_ns: int
    start_ns: int
    entries: tuple[Entry, ...]
    remarks: tuple[str, ...] = field(default=())  # why something may be missing

    def age_ns(self, entry: Entry) -> int:
        """How long it has been in its state; -1 unknown."""
        return self.at_ns - entry.since_ns if entry.since_ns >= 0 else -1
