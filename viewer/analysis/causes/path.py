"""What the end of the program waited for, backwards in time: which thread did what meanwhile.

A thread's wait that another one ended is no part of it, but what that one did meanwhile:
whoever put the item, released the lock, ended, wrote the message or the result of a job. A
call that nobody here ended is part of it, as is all that a thread does itself.
"""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Container, Iterable
from functools import cached_property
from typing import NamedTuple, Self

from tracer import schema as s
from viewer.analysis.causes.elsewhere import Elsewhere, between
from viewer.analysis.ledger.ledger import Ledger
from viewer.analysis.ledger.resource import Windows, windows_of
from viewer.analysis.processes.told import NEVER
from viewer.analysis.states import marks, numbers
from viewer.trace.columns import IDLE_WAIT, IO, LOCK_WAIT, SLEEP, STATE_MASK, Column
from viewer.trace.model import Model

_WAITS = (LOCK_WAIT, IDLE_WAIT, IO, SLEEP)
# Shorter waits are not followed, but belong to the thread: they are a five-hundredth of the
# whole at most, and there are few enough of the others.
_PART = 500
_LEAST_NS = 1_000_000
_MOST_STEPS = 20_000
_JUST_NS = 2_000_000  # from the answer to the end of the wait for it
_DEEPEST = 16  # threads each of which waited for the next one

type At = tuple[int, int]  # a thread, and until when it did what the end waited for


class _Within(NamedTuple):
    """A visit to a thread, whose doings count back to a moment: since then the one before it
    waited."""

    thread: int
    since_ns: int
    visit: int


class Piece(NamedTuple):
    """A time of a thread for which the end waited; `visit` is a number of the path's coming to
    it: it comes to a server's thread anew with each request."""

    thread: int
    start_ns: int
    end_ns: int
    visit: int


class Followed(NamedTuple):
    """A wait that another one ended, whose doings are on the path in its stead."""

    ns: int
    visit: int


