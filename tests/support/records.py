"""Records made by hand, as the timeline gets them; and the slices that it turns them into."""

from dataclasses import dataclass

from tests.support.validator.strict import read_strict
from tracer import _core
from tracer import schema as s

KINDS = _core.RECORD_KINDS
MAIN, OTHER = 1, 7  # tids; the process of `encode` has pid 1
FUNC = _core.intern("handler", "app.py:3 handler")[1]
SLEEP = _core.intern("await sleep", "")[0]
LINE = _core.intern("app.py:5 handler", "")[0]


@dataclass
class Script:
    """Records in order; each method is one, at an absolute time in ns."""

    records: list[tuple[int, int, int, int, int, int, int, bytes]]

    def add(
        self,
        ns: int,
        kind: str,
        a: int = 0,
        b: int = 0,
        c: int = 0,
        *,
        flag: int = 0,
        tid: int = MAIN,
        text: bytes = b"",
    ) -> None:
        self.records.append((tid, ns, KINDS[kind], flag, a, len(text) or b, c, text))

    def slices(self, since_ns: int = 0) -> list[tuple[str, int, int]]:
        """(name, begin, end) in order of begin; instants end at once, open slices at -1."""
        trace = read_strict(self.data(since_ns))
        open_: dict[int, list[int]] = {}
        found: list[list[object]] = []
        for event in sorted(trace.events, key=lambda e: e.time_ns):
            if event.type == s.TYPE_SLICE_BEGIN:
                open_.setdefault(event.track, []).append(len(found))
                found.append([f"{event.category}:{event.name}", event.time_ns, -1])
            elif event.type == s.TYPE_SLICE_END:
                found[open_[event.track].pop()][2] = event.time_ns
            elif event.type == s.TYPE_INSTANT:
                found.append([f"{event.category}:{event.name}", event.time_ns, event.time_ns])
        return [(str(n), int(a), int(b)) for n, a, b in found]  # type: ignore[call-overload]

    def data(self, since_ns: int = 0, *, is_killed: bool = False, gone_ns: int = 0) -> bytes:
        """With `since_ns`, of a flight recording whose oldest file begins then; the one before
        began at `gone_ns`. Who is killed leaves what waits for details."""
        return _core.encode(self.records, 1, since_ns, is_killed, gone_ns)


def a_task(script: Script) -> None:
    """Task 1 of loop 1 on the main thread, created at 2,000 from outside any step."""
    script.add(1_500, "LOOP_RUN", 1)
    script.add(2_000, "TASK_NEW", 1, FUNC, 1)
    script.add(2_000, "TASK_NAME", 1, text=b"Task-1")
    script.add(2_000, "READY", 1)
