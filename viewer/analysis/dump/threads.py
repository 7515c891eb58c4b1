"""The threads of a moment: what each did, since when, with which stack."""

from collections import defaultdict

from tracer import schema as s
from viewer.analysis.dump.covering import Covering
from viewer.analysis.dump.entry import UNKNOWN, Entry, What
from viewer.analysis.profiles.cpu import stack_places
from viewer.analysis.profiles.profile import Place, places_of
from viewer.trace.model import Model

COMPUTING = (s.RUNNING, s.ATTACHED, s.NATIVE, s.PREEMPTED, s.OFF_CPU)


def thread_entries(model: Model, covering: Covering) -> list[tuple[Entry, int]]:
    """The threads alive then, each with the slice of its state (-1: the trace shows none)."""
    loops, lives, seen = _running_loops(model, covering.at_ns), _lives(model), _Seen(model)
    found = []
    for thread, track in enumerate(model.threads):
        i, process = covering.threads.get(thread, -1), model.thread_process[thread]
        born, over = lives.get(thread, (0, -1))
        if process < 0 or (i < 0 and not born <= covering.at_ns <= over):
            continue
        entry = Entry(
            What.THREAD, process, thread, track.tid, model.thread_names[thread], "", "",
            UNKNOWN, -1, is_loop=(process, track.tid) in loops,
        )  # fmt: skip
        if i >= 0:
            entry = _with_state(entry, covering, i, covering.collections.get(thread, -1))
            if not entry.frames:
                entry = seen.added(entry, covering, i)
        else:
            entry = seen.last(entry, covering.at_ns)
        found.append((entry, i))
    return found


def _with_state(entry: Entry, covering: Covering, i: int, collection: int) -> Entry:
    starts = covering.model.trace.slices.start_ns
    if collection >= 0:
        frames = covering.frames(collection) or covering.frames(i)
        since, state = starts[collection], covering.name(collection)
    else:
        frames, since, state = covering.frames(i), _since(covering, i), covering.name(i)
    return entry._replace(state=state, since_ns=since, frames=frames)


def _since(covering: Covering, i: int) -> int:
    """When a call began: it may be in several pieces."""
    trace, slices = covering.model.trace, covering.model.trace.slices
    event = slices.event[i]
    if not trace.args(event).get(s.ARG_CONTINUES):
        return slices.start_ns[i]
    track, name = trace.events.track[event], trace.events.name[event]
    for before in range(i - 1, -1, -1):
        other = slices.event[before]
        if (
            trace.events.track[other] == track
            and trace.events.name[other] == name
            and not trace.args(other).get(s.ARG_CONTINUES)
        ):
            return slices.start_ns[before]
    return slices.start_ns[i]


def _running_loops(model: Model, at_ns: int) -> set[tuple[int, int]]:
    """(process, tid) of the loops that run at this moment."""
    events = model.trace.events
    running: dict[int, bool] = {}
    for event in model.trace.instants(events.name, s.LOOP_STARTED, s.LOOP_STOPPED):
        if events.time_ns[event] > at_ns:
            break
        lane = model.track_lane[events.track[event]]
        running[lane] = model.trace.text(events.name[event]) == s.LOOP_STARTED
    loops = [model.loops[lane] for lane, runs in running.items() if runs and lane >= 0]
    return {(loop.process, loop.tid) for loop in loops}


def _lives(model: Model) -> dict[int, tuple[int, int]]:
    """By thread its first event and its end. One that was not seen to end lives on."""
    events, states = model.trace.events, model.states
    by_uuid = model.threads.by_uuid
    found = {}
    for thread, process in enumerate(model.thread_process):
        if process >= 0:
            of = model.trace.processes[process]
            has_states = states.last_ns[thread] > 0
            found[thread] = (states.first_ns[thread] if has_states else of.end_ns, of.end_ns)
    for event in model.trace.instants(events.category, s.CAT_THREAD):
        thread = by_uuid.get(events.uuids[events.track[event]], -1)
        if thread not in found:
            continue
        (born, over), time_ns = found[thread], events.time_ns[event]
        is_end = model.trace.text(events.name[event]) == s.THREAD_EXIT
        found[thread] = (min(born, time_ns), time_ns if is_end else over)
    return found


class _Seen:
    """Where threads were seen: on request, and by CPU samples while they computed."""

    def __init__(self, model: Model) -> None:
        self.model, self.events = model, model.trace.events
        self.marks: dict[int, list[tuple[int, tuple[Place, ...]]]] = defaultdict(list)
        by_uuid = model.threads.by_uuid
        for event in model.trace.instants(self.events.name, s.THREAD_STACK):
            thread = by_uuid.get(self.events.uuids[self.events.track[event]], -1)
            stack = model.trace.args(event).get(s.ARG_STACK)
            if isinstance(stack, str):
                self.marks[thread].append((self.events.time_ns[event], places_of(stack)))
        self._samples: dict[tuple[int, int], list[int]] = {}
        self._places: list[tuple[Place, ...]] = []

    def added(self, entry: Entry, covering: Covering, i: int) -> Entry:
        """The entry with the nearest stack, if it was seen in this very state."""
        slices = covering.model.trace.slices
        seen = self.marks.get(entry.index, [])
        if covering.name(i) in COMPUTING:
            seen = [*seen, *self._sampled(entry)]
        start, end = slices.start_ns[i], slices.end_ns[i]
        fitting = [(time, frames) for time, frames in seen if start <= time <= end and frames]
        if not fitting:
            return entry
        time, frames = min(fitting, key=lambda one: abs(one[0] - covering.at_ns))
        is_now = time == covering.at_ns
        return entry._replace(frames=frames, sampled_ns=-1 if is_now else time)

    def last(self, entry: Entry, at_ns: int) -> Entry:
        """The entry of a thread that has done nothing yet, where it was seen last before."""
        before = [(time, frames) for time, frames in self.marks[entry.index] if time <= at_ns]
        if not before:
            return entry
        time, frames = before[-1]
        return entry._replace(frames=frames, sampled_ns=-1 if time == at_ns else time)

    def _sampled(self, entry: Entry) -> list[tuple[int, tuple[Place, ...]]]:
        events = self.events
        if not self._places:
            self._places = stack_places(self.model)
            keys = zip(events.sample_pid, events.sample_tid, strict=True)
            for n, key in enumerate(keys):
                self._samples.setdefault(key, []).append(n)
        found = self._samples.get((self.model.pid(entry.process), entry.number), [])
        return [(events.sample_time_ns[n], self._frames(n)) for n in found]

    def _frames(self, n: int) -> tuple[Place, ...]:
        """() where the sample knows no Python code."""
        frames = self._places[self.events.sample_stack[n]]
        return frames if frames and frames[0].path else ()