class RunPath:
    """The path to the end of the first process's first thread; its last piece comes first."""

    def __init__(self, model: Model) -> None:
        self.model, self.ledger = model, Ledger.of(model)
        self.elsewhere = Elsewhere.of(model)
        self.family = self.elsewhere.family
        self.pieces: list[Piece] = []
        self.followed: dict[int, Followed] = {}  # by row of States
        self._visits = 0
        self._long = defaultdict[int, list[int]](list)  # by thread its waits that are followed
        main = self.family.main[model.trace.processes.first]
        if main >= 0 and model.states.last_ns[main]:
            self._walk(main, model.states.last_ns[main])

    @classmethod
    def of(cls, model: Model) -> Self:
        """The model's, walked once."""
        return model.derive(cls, lambda: cls(model))

    @property
    def ns(self) -> int:
        return sum(piece.end_ns - piece.start_ns for piece in self.pieces)

    def ns_of(self, thread: int, since_ns: int, until_ns: int) -> int:
        """How long another thread waited for this one in a time, on the path."""
        return sum(
            max(min(piece.end_ns, until_ns) - max(piece.start_ns, since_ns), 0)
            for piece in self.pieces
            if piece.thread == thread and piece.visit
        )

    def ns_without(
        self, states: Container[int], since_ns: int = 0, until_ns: int = NEVER
    ) -> int:
        """How long it is in a time, without those in which its threads were in such states."""
        mark = marks(self.model, lambda state: int(state & STATE_MASK in states))
        is_one, left = numbers(mark), 0
        for thread, windows in self.windows.items():
            within = between(windows, since_ns, until_ns)
            carved = self.ledger.states.by_row(thread, within, is_one)
            left += within.ns
            left -= sum(ns for of, ns in zip(carved.key, carved.total, strict=True) if of == 1)
        return left

    @cached_property
    def windows(self) -> dict[int, Windows]:
        """By thread its times on the path, in order."""
        found = defaultdict[int, list[tuple[int, int]]](list)
        for piece in reversed(self.pieces):
            found[piece.thread].append((piece.start_ns, piece.end_ns))
        return {thread: windows_of(times) for thread, times in found.items()}

    def begun(self, rows: Column) -> list[int]:
        """Those rows of States that begin on the path, or that it follows, in order."""
        table, engine, found = self.model.states, self.model.trace.engine, list[int]()
        threads = len(self.model.threads)
        for thread in engine.distinct(engine.take(table.who, rows, -1), threads):
            windows = self.windows.get(thread)
            if windows is None:
                continue
            is_its = bytearray(threads)
            is_its[thread] = 1
            own = engine.pick(rows, table.who, memoryview(is_its))
            starts = engine.take(table.start_ns, own, -1)
            for since, until in zip(windows.from_ns, windows.until_ns, strict=True):
                found += own[bisect_left(starts, since) : bisect_left(starts, until)]
        return sorted({*found, *self.followed.keys() & {*rows}})

    def visits(self, rows: Iterable[int]) -> int:
        """To how many visits these rows of States belong."""
        pieces, found = self.pieces[::-1], set[int]()
        starts, start_ns = [piece.start_ns for piece in pieces], self.model.states.start_ns
        for row in rows:
            known = self.followed.get(row)
            at = bisect_right(starts, start_ns[row]) - 1
            found.add(pieces[at].visit if known is None else known.visit)
        return len(found)

    def of_thread(self, thread: int, since_ns: int, until_ns: int) -> list[Piece]:
        """The same of any thread, for whose doings somebody waited since then."""
        mine, self.pieces = self.pieces, []
        self._follow([_Within(thread, since_ns, 0)], until_ns)
        found, self.pieces = self.pieces, mine
        return found

    def _walk(self, thread: int, until: int) -> None:
        table = self.model.states
        least = max((until - table.first_ns[thread]) // _PART, _LEAST_NS)
        mark = marks(self.model, lambda state: int(state & STATE_MASK in _WAITS))
        for row in self.model.trace.engine.longer(table.start_ns, table.end_ns, mark, least):
            self._long[table.who[row]].append(row)
        self._follow([_Within(thread, table.first_ns[thread], 0)], until)

    def _follow(self, who: list[_Within], until: int) -> None:
        for _ in range(_MOST_STEPS):
            while who and until <= who[-1].since_ns:
                who.pop()
            if not who:
                return
            until = self._before(who, until, self._long[who[-1].thread])

    def _before(self, who: list[_Within], until: int, rows: list[int]) -> int:
        """Notes what the last thread did until then, back to its last long wait; who ended
        that comes next. Returns the moment before which the rest lies."""
        table, (thread, since, visit) = self.model.states, who[-1]
        n = bisect_left(rows, until, key=table.start_ns.__getitem__) - 1
        if n < 0 or table.end_ns[rows[n]] <= since:
            began = max(since, table.first_ns[thread])
            self._note(who[-1], began, until)
            if began > since and (by := self._starter(thread)) is not None:
                self._visit(who, by[0], since)
                return min(by[1], began)
            return since
        row = rows[n]
        start, end = max(table.start_ns[row], since), min(table.end_ns[row], until)
        self._note(who[-1], end, until)
        by = self._ender(row) if end == table.end_ns[row] else None
        if by is None or not start < by[1] <= end or by[0] == thread or len(who) == _DEEPEST:
            self._note(who[-1], start, end)
            return start
        self._note(who[-1], by[1], end)
        self.followed[row] = Followed(by[1] - start, visit)
        self._visit(who, by[0], start)
        return by[1]

    def _visit(self, who: list[_Within], thread: int, since: int) -> None:
        self._visits += 1
        who.append(_Within(thread, since, self._visits))

    def _note(self, who: _Within, since: int, until: int) -> None:
        if since < until:
            self.pieces.append(Piece(who.thread, since, until, who.visit))

    def _ender(self, row: int) -> At | None:
        """Who ended a wait, and when; None: nobody that is known."""
        table = self.model.states
        on = self.elsewhere.of_row(row)
        if on is None:
            if table.waker[row] < 0:
                return self._answerer(row)
            released = self.ledger.released_ns(row)
            return table.waker[row], released if released >= 0 else table.end_ns[row]
        kind, which = on
        if kind == "message":
            written = self.elsewhere.written(which)
            return (written.thread, written.at_ns) if written.thread >= 0 else None
        if kind == "idle":
            job = self.elsewhere.jobs[which]
            return (job.thread, job.submit_ns) if job.thread >= 0 else None
        if kind == "job":
            job = self.elsewhere.jobs[which]
            return self._end_of(job.worker, min(job.end_ns, table.end_ns[row]))
        return self._end_of(self.elsewhere.child_of_row[row].process, table.end_ns[row])

    def _answerer(self, row: int) -> At | None:
        """Who answered a read of this process's own socket: the only other thread of it that
        did anything just before the answer came."""
        table, trace = self.model.states, self.model.trace
        end_event = trace.slices.end_event[table.slice[row]]
        if end_event < 0 or not trace.args(end_event).get(s.ARG_OWN_PEER):
            return None
        thread, end = table.who[row], table.end_ns[row]
        least = max(table.start_ns[row], end - _JUST_NS)
        busy = [
            (one, until)
            for one in self._of_process[self.model.thread_process[thread]]
            if one != thread and (until := self._busy_until(one, end)) > least
        ]
        return busy[0] if len(busy) == 1 else None

    def _busy_until(self, thread: int, at_ns: int) -> int:
        """When the thread last did anything but wait, before a moment; 0 never."""
        table, rows = self.model.states, self._long[thread]
        if not 0 < table.first_ns[thread] < at_ns:
            return 0
        n = bisect_left(rows, at_ns, key=table.start_ns.__getitem__) - 1
        if n >= 0 and table.end_ns[rows[n]] >= at_ns:
            return table.start_ns[rows[n]]
        return min(at_ns, table.last_ns[thread])

    @cached_property
    def _of_process(self) -> dict[int, list[int]]:
        found = defaultdict[int, list[int]](list)
        for thread, process in enumerate(self.model.thread_process):
            found[process].append(thread)
        return found

    def _end_of(self, process: int, until: int) -> At | None:
        member = self.family.members.get(process)
        if member is None or member.main < 0:
            return None
        last = self.model.states.last_ns[member.main]
        return (member.main, min(until, last)) if last else None

    def _starter(self, thread: int) -> At | None:
        started = self.ledger.starters.get(thread)
        if started is not None:
            return started[0], self.model.trace.events.time_ns[started[1]]
        member = self.family.members.get(self.model.thread_process[thread])
        start = member.start if member is not None and member.main == thread else None
        return (start.thread, start.time_ns) if start and start.thread >= 0 else None
