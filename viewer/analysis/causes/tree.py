"""Splits time into causes, to the ns: who ran or held it instead, and what that one did.

Every function takes windows of time and returns parts that add up to them. A part is cut
further by the lane of whoever it names, until nothing is left to explain.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable

from tracer import schema as s
from viewer.analysis.causes.elsewhere import between
from viewer.analysis.causes.labels import Label, Labels, On
from viewer.analysis.causes.lanes import Lanes
from viewer.analysis.causes.late import Late
from viewer.analysis.causes.part import Cause, Kind, merged, telling, unknown
from viewer.analysis.causes.polls import Polls
from viewer.analysis.causes.samples import Samples
from viewer.analysis.ledger.ledger import Ledger
from viewer.analysis.ledger.resource import Windows, parts
from viewer.analysis.processes.told import NEVER
from viewer.analysis.states import numbers
from viewer.trace.columns import AWAIT, LOOP_CALLBACK, READY, STATE_MASK, TASK_WAIT, Carved
from viewer.trace.model import Model
from viewer.trace.sites import is_library
from viewer.trace.timelines import UNKNOWN

_DEEPEST = 6  # links of "which waited behind"; beyond them a part has no parts
_PATIENCE = 300_000  # pieces of lanes examined for one wait; after that, parts get no parts
_AWAIT = 100  # an await costs as much as this many pieces
_MANY_HOLDS = 200
_MANY_WAITS = 500  # for one thing: it is not searched who ends them
_NO_KEYS = numbers(())
_IN_VAIN = (s.CANCELLED, s.DESTROYED, s.LOOP_CLOSED)  # ends of a task that was given up
_ENDED_BY_TIMERS = (s.SLEEP, "future")  # timers end other awaits only as timeouts
_GIVES = "release"  # in the name of a function that gives a slot to the next one
_ON_CPU = (Kind.COMPUTING, Kind.NATIVE)

type Path = tuple[On, ...]  # who is explained by whom, the outermost first
type Causes = tuple[Cause, ...]


class Tree:
    """Splits windows of time by the lanes of a trace."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.ledger = Ledger.of(model)
        self.lanes = Lanes(model)
        self.labels = Labels(self.lanes)
        self.elsewhere = self.labels.elsewhere
        self.samples = Samples(model)
        self.late = Late(self.lanes)
        self.polls = Polls(self.lanes)
        self._endings: dict[int, Label] = {}  # by slice of an await
        self._enders: dict[int, Label | None] = {}
        self.nouns = model.nouns
        self.looked_at = 0  # pieces, for the present wait

    def behind(self, on: On | None, windows: Windows, path: Path = ()) -> Causes:
        """The causes of a wait behind that one; () when nobody is known."""
        match on if self.looked_at < _PATIENCE else None:
            case ("thread", thread):
                return self.thread(thread, windows, path)
            case ("task", task):
                return self.task(task, windows, path)
            case ("gil", process):
                carved = self.ledger.gil_by_thread.carve(process, windows)
                return self._cut(carved, self.labels.gil, path)
            case ("lock", lock):
                return self._held(lock, windows, path)
            case ("owner", owner):
                return self._one(self.labels.owner(owner), windows, path)
            case ("waker", thread):
                return self._one(self.labels.thread(thread, Kind.WAKER), windows, path)
            case ("child", row):
                return self._one(self.labels.child(row), windows, path)
            case ("process", process):
                return self.process(process, windows, path)
            case ("job", job):
                return self._job(job, windows, path)
            case ("idle" | "message", _) as came:
                return self.until(*self.labels.until(came), windows, path)
            case ("loop", loop):
                return self.loop(loop, windows, path)
            case ("vain", lock) if (ender := self.ender(lock)) is not None:
                return self._one(ender, windows, path)
        return ()

    def ender(self, lock: int) -> Label | None:
        """The only one that ever ended waits for a lock, queue or event; None of several."""
        if lock not in self._enders:
            self._enders[lock] = self._find_ender(lock)
        return self._enders[lock]

    def _find_ender(self, lock: int) -> Label | None:
        table, waits = self.model.states, self.ledger.waits_of_locks
        rows = waits.row[waits.offset[lock] : waits.offset[lock + 1]]
        found = set[Label]()
        for row in rows if len(rows) <= _MANY_WAITS else ():
            if table.state[row] & STATE_MASK == TASK_WAIT:
                label = self.ended_by(table.who[row], table.slice[row])
                if label.kind is Kind.WAKER:
                    found.add(label._replace(kind=Kind.VAIN))
            elif table.waker[row] >= 0:
                found.add(self.labels.thread(table.waker[row], Kind.VAIN))
        return found.pop() if len(found) == 1 else None

    def _held(self, lock: int, windows: Windows, path: Path) -> Causes:
        """Who had a lock: of few holds each is looked at, whose it really was."""
        holds = self.ledger.holds
        carved = holds.by_row(lock, windows, _NO_KEYS)
        if len(carved.from_ns) > _MANY_HOLDS:
            return self._cut(holds.carve(lock, windows), self.labels.hold, path)
        return self._cut(carved, self.labels.hold_of_row, path)

    def loop(self, loop: int, windows: Windows, path: Path = ()) -> Causes:
        """What an event loop ran; UNKNOWN for an unknown loop (-1)."""
        if loop < 0:
            return unknown(windows)
        thread, lane = self.ledger.thread_of_loop[loop], self.ledger.lane_of_loop[loop]
        path = (*path, ("thread", thread))

        def inside(label: Label, cut: Windows) -> Causes:
            if label.kind is Kind.GC:  # inside what it interrupted
                below = self.ledger.loops_without_gc.carve(lane, cut)
                return self._cut(below, self.labels.on_loop, path, inside)
            known = label.kind is not Kind.UNKNOWN and thread >= 0
            known = known and self.looked_at < _PATIENCE
            return self._states(thread, cut, path) if known else ()

        carved = self.ledger.loops.carve(lane, windows)
        return self._cut(carved, self.labels.on_loop, path, inside)

    def thread(self, thread: int, windows: Windows, path: Path = ()) -> Causes:
        """What a thread did; while one of its event loops ran, what the loop ran."""
        me = ("thread", thread)
        stop = self._stop(me, path, windows)
        if stop is not None:
            return stop
        lane = self.ledger.lane_of_thread.get(thread, -1)
        if lane < 0:
            return merged(self._with_gc(thread, windows, (*path, me)))
        found: list[Cause] = []
        for key, cut in self._parts(self.ledger.on_any_loop(lane, windows)):
            if key == UNKNOWN:
                found += self._with_gc(thread, cut, (*path, me))
            else:
                found += self.loop(lane, cut, path)
        return merged(found)

    def task(self, task: int, windows: Windows, path: Path = ()) -> Causes:
        """What a task did: its steps by what its thread did, its waits by their causes."""
        me = ("task", task)
        stop = self._stop(me, path, windows)
        if stop is not None:
            return stop
        path = (*path, me)
        loop = self.lanes.loop_of_task(task)
        thread = self.ledger.thread_running(loop)
        found: list[Cause] = []
        for key, cut in self._parts(self.ledger.of_task(task, windows)):
            if key == self.ledger.ran and thread >= 0:
                found += self._with_gc(thread, cut, path)
            elif key == self.ledger.was_ready:
                told = telling(self.loop(loop, cut, path))
                found.append(Cause(Kind.READY, cut.ns, count=len(cut), parts=told))
            elif 0 <= key < self.ledger.ran:
                found.append(self._await(task, key, cut, path))
            else:
                found += unknown(cut)
        return merged(found)

    def process(self, process: int, windows: Windows, path: Path = ()) -> Causes:
        """What a process did: its first thread, while it recorded."""
        member, table = self.elsewhere.family.members[process], self.model.states
        if member.main < 0 or not table.last_ns[member.main]:
            return ()
        first, last = table.first_ns[member.main], table.last_ns[member.main]
        did = self.thread(member.main, between(windows, first, last), path)
        inside = between(windows, first, last).ns
        if sum(cause.ns for cause in did) != inside:  # the chain is too long already
            return ()
        rest = [(Kind.STARTING, 0, first), (Kind.EXITING, last, NEVER)]
        cuts = ((kind, between(windows, since, until)) for kind, since, until in rest)
        return merged([*did, *(Cause(kind, cut.ns, count=len(cut)) for kind, cut in cuts)])

    def _job(self, number: int, windows: Windows, path: Path) -> Causes:
        """What became of a job: it was queued, ran in a worker, its result came back."""
        job, found = self.elsewhere.jobs[number], list[Cause]()
        for kind, cut in self.elsewhere.phases(job, windows):
            label = self.labels.phase(kind, job)
            below = self.behind(label.on, cut, path) if cut else ()
            found.append(self._cause(label, cut, below))
        return merged(found)

    def until(self, one: Label, at_ns: int, then: Label, cut: Windows, path: Path) -> Causes:
        """One part up to a moment, with what that one did; what came then is another."""
        found = list[Cause]()
        cuts = (one, between(cut, 0, at_ns)), (then, between(cut, at_ns, NEVER))
        for label, windows in cuts:
            below = self.behind(label.on, windows, path) if windows else ()
            found.append(self._cause(label, windows, below))
        return merged(found)

    def awaited(self, task: int, i: int, windows: Windows, path: Path = ()) -> Causes:
        """What a task awaited: the owners of the lock, or what its waker did meanwhile."""
        row = self.lanes.task_waits.get(i, -1)
        on = self.labels.behind(row) if row >= 0 else None
        if on is not None and (found := self.behind(on, windows, path)):
            return found
        label = self.labels.unended(task, i) or self.ended_by(task, i)
        if label.on is not None and label.on[0] in ("job", "message"):
            return self.behind(label.on, windows, path)
        end_ns = self.model.trace.slices.end_ns[i]
        late = self.late.of(label, self.lanes.loop_of_task(task), end_ns)
        if late is None:
            return self._one(label, windows, path)
        return self.until(label, *late, windows, path)

    def ended_by(self, task: int, i: int) -> Label:
        """What made a task ready at the end of its await (slice i)."""
        if i not in self._endings:
            self._endings[i] = self._find_ending(task, i)
        return self._endings[i]

    def _find_ending(self, task: int, i: int) -> Label:
        after = self.lanes.after_await(task, i)
        label = self.waker(task, after) if after >= 0 else Label(Kind.UNKNOWN)
        what = self.lanes.name_of_slice(i).removeprefix(s.AWAIT_PREFIX)
        if label.kind is Kind.WAKER and self.is_in_vain(task, i):
            return Label(Kind.CANCELLED, label.who)
        if label.on is not None and label.on[0] == "task":
            return self._creator_of_helper(label, label.on[1], task, i)
        if (other := self.elsewhere_of(label, after)) is not None:
            return other
        ends = label.kind is Kind.TIMER and what not in _ENDED_BY_TIMERS
        return Label(Kind.TIMEOUT) if ends and not self.lanes.is_given(i, after) else label

    def elsewhere_of(self, label: Label, ready: int) -> Label | None:
        """The job, child or message behind a thread's or loop's wake-up (a `ready` slice), if
        any."""
        at_ns = self.model.trace.slices.start_ns[ready] if ready >= 0 else 0
        if label.on is not None and label.on[0] == "thread":
            job = self.elsewhere.job_before(label.on[1], at_ns)
            return self.labels.all_of_job(job) if job >= 0 else None
        loop = self.model.lane[ready] if label.kind is Kind.IO else -1
        thread = self.ledger.thread_running(loop)
        if thread < 0:
            return None
        step = self.ledger.loops_without_gc.row_at(self.ledger.lane_of_loop[loop], at_ns)
        child = self.elsewhere.child_of_step(thread, step, at_ns)
        if child is not None:
            return self.labels.child_label(child)
        message = self.elsewhere.message_of_step(thread, step, at_ns)
        return self.labels.message(message) if message >= 0 else None

    def _creator_of_helper(self, label: Label, ender: int, task: int, i: int) -> Label:
        """Who made the task of a library that ended an await, if that began during it.

        A library gives a connection back in a task of its own: it was the creator's.
        """
        owned, slices = self.model.owners, self.model.trace.slices
        begun = slices.start_ns[owned.task_head[ender]]
        site = self.model.trace.text(owned.task_site[ender])
        if begun <= slices.start_ns[i] or not is_library(site):
            return label
        creator = self.ledger.parent_of(ender)
        if creator in (-1, task):
            return label
        return Label(label.kind, self.lanes.name_of_task(creator), on=("task", creator))

    def is_in_vain(self, task: int, i: int) -> bool:
        """Whether an await (slice i) brought the task nothing: often it is the last."""
        if self.lanes.is_given_up(i):
            return True
        rows, kinds = self.lanes.rows_of_task(task), self.model.owners.kind
        is_last = not any(kinds[row] == AWAIT for row in rows[bisect_right(rows, i) :])
        return is_last and self.ledger.how_it_ended(task) in _IN_VAIN

    def waker(self, task: int, ready: int) -> Label:
        """What caused the `ready` slice; UNKNOWN without a name when that is unknown."""
        args = self.model.trace.args(self.model.trace.slices.event[ready])
        process = self.model.owners.task_process[task]
        if isinstance(id_ := args.get(s.ARG_WAKER_TASK), int):
            waker = self.ledger.task_of(process, id_)
            if waker < 0:
                return Label(Kind.UNKNOWN, f"task {id_}")
            return Label(Kind.WAKER, self.lanes.name_of_task(waker), on=("task", waker))
        if isinstance(tid := args.get(s.ARG_WAKER_THREAD), int):
            thread = self.ledger.thread(process, tid)
            if thread < 0:
                return Label(Kind.UNKNOWN, f"thread {tid}")
            return self.labels.thread(thread, Kind.WAKER)
        receiver = self.receiver(ready)
        if receiver >= 0:
            other = self.model.owners.owner[receiver]
            return Label(Kind.WAKER, self.lanes.name_of_task(other), on=("task", other))
        said = {"timer": Kind.TIMER, "io": Kind.IO}
        return Label(said.get(str(args.get(s.ARG_WAKER)), Kind.UNKNOWN))

    def receiver(self, ready: int) -> int:
        """Whose answer freed what a task got when something arrived: that one's `ready`.

        A callback hands what arrives to the task that waits for it; with that the task may be
        done with its connection, and the callback gives it to the next. -1 without.
        """
        frames = self._arrived(ready)
        if not any(_GIVES in frame.rpartition(" ")[2] for frame in frames):
            return -1
        slices, owned = self.model.trace.slices, self.model.owners
        loop = self.model.lane[ready]
        lane, at_ns = self.ledger.lane_of_loop[loop], slices.start_ns[ready]
        step = self.ledger.loops_without_gc.row_at(lane, at_ns)
        if not 0 <= step < len(owned.kind) or owned.kind[step] != LOOP_CALLBACK:
            return -1
        first = bisect_left(slices.start_ns, slices.start_ns[step])
        for i in range(bisect_left(slices.start_ns, at_ns) - 1, first - 1, -1):
            if owned.kind[i] == READY and self.model.lane[i] == loop:
                others = self._arrived(i)
                return i if others and len(others) < len(frames) else -1
        return -1

    def _arrived(self, ready: int) -> list[str]:
        """The frames in which a task was woken by something from outside."""
        args = self.model.trace.args(self.model.trace.slices.event[ready])
        is_io = args.get(s.ARG_WAKER) == "io"
        return str(args.get(s.ARG_STACK, "")).split("\n") if is_io else []

    # How windows are cut ------------------------------------------------------------------

    def _cut(
        self,
        carved: Carved,
        label_of: Callable[[int], Label],
        path: Path,
        inside: Callable[[Label, Windows], Causes] | None = None,
    ) -> Causes:
        """One part per carved key, with the parts inside it."""
        found = []
        for key, cut in self._parts(carved):
            label = label_of(key)
            below = inside(label, cut) if inside else self.behind(label.on, cut, path)
            found.append(self._cause(label, cut, below))
        return merged(found)

    def _one(self, label: Label, windows: Windows, path: Path) -> Causes:
        """One part for all of it."""
        return merged([self._cause(label, windows, self.behind(label.on, windows, path))])

    def _with_gc(self, thread: int, windows: Windows, path: Path) -> Causes:
        """What a thread did, apart from loops; its collections are taken out first."""
        found: list[Cause] = []
        for key, cut in self._parts(self.ledger.collecting.carve(thread, windows)):
            if key < 0:
                found += self._states(thread, cut, path)
            else:
                found.append(self._cause(self.labels.collection(key), cut, ()))
        return merged(found)

    def _states(self, thread: int, windows: Windows, path: Path) -> Causes:
        found = []
        for row, cut in self.elsewhere.did(thread, windows):
            self.looked_at += len(cut)
            label = self.labels.state(row)
            below = self.behind(label.on, cut, path)
            cause = self._cause(label, cut, below)
            if label.kind in _ON_CPU:
                cause = cause._replace(hot=self.samples.hot(thread, cut))
            found.append(cause)
        return merged(found)

    def _await(self, task: int, i: int, windows: Windows, path: Path) -> Cause:
        trace = self.model.trace
        what = trace.text(trace.events.name[trace.slices.event[i]])
        label = Label(
            Kind.AWAIT, what.removeprefix(s.AWAIT_PREFIX), self.lanes.site_of_await(i)
        )
        is_known = self.looked_at < _PATIENCE
        self.looked_at += _AWAIT
        return self._cause(
            label, windows, self.awaited(task, i, windows, path) if is_known else ()
        )

    def _cause(self, label: Label, windows: Windows, parts: Causes) -> Cause:
        kind, who, site, holds_gil, on = label
        noun = self.nouns.task if on is not None and on[0] == "task" else ""
        below = telling(parts)
        return Cause(kind, windows.ns, who, site, len(windows), holds_gil, noun, parts=below)

    def _parts(self, carved: Carved) -> list[tuple[int, Windows]]:
        self.looked_at += len(carved.from_ns)
        return list(parts(carved))

    def _stop(self, who: On, path: Path, windows: Windows) -> Causes | None:
        """The part that ends the chain here, if any."""
        if not windows or len(path) >= _DEEPEST:
            return ()
        if who in path:
            return (Cause(Kind.CYCLE, windows.ns, count=len(windows)),)
        return None
