"""What the path of tasks to the end of the main ones went to: their awaits and steps."""

from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from viewer.analysis.causes.part import GIVEN_UP, Kind
from viewer.analysis.causes.path import RunPath
from viewer.analysis.causes.taskpath import Piece, TaskPath
from viewer.analysis.ledger.resource import Window, Windows, parts, windows_of
from viewer.analysis.processes.family import Family
from viewer.trace.model import Model

AWAITING, IN_VAIN = "awaiting", "awaiting in vain"
_MOST_TASKS = 15_000
_LEAST_NS = 1_000_000  # what a thread did in less is mostly the way to it and back


class Awaited(NamedTuple):
    """Equal awaits on the path; `who` is the coroutine, if all tasks were of one."""

    did: str
    what: str
    site: str
    ns: int
    times: int
    usual_ns: int
    who: str


class Awaits:
    """The path of the tasks of the first process's first thread."""

    def __init__(self, model: Model) -> None:
        main = Family.of(model).main[model.trace.processes.first]
        self.model, self._threads = model, RunPath.of(model)
        is_small = len(model.owners.task_id) <= _MOST_TASKS
        self.path = TaskPath(model, main) if is_small and main >= 0 else None
        self.ran = defaultdict[int, list[Window]](list)  # by thread, when it was on the path
        self.all = [*self._found(self.path)] if self.path is not None else []

    def windows(self, thread: int, windows: Windows) -> Windows:
        """A thread's times on the path: without those of the main tasks, but with what their
        path says of it."""
        left = [*zip(windows.from_ns, windows.until_ns, strict=True)]
        for start, end in self.path.spans if self.path is not None else ():
            cut = [((a, min(b, start)), (max(a, end), b)) for a, b in left]
            left = [one for pair in cut for one in pair if one[0] < one[1]]
        return windows_of(sorted([*left, *self.ran[thread]]))

    def _found(self, path: TaskPath) -> Iterator[Awaited]:
        awaits = defaultdict[tuple[str, str, str], list[Piece]](list)
        for piece in path.pieces:
            if piece.i < 0:
                if (thread := path.thread_of(piece.task)) >= 0:
                    self.ran[thread].append((piece.start_ns, piece.end_ns))
            elif path.is_of_thread(piece) and piece.end_ns - piece.start_ns >= _LEAST_NS:
                for one in self._threads.of_thread(piece.thread, piece.start_ns, piece.end_ns):
                    self.ran[one.thread].append((one.start_ns, one.end_ns))
            else:
                did = IN_VAIN if piece.by in GIVEN_UP else AWAITING
                awaits[did, *path.awaited(piece)].append(piece)
        for (did, what, site), pieces in awaits.items():
            took = sorted(piece.end_ns - piece.start_ns for piece in pieces)
            coros = {self.model.coroutine_of(path.waiter(piece)) for piece in pieces}
            who = coros.pop() if len(coros) == 1 else ""
            ns = sum(took) - self._busy_ns(path, pieces)
            yield Awaited(did, what, site, ns, len(took), took[len(took) // 2], who)

    def _busy_ns(self, path: TaskPath, pieces: list[Piece]) -> int:
        """How long the loop was busy while a task awaited what comes from outside: it may have
        come by then, or be what the loop works at."""
        by_loop = defaultdict[int, list[Window]](list)
        for piece in pieces if pieces[0].by is Kind.IO else ():
            by_loop[path.tree.lanes.loop_of_task(piece.task)].append(piece[1:3])
        ledger, labels, total = path.tree.ledger, path.tree.labels, 0
        for loop, times in by_loop.items() if -1 not in by_loop else ():
            lane, thread = ledger.lane_of_loop[loop], ledger.thread_of_loop[loop]
            carved = ledger.loops_without_gc.carve(lane, windows_of(sorted(times)))
            for key, cut in parts(carved) if thread >= 0 else ():
                if labels.on_loop(key).kind in (Kind.TASK, Kind.CALLBACK):
                    self.ran[thread] += zip(cut.from_ns, cut.until_ns, strict=True)
                    total += cut.ns
        return total
