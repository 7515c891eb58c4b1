"""What a trace says of the flight recording that it comes from."""

from itertools import compress, count
from typing import NamedTuple

from tracer import schema as s
from viewer.trace.model import Model
from viewer.trace.processes import number_of
from viewer.trace.told import Told


class Flight(NamedTuple):
    """The last seconds of a process. What began before `since_ns` is in the trace only if it
    was still open then.

    Of a snapshot, `asked_ns` is how far back it was to reach, and `reason` why it was taken.
    """

    began_ns: int  # the recording
    since_ns: int
    until_ns: int
    is_snapshot: bool
    asked_ns: int = 0
    reason: str = ""
    trigger: str = ""  # the condition that was met …
    moment_ns: tuple[int, int] = (0, 0)  # … from when until when
    suppressed: int = 0  # moments since the snapshot before that got none

    @property
    def reaches_ns(self) -> int:
        return self.until_ns - self.since_ns


def flight_of(model: Model) -> Flight | None:
    """None: the trace has everything from the beginning of the recording on."""
    trace = model.trace
    begun = Told(trace, trace.processes.begin).numbers(s.ARG_BEGAN, 0)
    first = next(compress(count(), begun), -1)
    if first < 0:
        return None
    process = trace.processes[first]
    said = process.snapshot or {}
    return Flight(
        begun[first],
        process.start_ns,
        process.end_ns,
        process.snapshot is not None,
        number_of(said, s.ARG_ASKED),
        str(said.get(s.ARG_REASON, "")),
        str(said.get(s.ARG_TRIGGER, "")),
        (number_of(said, s.ARG_SINCE), number_of(said, s.ARG_UNTIL)),
        number_of(said, s.ARG_COUNT),
    )
