"""A part of a wait: its kind, who it was, how long it took, and its own parts."""

from collections import defaultdict
from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

from viewer.analysis.causes.samples import Hot, hottest_of
from viewer.analysis.ledger.resource import Windows


class Kind(StrEnum):
    """The kinds of parts; viewer/NOTES.md, "Why", defines them."""

    TASK = "task"  # on the loop
    CALLBACK = "callback"
    SELECT = "select"
    LOOP = "loop"  # asyncio's own work
    GC = "gc"
    THREAD = "thread"  # held the GIL
    OWNER = "owner"  # held the lock
    HOLDER = "holder"  # most likely had a slot; nobody gave one back
    WAKER = "waker"  # a task or thread that ended the wait
    UNENDED = "unended"  # a task for whose end it waits, and which lives on
    FREE = "free"  # nobody held it
    COMPUTING = "computing"
    NATIVE = "native"
    PREEMPTED = "preempted"
    OFF_CPU = "off cpu"
    GIL_WAIT = "gil wait"
    LOCK_WAIT = "lock wait"
    IDLE_WAIT = "idle wait"  # for what nobody holds: a queue, a condition, a thread's end
    IO = "io"
    UNSEEN = "unseen"  # something came from outside; its loop was busy and did not look
    UNHEARD = "unheard"  # a thread had woken it; its loop had not noticed yet
    CALL = "call"  # the call that it stood in did something itself
    SLEEP = "sleep"
    READY = "ready"
    AWAIT = "await"
    TIMER = "timer"
    WOKEN = "woken"  # and did not run yet
    TIMEOUT = "timed out"  # nobody came before
    CANCELLED = "cancelled"  # nobody came before
    VAIN = "in vain"  # for the only one that ever ends such waits
    CHILD = "child"  # a process that this one started
    STARTING = "starting"  # a process that did not record yet
    EXITING = "exiting"  # a process that did not record any more
    QUEUED = "queued"  # a job that no worker had begun
    JOB = "job"  # a job of a pool of processes, in its worker
    RESULT = "result"  # of a job, on its way back
    SUBMITTER = "submitter"  # of a job that an idle worker waited for
    WRITER = "writer"  # of a message from another process
    MESSAGE = "message"  # written, and not read yet
    OTHERS = "others"  # smaller parts, not told one by one
    CYCLE = "cycle"  # waits for one further up
    UNKNOWN = "unknown"


GIVEN_UP = (Kind.TIMEOUT, Kind.CANCELLED)


class Cause(NamedTuple):
    """A part of a wait. `parts` are empty or add up to `ns`, the largest first.

    `count` is the number of pieces. `holds_gil`: it held the GIL without running Python.
    `hot` are the functions of the CPU samples in this time. `of_task` is what `who` is
    called, if it is a task: "task", "greenlet".
    """

    kind: Kind
    ns: int
    who: str = ""
    site: str = ""
    count: int = 1  # type: ignore[assignment]
    holds_gil: bool = False
    of_task: str = ""
    hot: tuple[Hot, ...] = ()
    parts: tuple["Cause", ...] = ()


def merged(causes: Iterable[Cause]) -> tuple[Cause, ...]:
    """Equal causes are joined, those without length dropped; the largest first."""
    sums: dict[tuple[Kind, str, str, bool], list[Cause]] = defaultdict(list)
    for cause in causes:
        if cause.ns:
            sums[cause.kind, cause.who, cause.site, cause.holds_gil].append(cause)
    found = [same[0] if len(same) == 1 else _together(same) for same in sums.values()]
    found.sort(key=lambda c: (-c.ns, c.kind, c.who, c.site, c.holds_gil))
    return tuple(found)


def _together(same: list[Cause]) -> Cause:
    """One cause from several equal ones; a cause without parts counts as an unknown part."""
    parts: list[Cause] = []
    if any(cause.parts for cause in same):
        for cause in same:
            parts += cause.parts or (Cause(Kind.UNKNOWN, cause.ns, count=cause.count),)
    return same[0]._replace(
        ns=sum(cause.ns for cause in same),
        count=sum(cause.count for cause in same),
        hot=hottest_of(cause.hot for cause in same),
        parts=merged(parts),
    )


def unknown(windows: Windows) -> tuple[Cause, ...]:
    return merged([Cause(Kind.UNKNOWN, windows.ns, count=len(windows))])


def telling(parts: tuple[Cause, ...]) -> tuple[Cause, ...]:
    """Drops a single unknown part, which adds nothing to the whole."""
    is_blank = len(parts) == 1 and parts[0].kind is Kind.UNKNOWN and not parts[0].who
    return () if is_blank else parts


def shortened(causes: tuple[Cause, ...], least_ns: int, most: int) -> tuple[Cause, ...]:
    """On every level at most so many parts, none shorter than that; the rest is one part.

    The causes have the largest first, and still add up.
    """
    shown = [
        cause._replace(parts=shortened(cause.parts, least_ns, most))
        for cause in causes[:most]
        if cause.ns >= least_ns
    ]
    rest = causes[len(shown) :]
    if len(rest) == 1:
        return (*shown, rest[0]._replace(parts=()))
    if rest:
        left = sum(cause.ns for cause in rest)
        shown.append(Cause(Kind.OTHERS, left, f"{len(rest):,}", count=len(rest)))
    return tuple(shown)
