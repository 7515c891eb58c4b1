"""Counters that grow all the time: what is opened or put faster than it is closed or taken."""

from bisect import bisect_right
from collections.abc import Mapping
from itertools import pairwise
from operator import itemgetter

from viewer.analysis.findings.basis.facts import Facts
from viewer.analysis.states import numbers

# A pool that fills, or what comes in one burst, comes all at once: a leak grows in each eighth
# of its time, as leaking tasks do. A program that ends may close what was left; what is there
# for a moment does not count.
_WINDOWS = 8
_GROWS_NS = 500_000_000
_DIP = 20  # a twentieth of the growth
# A counter is asked every 375 ms, and as the recording ends.
_ASKED_NS, _ENDS_NS = 400_000_000, 50_000_000

type Counts = list[tuple[int, int]]  # (time, number), in order of time


def counts_of[Key](facts: Facts, tracks: Mapping[int, Key]) -> dict[Key, Counts]:
    """The values of the counters on these tracks."""
    trace, found = facts.model.trace, dict[Key, Counts]()
    events = trace.events
    if not tracks:
        return found
    known = {key: n for n, key in enumerate(dict.fromkeys(tracks.values()))}
    of_track = numbers(
        known[tracks[n]] if n in tracks else -1 for n in range(len(events.uuids))
    )
    engine, names = trace.engine, [*known]
    keys = engine.gather(events.counter_event, events.track, of_track)
    time_ns = engine.take(events.time_ns, events.counter_event, -1)
    lanes = engine.lanes(time_ns, time_ns, memoryview(bytes(len(keys))), keys, len(known))
    for first in engine.pairs(keys, keys).head:
        own = lanes.places(keys[first])
        values = engine.take(events.counter_value, lanes.row[own.start : own.stop], 0)
        times = lanes.start_ns[own.start : own.stop]
        found[names[keys[first]]] = [*zip(times, values, strict=True)]
    return found


def of_process(facts: Facts, counter: str) -> dict[int, int]:
    """By track of such a counter its process; a program may have one of that name, too."""
    trace = facts.model.trace
    return {
        n: process
        for n in trace.tracks.named(counter)
        if (process := trace.track_process[n]) >= 0
        and trace.tracks[trace.events.uuids[n]].parent_uuid == trace.processes[process].uuid
    }


def growing(counts: Counts, at_least: int) -> Counts:
    """The counts up to the highest one, if they grow by so many, and all the time."""
    counts = _without_the_start(_without_the_end(counts))
    (since, first), (until, last) = counts[0], counts[-1]
    if until - since < _GROWS_NS or last - first < at_least:
        return []
    marks = [since + (until - since) * n // _WINDOWS for n in range(_WINDOWS + 1)]
    found = [counts[max(_upto(counts, mark) - 1, 0)][1] for mark in marks]
    dip = (last - first) // _DIP
    rises = all(a <= b + dip for a, b in pairwise(found))
    return counts if rises and _grows_in_both_halves(counts) else []


def _upto(counts: Counts, time_ns: int) -> int:
    """How many there are until then."""
    return bisect_right(counts, time_ns, key=itemgetter(0))


def _without_the_end(counts: Counts) -> Counts:
    """The counts up to the highest one, if that comes in the last eighth of the time, or was
    the last before the program's end: a short program is asked only now and then."""
    (since, _), (until, _) = counts[0], counts[-1]
    values = [number for _, number in counts]
    most = values.index(max(values))
    is_late = (until - counts[most][0]) * _WINDOWS <= until - since
    is_last = all(until - at_ns <= _ENDS_NS for at_ns, _ in counts[most + 1 :])
    if is_late or (is_last and until - counts[most][0] <= _ASKED_NS):
        return counts[: most + 1]
    return counts


def _without_the_start(counts: Counts) -> Counts:
    """The counts from where they begin to grow: a service may have nothing to do at first, but
    for half of the time at most. What grows for a shorter time may be a burst."""
    (since, first), (until, last) = counts[0], counts[-1]
    low = first + (last - first) // _DIP
    begins = next(n for n in reversed(range(len(counts))) if counts[n][1] <= low or not n)
    is_long = (until - counts[begins][0]) * 2 >= until - since
    return counts[begins:] if is_long else counts


def _grows_in_both_halves(counts: Counts) -> bool:
    """Whether no quarter of the growth came at once: half of it each in half of the time, by
    the count before the middle or the next one, as it is asked only now and then."""
    (since, first), (until, last) = counts[0], counts[-1]
    before = _upto(counts, (since + until) // 2) - 1
    return any(
        (last - first) <= 4 * min(middle - first, last - middle)
        for _, middle in counts[before : before + 2]
    )
