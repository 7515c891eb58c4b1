"""What the end of a program's main task waited for, backwards in time: which task did what.

As `path` does for threads: an await that another task ended is no part of it, but what that
one did meanwhile. An await that the clock, a thread or somebody outside ended is part of it.
"""

from bisect import bisect_left
from collections.abc import Iterator
from typing import NamedTuple

from tracer import schema as s
from viewer.analysis.causes.labels import Label
from viewer.analysis.causes.part import GIVEN_UP, Kind
from viewer.analysis.causes.tree import Tree
from viewer.analysis.states import every, numbers
from viewer.analysis.waited import FOR_TASKS
from viewer.trace.columns import AWAIT
from viewer.trace.model import Model
from viewer.trace.sites import is_library

_MOST_STEPS = 10_000
_MOST_MAINS = 16
_LATER_NS = 10_000_000  # sooner is the end of the loop itself
_DEEPEST = 16  # tasks each of which waited for the next one
_NOBODY = ("", -1)
_EXECUTOR = "executor"


class Piece(NamedTuple):
    """A time for which the end waited: of an await (`i` its slice), of a step (`i` -1) of a
    task, or in which it was ready. `thread` ended the await (-1 none). Where a library's task
    awaits, `outer` is the await of the program that waited for that (-1 none)."""

    task: int
    start_ns: int
    end_ns: int
    i: int = -1
    by: Kind = Kind.UNKNOWN
    thread: int = -1
    outer: int = -1


class _Within(NamedTuple):
    """A task, whose doings count back to a moment: since then the one before it waited, in its
    await `i` (-1 none). It gave up `by` a time-out, or the like, at `until_ns`."""

    task: int
    since_ns: int
    i: int = -1
    until_ns: int = 0
    by: Kind = Kind.UNKNOWN


