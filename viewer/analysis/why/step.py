"""The steps of a critical path: who did what, from when to when."""

from collections.abc import Generator
from dataclasses import dataclass
from enum import StrEnum


class Did(StrEnum):
    """What somebody did in a step."""

    WAITED = "waited"  # for `what`
    RAN = "ran"  # for a thread, including preemption and short GIL waits
    CALLBACK = "callback"  # a loop ran it
    CALLED = "called"  # a blocking call or a sleep
    CREATED = "created"  # the task, thread or process of the step before, at this moment
    JOB = "job"  # a job of a pool of processes ran in the process `what`
    SUBMITTED = "submitted"  # the job of the step before, at this moment
    WROTE = "wrote"  # what the step before waited for, at this moment
    TIMER = "timer"  # a timer was due
    TIMEOUT = "timeout"  # nobody had ended the wait before
    CANCELLED = "cancelled"  # nobody had ended the wait before
    IO = "io"  # something arrived from outside the program, at some moment of this time
    DONE = "done"  # the call was done
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


type At = tuple[str, int, int]  # a task, thread, callback …; its index or slice; until when
type Follow = Generator[Step, None, At | None]  # steps, and where to continue


def root(did: Did, at: int) -> Step:
    """A step of nobody, at which a path ends."""
    return Step(did, "", "", "", at, at)
