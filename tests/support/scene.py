"""A trace in which threads and tasks stand about, and what `why` says of it."""

from pathlib import Path

from tests.support.builder.threads import Thread
from tests.support.builder.trace import Loop, TraceBuilder
from tests.support.explaining import answer
from tests.support.models import model_of
from tests.support.stories.waits import MS
from viewer.analysis.why.waits import What
from viewer.analysis.why.worst import Problem

SIGNALS = "tasks,threads,gc,gil,locks,io,sched"


class Scene:
    """A trace whose main thread and workers stand about."""

    def __init__(self) -> None:
        self.trace = TraceBuilder(signals=SIGNALS)
        self.main = self.trace.thread("MainThread").native(0)

    def thread(self, name: str) -> Thread:
        return self.trace.thread(name).native(0)

    def loop(self) -> Loop:
        return self.trace.loop(self.main)

    def problems(self, tmp_path: Path, end: int = 1_000 * MS) -> list[Problem]:
        return list(answer(model_of(tmp_path, self.trace.ended(end))).problems)


def told(problems: list[Problem]) -> list[tuple[What, str, str]]:
    return [(p.worst.wait.what, p.worst.waiter.name, p.worst.subject) for p in problems]