class TaskPath:
    """The path to the end of the main tasks of a thread; its last piece comes first."""

    def __init__(self, model: Model, thread: int) -> None:
        self.model, self.tree = model, Tree(model)
        self.pieces: list[Piece] = []
        self._steps = 0
        mains = self._mains(thread)
        self.spans = [(self._begins_ns(task), self._ends_ns(task)) for task in mains]
        for task in mains:
            self._walk(task)
        self._walk_between(thread)
        if self._steps >= _MOST_STEPS:  # what lies before is not known
            first = min(piece.start_ns for piece in self.pieces)
            self.spans = [(max(since, first), end) for since, end in self.spans if end > first]

    def thread_of(self, task: int) -> int:
        """The thread whose loop runs a task; -1 unknown."""
        return self.tree.ledger.thread_running(self.tree.lanes.loop_of_task(task))

    def awaited(self, piece: Piece) -> tuple[str, str]:
        """What was awaited, and the innermost line of the program that waited for it."""
        lanes, waits = self.tree.lanes, (piece.i, piece.outer)
        what = lanes.name_of_slice(piece.i).removeprefix(s.AWAIT_PREFIX)
        return what, lanes.site_of_await(waits[piece.outer >= 0])

    def waiter(self, piece: Piece) -> int:
        """The task that waited there."""
        return piece.task if piece.outer < 0 else self.model.owners.owner[piece.outer]

    def is_of_thread(self, piece: Piece) -> bool:
        """Whether a thread did meanwhile what the program handed it, not a library."""
        what, site = self.awaited(piece)
        return piece.thread >= 0 and (what == _EXECUTOR or is_library(site))

    def _mains(self, thread: int) -> list[int]:
        """The tasks of the thread's loops that no task has made and that lived for longest:
        none of them at the same time as another one; the last comes first."""
        owned, engine, ledger = self.model.owners, self.model.trace.engine, self.tree.ledger
        rows, take = ledger.rows_of_tasks, engine.take
        is_here = memoryview(bytes(of == thread for of in ledger.thread_of_loop))
        loops = take(self.model.lane, owned.task_head, -1)
        on_them = take(is_here, loops, 0)
        nobody = memoryview(bytes(8 * len(loops))).cast("q")
        roots = engine.longer(owned.task_parent, nobody, on_them, 0)  # made by 0, or unknown
        here = numbers(task for task in roots if rows.offset[task] < rows.offset[task + 1])
        begin_ns = take(rows.start_ns, take(rows.offset[:-1], here, 0), 0)
        last = numbers(behind - 1 for behind in take(rows.offset[1:], here, 0))
        end_ns = take(rows.end_ns, last, 0)
        taken: list[int] = []
        for n in engine.ranked(every(len(here)), engine.between(begin_ns, end_ns), 1):
            if len(taken) == _MOST_MAINS:
                break
            if all(end_ns[n] <= begin_ns[m] or end_ns[m] <= begin_ns[n] for m in taken):
                taken.append(n)
        return [here[n] for n in sorted(taken, key=end_ns.__getitem__, reverse=True)]

    def _begins_ns(self, task: int) -> int:
        return self.model.trace.slices.start_ns[self.tree.lanes.rows_of_task(task)[0]]

    def _ends_ns(self, task: int) -> int:
        return self.model.trace.slices.end_ns[self.tree.lanes.rows_of_task(task)[-1]]

    def _walk(self, task: int) -> None:
        """From the end of a task to its begin."""
        self._follow([_Within(task, self._begins_ns(task))], self._ends_ns(task))

    def _follow(self, who: list[_Within], until: int) -> None:
        while who and self._steps < _MOST_STEPS:
            self._steps += 1
            if until <= who[-1].since_ns:
                who.pop()
            else:
                until = self._before(who, until)

    def _walk_between(self, thread: int) -> None:
        """What a loop waited for when a main task was over: another task, as one that was
        cancelled and cleans up."""
        over_ns = self.model.end_ns + _LATER_NS
        starts = sorted([*(start for start, _ in self.spans), over_ns])
        for _, end in [*self.spans]:
            until = starts[bisect_left(starts, end)]
            if until - end < _LATER_NS:
                continue
            left = [
                (self._ends_ns(task), task)
                for task in self._of_thread(thread)
                if self._begins_ns(task) < end < self._ends_ns(task) - _LATER_NS
                and self._ends_ns(task) <= until
            ]
            if left:
                last, task = max(left)
                self.spans.append((end, last))
                self._follow([_Within(task, end)], last)

    def _of_thread(self, thread: int) -> Iterator[int]:
        for task in range(len(self.model.owners.task_id)):
            if self.thread_of(task) == thread and self.tree.lanes.rows_of_task(task):
                yield task

    def _before(self, who: list[_Within], until: int) -> int:
        """Notes what the last task did last before a moment, and returns when that began; or
        goes on with the task that ended an await."""
        slices = self.model.trace.slices
        task, since, _, given_up_ns, by = who[-1]
        i = self._at(task, until)
        if i < 0:
            return since
        start, end = max(slices.start_ns[i], since), min(slices.end_ns[i], until)
        if end < until:  # between two of its states
            self.pieces.append(Piece(task, max(end, since), until))
            return max(end, since)
        if self.model.owners.kind[i] != AWAIT:
            self.pieces.append(Piece(task, start, end))
            return start
        is_over = end == slices.end_ns[i] and end != given_up_ns
        ended = self.tree.ended_by(task, i) if is_over else Label(by)
        kind, on = (ended.on or _NOBODY) if ended.kind is Kind.WAKER else _NOBODY
        if ended.kind in GIVEN_UP and (child := self._awaited(task, i, end)) >= 0:
            kind, on = "task", child
        if kind == "task" and on != task and len(who) < _DEEPEST:
            given_up = (end, ended.kind) if ended.kind in GIVEN_UP else ()
            who.append(_Within(on, start, i, *given_up))
            return end
        thread = on if kind == "thread" else -1
        outer = -1 if self._is_own(i) else self._outer(who)
        self.pieces.append(Piece(task, start, end, i, ended.kind, thread, outer))
        return start

    def _is_own(self, i: int) -> bool:
        site = self.tree.lanes.site_of_await(i)
        return bool(site) and not is_library(site)

    def _outer(self, who: list[_Within]) -> int:
        """The await of the program that waited for a library's."""
        return next((one.i for one in reversed(who) if one.i >= 0 and self._is_own(one.i)), -1)

    def _awaited(self, task: int, i: int, until: int) -> int:
        """The task for whose end an await was that was given up: one that it had made, which
        was still there. Of several it is the one that had waited for longest; -1 none."""
        slices, lanes = self.model.trace.slices, self.tree.lanes
        if not lanes.name_of_slice(i).removeprefix(s.AWAIT_PREFIX).startswith(FOR_TASKS):
            return -1
        start = slices.start_ns[i]
        found = [
            (slices.start_ns[now], child)
            for child in self.tree.ledger.children_of(task)
            if lanes.rows_of_task(child)
            and self._begins_ns(child) <= start
            and self._ends_ns(child) >= until
            and (now := self._at(child, until)) >= 0
            and self.model.owners.kind[now] == AWAIT
        ]
        return min(found)[1] if found else -1

    def _at(self, task: int, at_ns: int) -> int:
        """The state (slice) in which a task was just before a moment; -1 before its begin."""
        rows = self.tree.lanes.rows_of_task(task)
        n = bisect_left(rows, at_ns, key=self.model.trace.slices.start_ns.__getitem__) - 1
        return rows[n] if n >= 0 else -1
