"""A trace, and the places in it of what a program knows about itself."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator

from tests.support.validator.arrows import steps_around
from tests.support.validator.rules import Summary, TaskSummary, validate
from tests.support.validator.slices import Slice
from tests.support.validator.strict import Event, Strict, read_strict
from tracer import schema as s

SLACK_NS = 2_000  # a trace's clock is this close to CLOCK_MONOTONIC

type Found = Iterator[tuple[str, str, str]]  # kind of disagreement, part of the program, text


class Evidence:
    def __init__(self, data: bytes, pid: int) -> None:
        self.summary: Summary = validate(data)
        self.strict: Strict = read_strict(data)
        self.pid = pid
        self.last_ns = max(event.time_ns for event in self.strict.events)
        around = steps_around(self.strict)
        self.sources = {
            flow: around.get(id(event), event)
            for event in self.strict.events
            for flow in event.flows
        }
        self.states = {
            tid: lane.slices for (of, tid), lane in self.summary.lanes.items() if of == pid
        }
        self.tasks: dict[str, list[TaskSummary]] = defaultdict(list)
        instants = {
            (event.track, event.time_ns): event
            for event in self.strict.events
            if event.type == s.TYPE_INSTANT and event.category == s.CAT_TASK
        }
        self.task_names: dict[int, set[str]] = {}
        for task in self.summary.tasks.values():
            said = [each.begin for each in task.slices]
            last = instants.get((task.track, task.slices[-1].end_ns or 0))
            if last is not None:
                said.append(last)
            names = {str(e.args[s.ARG_NAME]) for e in said if s.ARG_NAME in e.args}
            self.task_names[task.id] = names = names | {task.name}
            for name in names:
                self.tasks[name].append(task)

    def tid_of(self, event: Event) -> int:
        return self.strict.tracks[event.track].tid

    def end_ns(self, each: Slice) -> int:
        return self.last_ns if each.end_ns is None else each.end_ns

    def state_at(self, tid: int, ns: int) -> int:
        """Index of the thread's state at that moment; -1 before the first."""
        found = self.states.get(tid, [])
        return bisect_right(found, ns, key=lambda each: each.start_ns) - 1

    def near(self, slices: list[Slice], from_ns: int, until_ns: int) -> str:
        """The lane's slices for a message: names, and µs from the start."""
        found = [
            f"{each.name} [{(each.start_ns - from_ns) // 1000}.."
            f"{(self.end_ns(each) - from_ns) // 1000}]"
            for each in slices
            if each.start_ns < until_ns and self.end_ns(each) > from_ns
        ]
        return ", ".join(found[:8]) or "nothing"

    def comes_from(self, event: Event, waker: TaskSummary | int, depth: int = 4) -> bool:
        """Does a chain of arrows lead from that task, or thread, to this event?

        Where the waker's slice was written already, the arrow is from a `wake` inside it.
        """
        for flow in event.ends_flows:
            source = self.sources.get(flow)
            if source is not None and (
                self._is_of(source, waker)
                or (depth and self.comes_from(source, waker, depth - 1))
            ):
                return True
        return False

    def _is_of(self, event: Event, waker: TaskSummary | int) -> bool:
        if isinstance(waker, int):
            return self.tid_of(event) == waker
        if event.args.get(s.ARG_TASK) == waker.id and event.category == s.CAT_LOOP:
            return True
        return (event.track == waker.track or event.name == s.WAKE) and any(
            each.name == s.RUNNING and each.start_ns <= event.time_ns <= self.end_ns(each)
            for each in waker.slices
        )

    def arrows(self, event: Event) -> str:
        found = [self.sources[flow] for flow in event.ends_flows if flow in self.sources]
        return str(
            [(e.name, self.strict.tracks[e.track].name or self.tid_of(e)) for e in found]
        )
