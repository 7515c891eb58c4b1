"""Families of processes by hand: who started whom, jobs of pools, ends.

    family = Family("service.py")
    main = family.first.thread("MainThread").running(0)
    child = family.fork(main, at=10, pid=101, name="worker-1")
    job = family.job(1, "resize", main, at=20, site="app.py:3 main")
    job.run(child, 30, 90)
    job.received(main, 95)
    family.ended(main, child, at=100, status=0)

Times are ns after the first process's start; `data()` is what all files are together.
"""

import itertools
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.builder.encoding import Arg, Event
from tests.support.builder.threads import Thread
from tests.support.builder.trace import TraceBuilder
from tracer import schema as s

START_NS = 1_000_000_000
SIGNALS = "tasks,threads,gc,gil,locks,io,sched,cpu"


@dataclass(slots=True)
class Job:
    """A job of a pool, from its submit on."""

    family: "Family"
    name: str
    args: dict[str, Arg]
    submit: Event
    result: Event | None = None

    def sent(self, thread: Thread, at: int, size_bytes: int) -> "Job":
        self.family.instant(thread, at, s.JOB_SENT, **self.args, bytes=size_bytes)
        return self

    def run(
        self,
        worker: TraceBuilder,
        start: int,
        end: int,
        *,
        size_bytes: int = 100,
        exception: str = "",
        sent_at: int = -1,
    ) -> "Job":
        """Its slice, and the result that was sent at its end unless said otherwise."""
        track = self.family.jobs_track(worker)
        begun = worker.begin(track, start, self.name, s.CAT_JOB, **self.args)
        self.family.first.arrow(self.submit, begun)
        done = worker.end(track, end)
        done.args = {s.ARG_EXCEPTION: exception} if exception else {}
        at = end if sent_at < 0 else sent_at
        self.result = worker.instant(
            track, at, s.RESULT_SENT, s.CAT_JOB, **self.args, bytes=size_bytes
        )
        return self

    def received(self, thread: Thread, at: int) -> "Job":
        got = self.family.instant(thread, at, s.RESULT_RECEIVED, **self.args)
        if self.result is not None:
            self.family.first.arrow(self.result, got)
        return self


@dataclass(slots=True)
class Family:
    """All processes of a run; they share one time, which begins with the first."""

    argv: str
    pid: int = 100
    signals: str = SIGNALS
    processes: list[TraceBuilder] = field(default_factory=list)
    mains: dict[int, Thread] = field(default_factory=dict)
    tracks: dict[int, int] = field(default_factory=dict)
    numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        self._process(self.pid, self.argv, origin="run")

    @property
    def first(self) -> TraceBuilder:
        return self.processes[0]

    def _process(self, pid: int, argv: str, at: int = 0, **said: Arg) -> TraceBuilder:
        made = TraceBuilder(
            pid=pid,
            start_ns=START_NS,
            argv=argv,
            signals=self.signals,
            unique=1000 + len(self.processes),
        )
        made.events[0].time_ns += at
        made.events[0].args |= {s.ARG_FAMILY: 77, **said}
        self.processes.append(made)
        return made

    def fork(
        self,
        by: Thread,
        at: int,
        pid: int,
        *,
        name: str = "",
        origin: str = "fork",
        argv: str = "",
        site: str = "/app/service.py:9 start",
        started: int = -1,
    ) -> TraceBuilder:
        """A child that records itself from `started` on; its main thread has no state yet."""
        started = at if started < 0 else started
        child = self._process(
            pid, argv or self.argv, started, origin=origin, parent_pid=by.trace.pid
        )
        main = child.thread("MainThread", pid)
        event = child.instant(main.track, started, s.PROCESS_STARTED, s.CAT_THREAD)
        what = s.FORK if origin == "fork" else s.SPAWN
        args: dict[str, Arg] = {s.ARG_CHILD: pid, s.ARG_SITE: site, s.ARG_FOLLOWED: True}
        if what == s.SPAWN:
            args[s.ARG_COMMAND] = f"python {argv or self.argv}"
        source = by.trace.instant(by.track, at, what, s.CAT_THREAD, **args)
        self.first.arrow(source, event)
        if name:
            child.instant(child.tracer, started, s.PROCESS_NAMED, s.CAT_TRACER, name=name)
        self.mains[child.sequence_id] = main
        return child

    def main(self, process: TraceBuilder) -> Thread:
        """The main thread of a child."""
        return self.mains[process.sequence_id]

    def ended(self, by: Thread, child: TraceBuilder, at: int, **how: int) -> None:
        """The parent was told of a child's end: `status` or `signal`."""
        self.instant(by, at, s.CHILD_ENDED, s.CAT_THREAD, child=child.pid, **how)

    def instant(
        self, thread: Thread, at: int, name: str, category: str = s.CAT_JOB, /, **args: Arg
    ) -> Event:
        return thread.trace.instant(thread.track, at, name, category, **args)

    def job(self, pool: int, name: str, by: Thread, at: int, site: str) -> Job:
        """Submitted by a thread."""
        args: dict[str, Arg] = {s.ARG_POOL: pool, s.ARG_JOB: next(self.numbers)}
        event = self.instant(by, at, s.SUBMIT, **args, name=name, site=site)
        return Job(self, name, args, event)

    def message(
        self, by: Thread, at: int, to: Thread, since: int, read_at: int, /, **said: Arg
    ) -> None:
        """`by` writes at `at` what `to` has waited for; `said` is of the sender's event."""
        number = next(self.numbers)
        args: dict[str, Arg] = {s.ARG_PIPE: 55, s.ARG_MESSAGE: number, s.ARG_BYTES: 5}
        sent = self.instant(by, at, s.MESSAGE_SENT, s.CAT_MESSAGE, **args, **said)
        args[s.ARG_SINCE] = START_NS + since
        got = self.instant(to, read_at, s.MESSAGE_RECEIVED, s.CAT_MESSAGE, **args)
        self.first.arrow(sent, got)

    def jobs_track(self, worker: TraceBuilder) -> int:
        if worker.sequence_id not in self.tracks:
            self.tracks[worker.sequence_id] = worker.track(s.TRACK_JOBS)
        return self.tracks[worker.sequence_id]

    def data(self) -> bytes:
        return b"".join(process.data() for process in self.processes)

    def write(self, folder: Path) -> Path:
        """FILE, with the children in FILE.d."""
        path = folder / "x.pftrace"
        path.write_bytes(self.first.data())
        for n, child in enumerate(self.processes[1:]):
            inside = folder / "x.pftrace.d"
            inside.mkdir(exist_ok=True)
            (inside / f"{child.pid}-{n}.pftrace").write_bytes(child.data())
        return path
