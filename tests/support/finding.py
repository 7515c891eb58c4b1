"""What the tests of findings have in common: a trace by hand in, findings out."""

from tests.support.builder.family import Family
from tests.support.builder.threads import Thread
from tests.support.builder.trace import Loop, Task, TraceBuilder
from tracer import schema as s
from viewer.analysis.findings import Facts, Finding, find
from viewer.trace.model import build_model
from viewer.trace.reader import read_trace

MS = 1_000_000
SIGNALS = "tasks,threads,gc,gil,locks,io,sched,cpu"


def find_in(tmp_path, trace: TraceBuilder | Family) -> tuple[Finding, ...]:
    path = tmp_path / "x.pftrace"
    path.write_bytes(trace.data())
    return find(Facts(build_model(read_trace(path))))


def kinds(tmp_path, trace: TraceBuilder | Family) -> list[str]:
    return [finding.finding for finding in find_in(tmp_path, trace)]


class Service:
    """A loop on a thread, a `hog` task, and victims that are woken while it runs."""

    def __init__(
        self,
        victims: int = 1,
        signals: str = SIGNALS,
        kind: str = s.TRACK_LOOP_PREFIX,
        worker: tuple[TraceBuilder, Thread] | None = None,
    ) -> None:
        """`worker`: a process of a family, and the thread in it that runs the loop."""
        alone = TraceBuilder(argv="service.py", signals=signals)
        self.trace, self.thread = worker or (alone, alone.thread("MainThread"))
        self.loop: Loop = self.trace.loop(self.thread, kind)
        self.hog: Task = self.loop.task("hog", site="/app/service.py:10 hog")
        self.victims = [
            self.loop.task("victim", site="/app/service.py:20 victim") for _ in range(victims)
        ]
        self.thread.running(0)
        self.now = 0
        self.hog.ready(0)

    def step(self, ns: int, *, others_wait: bool = True) -> int:
        """The hog runs for a time from now on, then the victims; its begin."""
        start = self.now
        self.hog.running(start).awaits(start + ns, "sleep", site="/app/service.py:12 hog")
        self.loop.step(self.hog, start, start + ns)
        at = start + ns
        for victim in self.victims:
            since = start + (MS if start else 0)
            victim.ready(since if others_wait else start + ns, waker="timer")
            victim.running(at).awaits(at + MS // 10, "sleep", site="/app/service.py:22 victim")
            self.loop.step(victim, at, at + MS // 10)
            at += MS // 10
        self.now = at
        return start

    def rest(self, until: int) -> None:
        """The loop idles, then the hog's timer is due."""
        self.thread.io(self.now, "select.epoll.poll", site="/app/service.py:30 <module>")
        self.loop.select(self.now, until)
        self.thread.running(until)
        self.hog.ready(until, waker="timer")
        self.now = until

    def blocks(self, count: int, ns: int) -> TraceBuilder:
        """The whole trace: long steps, and long idleness between them."""
        for n in range(count):
            if n:
                self.rest(n * 2_000 * MS)
            self.step(ns)
        return self.end()

    def end(self) -> TraceBuilder:
        self.thread.end(self.now + MS)
        return self.trace.ended(self.now + 2 * MS)
