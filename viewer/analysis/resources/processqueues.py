"""Queues between processes, and pipes: who waits for room in one, and who empties it."""

import re
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable

from tracer.units import MS
from viewer.analysis.ledger.resource import covers
from viewer.analysis.resources.reading import Reading
from viewer.analysis.resources.waits import longest_rows
from viewer.analysis.states import mentioned, stack_of
from viewer.trace.columns import IDLE_WAIT, IO, LOCK_WAIT, SLEEP

_LONG_NS = 10 * MS
# Who takes from such a queue is recorded only where he waits for it. A slow one never does,
# but goes on a moment before room comes, as the last one: four fifths of the times, five at
# least, of one who does not go on so often that half of that would be chance.
_JUST_NS = 5 * MS
_AT_ONCE_NS = MS  # within a process
_TIMES = 5
_PART = 2
_ANY = 1 << 32  # more than the number of any thread
_MOST = 10_000  # blocked states that are looked at, the longest ones
_BLOCKED = (IO, SLEEP, LOCK_WAIT, IDLE_WAIT)
_ACQUIRE, _WRITE = "SemLock.acquire", "os.write"
_PUT = re.compile(r"\S*/multiprocess(?:ing)?/queues\.py:\d+ (?:Joinable)?Queue\.put(?:\n|$)")


def waits_for_room(reading: Reading) -> dict[str, list[int]]:
    """By line the rows of long waits in `Queue.put`."""
    model, table = reading.model, reading.model.states
    by_site = defaultdict[str, list[int]](list)
    if not mentioned(model, "/queues.py:"):
        return by_site
    for row in reading.calls_named((_ACQUIRE,), _LONG_NS):
        if _PUT.match(stack_of(model, row)):
            by_site[reading.call(table.row[row])[1]].append(row)
    return by_site


def who_empties(reading: Reading, call: int, writers: set[int]) -> int:
    """Of a pipe that these threads write to in a call, the thread of their process that most
    likely reads it; -1 unknown."""
    table = reading.model.states
    if not reading.call(call)[0].endswith(_WRITE):
        return -1
    rows = [
        row
        for row in reading.rows_of((IO,), MS)
        if table.row[row] == call and table.who[row] in writers
    ]
    return who_goes_on_before(reading, rows, writers.__contains__, _AT_ONCE_NS) if rows else -1


def who_goes_on_before(
    reading: Reading,
    waits: list[int],
    is_waiter: Callable[[int], bool],
    just_ns: int = _JUST_NS,
) -> int:
    """The thread that was the last of others to go on before these waits ended; -1 none, or
    several."""
    table = reading.model.states
    ends = sorted(table.end_ns[row] for row in waits)
    went_on = [
        (table.end_ns[row], table.who[row])
        for row in longest_rows(reading, _BLOCKED, _JUST_NS, _MOST)
        if not is_waiter(table.who[row])
    ]
    went_on.sort()
    last = Counter[int]()
    for end in ends:
        time_ns, thread = (
            went_on[at - 1] if (at := bisect_right(went_on, (end, _ANY))) else (0, -1)
        )
        last[thread] += thread >= 0 and end - time_ns <= just_ns
    thread, just = max(last.items(), key=lambda one: one[1])
    times = sum(who == thread for _, who in went_on)
    is_most = just >= _TIMES and covers(just, len(ends))
    is_chance = times * just_ns * _PART > max(ends[-1] - ends[0], 1)
    return thread if is_most and not is_chance else -1
