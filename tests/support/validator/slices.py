"""The validator's slices: begins and ends paired, and when a process dropped events."""

from collections import defaultdict
from dataclasses import dataclass

from tests.support.validator.strict import Arg, Event, Process, Strict
from tracer import schema as s


@dataclass(slots=True)
class Slice:
    """`end` and `end_ns` are None while open at the end of the trace."""

    begin: Event
    depth: int
    around: "Slice | None"
    end_ns: int | None = None
    end: Event | None = None

    @property
    def name(self) -> str:
        return self.begin.name

    @property
    def category(self) -> str:
        return self.begin.category

    @property
    def start_ns(self) -> int:
        return self.begin.time_ns

    @property
    def args(self) -> dict[str, Arg]:
        """Of its BEGIN and, winning, its END."""
        return self.begin.args | (self.end.args if self.end else {})


def pair(trace: Strict) -> tuple[list[Slice], int]:
    """All slices in order of begin, and how many are open at the end."""
    stacks: dict[int, list[Slice]] = defaultdict(list)
    found = []
    for event in sorted(trace.events, key=lambda e: e.time_ns):
        stack = stacks[event.track]
        if event.type == s.TYPE_SLICE_BEGIN:
            stack.append(Slice(event, len(stack), stack[-1] if stack else None))
            found.append(stack[-1])
        elif event.type == s.TYPE_SLICE_END:
            assert stack, f"an end without a begin: {event}"
            ended = stack.pop()
            ended.end, ended.end_ns = event, event.time_ns
    return found, sum(map(len, stacks.values()))


def drops_of(process: Process) -> list[tuple[int, int, int]]:
    """(since, until, count) of the drops that the process reported."""
    found = []
    for event in process.events:
        if event.name == s.EVENTS_DROPPED:
            since, count = event.args.get(s.ARG_SINCE), event.args.get(s.ARG_COUNT)
            assert isinstance(since, int), f"no since_ns: {event}"
            assert isinstance(count, int), f"no count: {event}"
            found.append((since, event.time_ns, count))
    return found
