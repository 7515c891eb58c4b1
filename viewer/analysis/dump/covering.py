"""The slices of a trace that cover one moment."""

from bisect import bisect_right

from tracer import schema as s
from viewer.analysis.profiles.profile import Place, place_of, places_of
from viewer.trace.columns import AWAIT, READY, RUNNING
from viewer.trace.model import Model

_STATES = (s.CAT_THREAD, s.CAT_GIL, s.CAT_LOCK, s.CAT_IO, s.CAT_SLEEP)


class Covering:
    """By thread, task and lock the slice that covers the moment, if there is one."""

    def __init__(self, model: Model, at_ns: int) -> None:
        self.model, self.at_ns = model, at_ns
        trace, slices = model.trace, model.trace.slices
        self.threads: dict[int, int] = {}
        self.collections: dict[int, int] = {}  # by thread
        self.tasks: dict[int, int] = {}
        self.holds: dict[tuple[int, int], int] = {}  # by process and lock
        self.thread_of_uuid = model.threads.by_uuid
        kind = {name: i for i, name in enumerate(trace.events.strings)}
        states = {kind[name] for name in _STATES if name in kind}
        collection, hold = kind.get(s.CAT_GC, -2), kind.get(s.CAT_HOLD, -2)
        until = bisect_right(slices.start_ns, at_ns)
        for i, end in enumerate(slices.end_ns[:until]):
            # A slice that was open when the trace ended covers its last moment, too.
            if end < at_ns or (end == at_ns and not slices.unfinished[i]):
                continue
            event = slices.event[i]
            track, category = trace.events.track[event], trace.events.category[event]
            if model.owners.kind[i] in (READY, RUNNING, AWAIT):
                self.tasks[model.owners.owner[i]] = i
            elif category == hold:
                lock = trace.args(event).get(s.ARG_LOCK)
                if isinstance(lock, int):
                    self.holds[trace.track_process[track], lock] = i
            elif (thread := self.thread_of_uuid.get(trace.events.uuids[track], -1)) >= 0:
                if category in states:
                    self.threads[thread] = i
                elif category == collection:
                    self.collections[thread] = i
        self.tasks.pop(-1, None)

    def name(self, i: int) -> str:
        """The name of a slice."""
        return self.model.trace.text(self.model.trace.events.name[self.slice_event(i)])

    def slice_event(self, i: int) -> int:
        return self.model.trace.slices.event[i]

    def frames(self, i: int) -> tuple[Place, ...]:
        """The stack of a slice, else its innermost line; () unknown."""
        trace = self.model.trace
        if stack := trace.text_of_slice(i, s.ARG_STACK):
            return places_of(stack)
        site = trace.text_of_slice(i, s.ARG_SITE)
        return (place_of(site),) if site else ()
