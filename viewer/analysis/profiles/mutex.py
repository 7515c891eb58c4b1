"""The mutex profile: waits for locks, charged moment by moment to the holders."""

from bisect import bisect_left, bisect_right
from itertools import accumulate

from tracer import schema as s
from viewer.analysis.profiles.profile import Place, Sums, place_of, places_of, within_task
from viewer.trace.model import Model

_NOBODY = Place("[unknown holder]")
_FREE = Place("[lock was free]")  # released to a waiter that had not woken up yet


def holder_frames(site: object, stack: object) -> tuple[Place, ...]:
    """The line that acquired the lock, with the callers that its release showed."""
    callers = within_task(places_of(stack)) if isinstance(stack, str) else ()
    if not isinstance(site, str) or not site:
        return callers or (_NOBODY,)
    taken = place_of(site)
    for depth, place in enumerate(callers):
        if (place.function, place.path) == (taken.function, taken.path):
            return (taken, *callers[depth + 1 :])
    return (taken,)


class _Lock:
    """The holds of one lock, in order; they do not overlap.

    From the end of a hold on, the lock belongs to the next holder: it was granted to that one,
    and others wait until it has run. Only the rest of a wait without a later hold is nobody's.
    """

    def __init__(self, holds: list[tuple[int, int, int]], kind: str) -> None:
        self.kind = kind
        self.slices = [i for _start, _end, i in holds]
        self.starts = [start for start, _end, _i in holds]
        self.ends = [end for _start, end, _i in holds]
        self.since = [self.starts[0], *self.ends[:-1]]
        self.counts = [0] * len(holds)  # waits that began in it
        self.parts = [0] * len(holds)  # ns, to subtract where waits leave out a part of it
        self.met = [0] * (
            len(holds) + 1
        )  # the waits that meet it, as changes from hold to hold
        self.unheld_ns = 0

    def charge(self, start_ns: int, end_ns: int) -> bool:
        """Adds a wait; False when no holder is known meanwhile."""
        first = bisect_right(self.ends, start_ns)
        last = bisect_left(self.starts, end_ns) - 1
        if first > last:
            return False
        self.counts[first] += 1
        self.met[first] += 1
        self.met[last + 1] -= 1
        self.parts[first] += start_ns - self.since[first]
        self.parts[last] += max(self.ends[last] - end_ns, 0)
        self.unheld_ns += max(end_ns - self.ends[last], 0)
        return True

    def charges(self) -> list[tuple[int, int, int]]:
        """(slice, waits, ns) for each hold."""
        return [
            (i, count, waits * (end - since) - part)
            for i, count, waits, since, end, part in zip(
                self.slices,
                self.counts,
                accumulate(self.met[:-1]),
                self.since,
                self.ends,
                self.parts,
                strict=True,
            )
        ]


class Holds:
    """Who held which lock when."""

    def __init__(self, model: Model) -> None:
        self.model = model
        trace, events, slices = model.trace, model.trace.events, model.trace.slices
        found: dict[tuple[int, int], list[tuple[int, int, int]]] = {}
        kinds: dict[tuple[int, int], str] = {}
        strings = {text: i for i, text in enumerate(events.strings)}
        hold = strings.get(s.CAT_HOLD, -2)
        pids: dict[int, int] = {}
        for i, event in enumerate(slices.event):
            if events.category[event] != hold:
                continue
            track = events.track[event]
            if track not in pids:
                pids[track] = self._pid(events.uuids[track])
            args = trace.args(event)
            lock = args.get(s.ARG_LOCK)
            if isinstance(lock, int):
                key = pids[track], lock
                found.setdefault(key, []).append((slices.start_ns[i], slices.end_ns[i], i))
                kinds[key] = str(args.get(s.ARG_KIND, ""))
        self.locks = {key: _Lock(holds, kinds[key]) for key, holds in found.items()}

    def _pid(self, uuid: int) -> int:
        tracks = self.model.trace.tracks
        track = tracks.get(uuid)
        while track is not None and not track.pid:
            track = tracks.get(track.parent_uuid)
        return track.pid if track is not None else 0

    def charge(self, pid: int, lock: object, start_ns: int, end_ns: int) -> bool:
        """Adds a wait; False when no holder is known meanwhile."""
        of = self.locks.get((pid, lock)) if isinstance(lock, int) else None
        return of is not None and of.charge(start_ns, end_ns)

    def add_to(self, sums: Sums) -> None:
        """How long each holder made others wait."""
        trace, slices = self.model.trace, self.model.trace.slices
        for lock in self.locks.values():
            for i, waits, ns in lock.charges():
                if not waits and not ns:
                    continue
                event, end = slices.event[i], slices.end_event[i]
                stack = trace.args(end).get(s.ARG_STACK) if end >= 0 else None
                frames = holder_frames(trace.args(event).get(s.ARG_SITE), stack)
                who = trace.text(trace.events.name[event])
                by = "task" if s.ARG_OWNER_TASK in trace.args(event) else "thread"
                sums.add(frames, {"kind": lock.kind, by: who}, ns, waits)
            if lock.unheld_ns:
                sums.add((_FREE,), {"kind": lock.kind}, lock.unheld_ns, 0)
