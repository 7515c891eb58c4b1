"""Threads and locks of a hand-made trace: state lanes, hold slices, hand-overs.

    main.running(0).lock_wait(10, "Lock", lock=lock, owner=worker, site="app.py:4 main")
    lock.hold(10, 50, worker, site="app.py:9 work")
    worker.release(50, lock, to=main)
    main.running(50).end(80)

Each state ends the one before it at the same time.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from tests.support.builder.encoding import Arg, Event
from tests.support.builder.wire import message
from tracer import schema as s

if TYPE_CHECKING:
    from tests.support.builder.trace import Task, TraceBuilder


@dataclass(slots=True)
class Lock:
    trace: "TraceBuilder"
    track: int
    id: int
    kind: str
    counter: int = 0

    def hold(self, start: int, end: int, owner: "Thread | Task", site: str = "") -> Event:
        """Held by a thread or, for asyncio's locks, a task."""
        args: dict[str, Arg] = {s.ARG_LOCK: self.id, s.ARG_KIND: self.kind}
        if isinstance(owner, Thread):
            args[s.ARG_OWNER] = owner.tid
        else:
            args[s.ARG_OWNER_TASK] = owner.id
        args |= {s.ARG_SITE: site} if site else {}
        begun = self.trace.begin(self.track, start, owner.name, s.CAT_HOLD, **args)
        self.trace.end(self.track, end)
        return begun

    def waiters(self, at: int, count: int) -> None:
        if not self.counter:
            extra = message(s.TRACK_COUNTER, b"")
            self.counter = self.trace.track(s.COUNTER_WAITERS, extra, parent=self.track)
        self.trace.counter(self.counter, at, count)


