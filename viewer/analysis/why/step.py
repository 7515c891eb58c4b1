"""The steps of a critical path: who did what, from when to when."""

from dataclasses import dataclass
from enum import StrEnum


class Did(StrEnum):
    """What somebody did in a step."""

    WAITED = "waited"  # for `what`
    RAN = "ran"  # for a thread, including preemption and short GIL waits
    CALLBACK = "callback"  # a loop ran it
    CALLED = "called"  # a blocking call or a sleep
    CREATED = "created"  # the task or thread of the step before, at this moment
    TIMER = "timer"  # a timer was due
    TIMEOUT = "timeout"  # nobody had ended the wait before
    CANCELLED = "cancelled"  # nobody had ended the wait before
    IO = "io"  # something arrived from outside the program
    UNKNOWN = "unknown"  # the trace does not show it
    CYCLE = "cycle"  # back at a wait of this path: they wait for each other
    MORE = "more"  # the path goes on, but is too long to show


@dataclass(frozen=True, slots=True)
class Step:
    """`who` is "" for a step of nobody. A moment has equal times."""

    did: Did
    who: str
    what: str
    site: str
    start_ns: int
    end_ns: int
