"""Time split into causes, to the ns: who ran or had it instead, and what that was doing.

Every function takes windows of time and returns parts that add up to them: a part is cut
further by the lane of whoever it names, down to what needs no further explanation.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace

from tracer import schema as s
from viewer.analysis.causes.labels import STATES, Label, Labels, On
from viewer.analysis.causes.lanes import UNKNOWN, Lanes, Piece, Window, span
from viewer.analysis.causes.part import Cause, Kind, merged
from viewer.analysis.causes.samples import Hot, Samples
from viewer.trace.columns import AWAIT, READY, RUNNING, STATE_MASK
from viewer.trace.model import Model

_DEEPEST = 6  # links of "which waited behind"; beyond it a part has no parts
_PATIENCE = 300_000  # pieces of lanes looked at for one wait; then no part gets parts any more
_ON_CPU = (Kind.COMPUTING, Kind.NATIVE)

type Path = tuple[On, ...]  # who is being explained by whom, the outermost first
type Causes = tuple[Cause, ...]
type Lane = Callable[[int, int], list[Piece]]  # the pieces of a window


class Tree:
    """Splits windows of time by the lanes of a trace."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.lanes = Lanes(model)
        self.labels = Labels(self.lanes)
        self.samples = Samples(model)
        self.looked_at = 0  # pieces, for the present wait

    def behind(self, on: On | None, windows: list[Window], path: Path = ()) -> Causes:
        """The causes of a wait for whoever it was behind; () when nobody is told."""
        match on if self.looked_at < _PATIENCE else None:
            case ("thread", thread):
                return self.thread(thread, windows, path)
            case ("task", task):
                return self.task(task, windows, path)
            case ("gil", process):
                lane = _of(self.lanes.gil, process)
                return self._cut(windows, lane, self.labels.gil, path)
            case ("lock", lock):
                lane = _of(self.lanes.holds, lock)
                return self._cut(windows, lane, self.labels.hold, path)
            case ("owner", owner):
                return self._one(self.labels.owner(owner), windows, path)
            case ("waker", thread):
                return self._one(self.labels.thread(thread, Kind.WAKER), windows, path)
        return ()

    def loop(self, loop: int, windows: list[Window], path: Path = ()) -> Causes:
        """What an event loop ran. A loop that is not known (-1) is UNKNOWN."""
        if loop < 0:
            return unknown(windows)
        thread = self.lanes.thread_of_loop(loop)
        path = (*path, ("thread", thread))

        def inside(label: Label, cut: list[Window]) -> Causes:
            if label.kind is Kind.GC:  # inside of what it interrupted
                below = _of(self.lanes.loop_without_gc, loop)
                return self._cut(cut, below, self.labels.on_loop, path, inside)
            known = label.kind is not Kind.UNKNOWN and thread >= 0
            known = known and self.looked_at < _PATIENCE
            return self._states(thread, cut, path) if known else ()

        lane = _of(self.lanes.loop, loop)
        return self._cut(windows, lane, self.labels.on_loop, path, inside)

    def thread(self, thread: int, windows: list[Window], path: Path = ()) -> Causes:
        """What a thread did; while one of its event loops ran, what this ran."""
        me = ("thread", thread)
        stop = self._stop(me, path, windows)
        if stop is not None:
            return stop
        found: list[Cause] = []
        rest = windows
        for loop in self.lanes.loops_of.get(thread, ()):
            on_loop: list[Window] = []
            outside: list[Window] = []
            for a, b, whose in self._pieces(rest, _of(self.lanes.loop, loop)):
                (outside if whose == UNKNOWN else on_loop).append((a, b))
            found += self.loop(loop, on_loop, path)
            rest = outside
        return merged([*found, *self._with_gc(thread, rest, (*path, me))])

    def task(self, task: int, windows: list[Window], path: Path = ()) -> Causes:
        """What a task did: its steps by what its thread did, its waits by their causes."""
        me = ("task", task)
        stop = self._stop(me, path, windows)
        if stop is not None:
            return stop
        path = (*path, me)
        loop = self.lanes.loop_of_task(task)
        thread = self.lanes.thread_of_loop(loop) if loop >= 0 else -1
        cuts: dict[tuple[int, int], list[Window]] = defaultdict(list)
        for a, b, i in self._pieces(windows, _of(self.lanes.task, task)):
            kind = self.model.owners.kind[i] if i >= 0 else UNKNOWN
            cuts[kind, i if kind == AWAIT else -1].append((a, b))
        found: list[Cause] = []
        for (kind, i), cut in cuts.items():
            if kind == RUNNING and thread >= 0:
                found += self._with_gc(thread, cut, path)
            elif kind == READY:
                parts = _telling(self.loop(loop, cut, path))
                found.append(Cause(Kind.READY, span(cut), count=len(cut), parts=parts))
            elif kind == AWAIT:
                found.append(self._await(task, i, cut, path))
            else:
                found += unknown(cut)
        return merged(found)

    def awaited(self, task: int, i: int, windows: list[Window], path: Path = ()) -> Causes:
        """What a task's await was for: the lock's owners, else whoever ended it, meanwhile."""
        row = self.lanes.task_waits.get((task, self.model.trace.slices.start_ns[i]), -1)
        if row >= 0 and (on := self.labels.behind(row)) is not None:
            return self.behind(on, windows, path)
        return self._one(self.ended_by(task, i), windows, path)

    def ended_by(self, task: int, i: int) -> Label:
        """Who made a task ready at the end of its await, the slice i."""
        after = self.lanes.after_await(task, i)
        return self.waker(task, after) if after >= 0 else Label(Kind.UNKNOWN)

    def waker(self, task: int, ready: int) -> Label:
        """Who caused the `ready` slice; UNKNOWN without a name when the trace names nobody."""
        args = self.model.trace.args(self.model.trace.slices.event[ready])
        process = self.model.owners.task_process[task]
        if isinstance(id_ := args.get(s.ARG_WAKER_TASK), int):
            waker = self.lanes.task_of(process, id_)
            if waker < 0:
                return Label(Kind.UNKNOWN, f"task {id_}")
            return Label(Kind.WAKER, self.lanes.name_of_task(waker), on=("task", waker))
        if isinstance(tid := args.get(s.ARG_WAKER_THREAD), int):
            thread = self.lanes.thread(process, tid)
            if thread < 0:
                return Label(Kind.UNKNOWN, f"thread {tid}")
            return self.labels.thread(thread, Kind.WAKER)
        said = {"timer": Kind.TIMER, "io": Kind.IO}
        return Label(said.get(str(args.get(s.ARG_WAKER)), Kind.UNKNOWN))

    # How windows are cut ------------------------------------------------------------------

    def _cut(
        self,
        windows: list[Window],
        lane: Lane,
        label_of: Callable[[int], Label],
        path: Path,
        inside: Callable[[Label, list[Window]], Causes] | None = None,
    ) -> Causes:
        """One part per label of the lane's pieces, with what is inside of it."""
        cuts: dict[Label, list[Window]] = defaultdict(list)
        labels: dict[int, Label] = {}
        for a, b, whose in self._pieces(windows, lane):
            if whose not in labels:
                labels[whose] = label_of(whose)
            cuts[labels[whose]].append((a, b))
        found = []
        for label, cut in cuts.items():
            parts = inside(label, cut) if inside else self.behind(label.on, cut, path)
            found.append(_cause(label, cut, parts))
        return merged(found)

    def _one(self, label: Label, windows: list[Window], path: Path) -> Causes:
        """All of it is one's."""
        return merged([_cause(label, windows, self.behind(label.on, windows, path))])

    def _with_gc(self, thread: int, windows: list[Window], path: Path) -> Causes:
        """What a thread did, loops aside; its collections are taken out first."""
        collecting: dict[Label, list[Window]] = defaultdict(list)
        rest: list[Window] = []
        for a, b, whose in self._pieces(windows, _of(self.lanes.collecting, thread)):
            into = rest if whose < 0 else collecting[self.labels.collection(whose)]
            into.append((a, b))
        found = [_cause(label, cut, ()) for label, cut in collecting.items()]
        return merged([*found, *self._states(thread, rest, path)])

    def _states(self, thread: int, windows: list[Window], path: Path) -> Causes:
        lane = _of(self.lanes.state, thread)
        causes = self._cut(windows, lane, self.labels.state, path)
        return tuple(
            replace(cause, hot=self._hot(thread, windows, cause.kind))
            if cause.kind in _ON_CPU
            else cause
            for cause in causes
        )

    def _hot(self, thread: int, windows: list[Window], kind: Kind) -> tuple[Hot, ...]:
        states = self.model.states.state
        pieces = self._pieces(windows, _of(self.lanes.state, thread))
        cut = [
            (a, b) for a, b, r in pieces if r >= 0 and STATES[states[r] & STATE_MASK] is kind
        ]
        return self.samples.hot(thread, cut)

    def _await(self, task: int, i: int, windows: list[Window], path: Path) -> Cause:
        trace = self.model.trace
        what = trace.text(trace.events.name[trace.slices.event[i]])
        label = Label(
            Kind.AWAIT, what.removeprefix(s.AWAIT_PREFIX), self.lanes.site_of_await(i)
        )
        return _cause(label, windows, self.awaited(task, i, windows, path))

    def _pieces(self, windows: list[Window], lane: Lane) -> Iterator[Piece]:
        for start, end in windows:
            pieces = lane(start, end)
            self.looked_at += len(pieces)
            yield from pieces

    def _stop(self, who: On, path: Path, windows: list[Window]) -> Causes | None:
        """What ends the chain here, if anything does."""
        if not windows or len(path) >= _DEEPEST:
            return ()
        if who in path:
            return (Cause(Kind.CYCLE, span(windows), count=len(windows)),)
        return None


def unknown(windows: list[Window]) -> Causes:
    return merged([Cause(Kind.UNKNOWN, span(windows), count=len(windows))])


def _of(lane: Callable[[int, int, int], list[Piece]], which: int) -> Lane:
    return lambda start, end: lane(which, start, end)


def _cause(label: Label, windows: list[Window], parts: Causes) -> Cause:
    kind, who, site, holds_gil, on = label
    of_task = on is not None and on[0] == "task"
    return Cause(
        kind, span(windows), who, site, len(windows), holds_gil, of_task, parts=_telling(parts)
    )


def _telling(parts: Causes) -> Causes:
    """A single part that is unknown says nothing that the whole does not."""
    is_blank = len(parts) == 1 and parts[0].kind is Kind.UNKNOWN and not parts[0].who
    return () if is_blank else parts
