"""How each recording of a trace ended, as far as the trace and the lock on its file tell."""

import errno
import signal
from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from typing import NamedTuple

from tracer import schema as s
from tracer.units import duration, plural
from viewer.trace.processes import Arg, Process, number_of

_CUT_BY = {
    errno.ENOSPC: "by a full disk ",
    errno.EDQUOT: "by a full disk ",
    errno.EFBIG: "by the limit on file sizes ",
}
LOST = "up to the last 250 ms are missing"
_UNKNOWN = (
    "the recording of pid {} has no end: a signal (SIGTERM without a handler, SIGKILL) or a "
    f"crash ended the program ({LOST}), "
    "or the file was cut off: by hand, by a copy made too early, by a "
    "full disk."
)


class How(StrEnum):
    """What became of a recording."""

    ENDED = "ended"
    LIVE = "live"  # it goes on
    REPLACED = "replaced"  # the process became another program
    CUT = "cut"  # the file could not be written on
    SNAPSHOT = "snapshot"  # the program goes on, and so does its recording
    UNKNOWN = "unknown"


class End(NamedTuple):
    """The end of one process's recording; `text` is a sentence, "" when all is there."""

    pid: int
    how: How
    text: str
    missing_ns: int = 0  # in a file that was cut, if it is known
    missing_events: int = 0
    killed: tuple[str, str] | None = None  # who, and by which signal, if the parent was told


@cache
def signal_name(number: int) -> str:
    """`SIGKILL`; `signal 77` of one without a name."""
    known = {one.value: one.name for one in signal.Signals}
    return known.get(number, f"signal {number}")


def end_of(process: Process, live: bool) -> End:
    pid = process.pid
    if process.recording_ended is not None:
        return End(pid, How.ENDED, "")
    if process.recording_cut is not None:
        return _cut(process, process.recording_cut, live)
    if live:
        return End(pid, How.LIVE, f"pid {pid} is still being recorded: more will follow.")
    if process.replaced_by:
        became = f"the program (pid {pid}) became {process.replaced_by} (exec)"
        why = f" ({process.replaced_why})" if process.replaced_why else ""
        lost = f"what it did from then on is not recorded{why}"
        return End(pid, How.REPLACED, f"{became}: {lost}.")
    if process.snapshot is not None:
        return End(pid, How.SNAPSHOT, "")
    return End(pid, How.UNKNOWN, _UNKNOWN.format(pid))


def _cut(process: Process, note: Mapping[str, Arg], live: bool) -> End:
    by = _CUT_BY.get(number_of(note, s.ARG_ERRNO), "")
    what = f"the file was cut {by}({note.get(s.ARG_REASON, '?')})"
    if s.ARG_UNTIL not in note:
        does = "does now" if live else "did then"
        text = f"{what}: what the program (pid {process.pid}) {does} is missing."
        return End(process.pid, How.CUT, text)
    ns = max(number_of(note, s.ARG_UNTIL) - process.end_ns, 0)
    events = number_of(note, s.ARG_COUNT)
    text = f"{what}: the last {duration(ns)} ({plural(events, 'event')}) are missing."
    return End(process.pid, How.CUT, text, ns, events)
