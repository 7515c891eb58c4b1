"""Tasks that wait for room in what is sent to a connection: where, and in which ones."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from tracer import schema as s
from viewer.analysis.resources.reading import Reading
from viewer.analysis.resources.waits import longest_slices
from viewer.trace.columns import AWAIT
from viewer.trace.reader import number_of

SEND = f"{s.AWAIT_PREFIX}send ("  # of a library
DRAIN = " FlowControlMixin._drain_helper"  # of asyncio's streams
_MOST = 5_000  # awaits that are looked at, the longest ones


def is_for_room(reading: Reading, i: int) -> bool:
    """Whether an await (slice) ends when the other side has read."""
    what = reading.awaited(i)[0]
    if what.startswith(SEND):
        return True
    is_stream = what == f"{s.AWAIT_PREFIX}socket"
    return is_stream and DRAIN in reading.stack(i)


@dataclass(slots=True)
class Sending:
    """A task that waits for room at one line; by connection (-1 unknown) its awaits."""

    task: int
    site: str
    awaits: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))


def sending(reading: Reading, least_ns: int) -> Iterator[Sending]:
    """Those that wait so long at a time."""
    trace, owner = reading.model.trace, reading.model.owners.owner
    found = dict[tuple[int, str], Sending]()
    for i in longest_slices(reading, (AWAIT,), least_ns, _MOST):
        if owner[i] >= 0 and is_for_room(reading, i):
            at = owner[i], reading.awaited(i)[1]
            connection = number_of(trace.args(trace.slices.event[i]), s.ARG_LOCK, -1)
            found.setdefault(at, Sending(*at)).awaits[connection].append(i)
    yield from found.values()