@dataclass(slots=True)
class Thread:
    """`state` is the open slice; `at_end` the arguments its END will have."""

    trace: "TraceBuilder"
    track: int
    tid: int
    name: str
    state: Event | None = None
    at_end: dict[str, Arg] = field(default_factory=dict)
    granted: list[int] = field(default_factory=list)  # flows that the next state ends
    counters: dict[str, int] = field(default_factory=dict)

    def enter(
        self,
        at: int,
        name: str,
        category: str,
        begin: dict[str, Arg] | None = None,
        end: dict[str, Arg] | None = None,
    ) -> Self:
        """A state with the arguments of its BEGIN and of its END."""
        if self.state is not None:
            self.end(at)
        self.state = self.trace.begin(self.track, at, name, category, **(begin or {}))
        self.state.ends_flows, self.granted = self.granted, []
        self.at_end = end or {}
        return self

    def end(self, at: int) -> Self:
        self.trace.end(self.track, at).args = self.at_end
        self.state, self.at_end = None, {}
        return self

    def running(self, at: int) -> Self:
        return self.enter(at, s.RUNNING, s.CAT_THREAD)

    def native(self, at: int) -> Self:
        return self.enter(at, s.NATIVE, s.CAT_THREAD)

    def preempted(self, at: int, *, holding_gil: bool = False) -> Self:
        return self.enter(at, s.PREEMPTED, s.CAT_THREAD, _holding(holding_gil))

    def off_cpu(self, at: int, *, holding_gil: bool = False) -> Self:
        return self.enter(at, s.OFF_CPU, s.CAT_THREAD, _holding(holding_gil))

    def gil_wait(self, at: int, holder: "Thread | None" = None) -> Self:
        args: dict[str, Arg] = {}
        if holder is not None:
            args = {s.ARG_HOLDER: holder.tid, s.ARG_HOLDER_NAME: holder.name}
        return self.enter(at, s.GIL_WAIT, s.CAT_GIL, args)

    def lock_wait(
        self,
        at: int,
        kind: str,
        *,
        lock: "Lock | int",
        site: str = "app.py:1 f",
        owner: "Thread | None" = None,
        owner_site: str = "",
        acquired: bool = True,
        stack: str = "",
    ) -> Self:
        """`acquired` is on the END, the rest on the BEGIN."""
        args: dict[str, Arg] = {s.ARG_LOCK: lock if isinstance(lock, int) else lock.id}
        args[s.ARG_SITE] = site
        if owner is not None:
            args |= {s.ARG_OWNER: owner.tid, s.ARG_OWNER_NAME: owner.name}
        args |= {s.ARG_OWNER_SITE: owner_site} if owner_site else {}
        args |= {s.ARG_STACK: stack} if stack else {}
        name = s.LOCK_WAIT_PREFIX + kind
        return self.enter(at, name, s.CAT_LOCK, args, {s.ARG_ACQUIRED: acquired})

    def io(
        self,
        at: int,
        what: str,
        *,
        site: str = "",
        fd: int = -1,
        size_bytes: int = -1,
        holding_gil: bool = False,
        continues: bool = False,
        stack: str = "",
        own_peer: bool = False,
        timed_out: bool = False,
        lock_pid: int = 0,
        exception: str = "",
    ) -> Self:
        args = _holding(holding_gil)
        args |= {s.ARG_SITE: site} if site else {}
        args |= {s.ARG_STACK: stack} if stack else {}
        args |= {s.ARG_FD: fd} if fd >= 0 else {}
        args |= {s.ARG_CONTINUES: True} if continues else {}
        end: dict[str, Arg] = {s.ARG_BYTES: size_bytes} if size_bytes >= 0 else {}
        end |= {s.ARG_OWN_PEER: True} if own_peer else {}
        end |= {s.ARG_TIMED_OUT: True} if timed_out else {}
        end |= {s.ARG_EXCEPTION: exception} if exception else {}
        end |= {s.ARG_LOCK_PID: lock_pid, s.ARG_LOCK_PROGRAM: "cron"} if lock_pid else {}
        return self.enter(at, s.IO_PREFIX + what, s.CAT_IO, args, end)

    def sleep(self, at: int, site: str = "", stack: str = "") -> Self:
        args: dict[str, Arg] = {s.ARG_SITE: site} if site else {}
        args |= {s.ARG_STACK: stack} if stack else {}
        return self.enter(at, s.SLEEP, s.CAT_SLEEP, args)

    def release(
        self, at: int, lock: Lock, to: "Thread | None" = None, *, site: str = ""
    ) -> Self:
        """Gives the lock back; the flow ends in the next state of `to`."""
        args: dict[str, Arg] = {s.ARG_LOCK: lock.id}
        args |= {s.ARG_SITE: site} if site else {}
        event = self.trace.instant(self.track, at, s.RELEASE, s.CAT_LOCK, **args)
        if to is not None:
            event.flows.append(next(self.trace.flow_ids))
            to.granted.append(event.flows[0])
        return self

    def wakes(self, at: int) -> Event:
        """The source of an arrow: what the thread does outside any step of a loop."""
        return self.trace.instant(self.track, at, s.WAKE, s.CAT_THREAD)

    def submits(self, at: int) -> Event:
        """Hands a job to an executor: the source of the arrow to `runs`."""
        return self.trace.instant(self.track, at, s.SUBMIT, s.CAT_THREAD)

    def runs(self, at: int, name: str, site: str, *, by: Event | None = None) -> Self:
        """Begins a job of an executor."""
        args: dict[str, Arg] = {s.ARG_NAME: name, s.ARG_SITE: site}
        begun = self.trace.instant(self.track, at, s.RUN, s.CAT_THREAD, **args)
        if by is not None:
            self.trace.arrow(by, begun)
        return self

    def fork(self, at: int, pid: int, site: str) -> Self:
        """Started a copy of the program, which is not recorded."""
        args: dict[str, Arg] = {s.ARG_CHILD: pid, s.ARG_SITE: site}
        self.trace.instant(self.track, at, s.FORK, s.CAT_THREAD, **args)
        return self

    def spawn(self, at: int, pid: int, command: str, site: str, *, stack: str = "") -> Self:
        """Started another program; without a pid where that is 0."""
        args: dict[str, Arg] = {s.ARG_CHILD: pid} if pid else {}
        args |= {s.ARG_STACK: stack} if stack else {}
        args |= {s.ARG_COMMAND: command, s.ARG_SITE: site}
        self.trace.instant(self.track, at, s.SPAWN, s.CAT_THREAD, **args)
        return self

    def gc(self, start: int, end: int, generation: int = 0) -> Self:
        """A collection on the thread's own track; both ends inside one state."""
        self.trace.begin(
            self.track, start, f"{s.GC_PREFIX}{generation}", s.CAT_GC, generation=generation
        )
        self.trace.end(self.track, end)
        return self

    def counter(self, at: int, name: str, value: int) -> Self:
        """COUNTER_RUN_DELAY or COUNTER_CPU of this thread."""
        if name not in self.counters:
            extra = message(s.TRACK_COUNTER, b"")
            self.counters[name] = self.trace.track(name, extra, parent=self.track)
        self.trace.counter(self.counters[name], at, value)
        return self


def _holding(holding_gil: bool) -> dict[str, Arg]:
    return {s.ARG_HOLDING_GIL: True} if holding_gil else {}
