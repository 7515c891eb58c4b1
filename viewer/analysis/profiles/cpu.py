"""CPU samples: their threads and tasks, and the functions they fall into."""

import re
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import NamedTuple

from tracer import schema as s
from viewer.analysis.processes.family import Family
from viewer.analysis.profiles.profile import Place, Profile, Sums, qualified, totals
from viewer.analysis.profiles.within import EVERYWHERE, Everywhere
from viewer.trace.columns import LOOP_TASK
from viewer.trace.model import Model

_SECOND_NS = 1_000_000_000
_NAMED_BY_ASYNCIO = re.compile(r"Task-\d+")
CPU_TYPES = (("samples", "count"), ("cpu", "nanoseconds"))

type Labels = dict[str, str | int]


class CpuRow(NamedTuple):
    """A function. `line` is the line with most of its self time."""

    function: str
    file: str
    line: int
    self_ns: int
    cumulative_ns: int


class Runners:
    """The names of threads, and the task that a loop's thread ran at a moment."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.names = {(track.pid, track.tid): track.thread_name for track in model.threads}
        members = Family.of(model).members.values()
        pids = Counter(member.pid for member in members)
        self.processes: dict[int, Labels] = {
            member.pid: {"pid": member.pid}
            | ({"process": member.name} if pids[member.pid] == 1 else {})
            for member in members
            if len(members) > 1
        }  # by pid, where the trace has several
        self.steps: dict[tuple[int, int], tuple[list[int], list[int]]] = {}
        lanes = {
            i: (model.trace.pid(loop.process), loop.tid)
            for i, loop in enumerate(model.loops)
            if loop.tid and loop.process >= 0
        }
        found: dict[tuple[int, int], list[int]] = defaultdict(list)
        if lanes:
            for i, kind in enumerate(model.owners.kind):
                if kind == LOOP_TASK and model.lane[i] in lanes:
                    found[lanes[model.lane[i]]].append(i)
        starts = model.trace.slices.start_ns
        for thread, slices in found.items():
            slices.sort(key=starts.__getitem__)  # a thread may have had several loops
            self.steps[thread] = ([starts[i] for i in slices], slices)

    def task_at(self, pid: int, tid: int, time_ns: int) -> int:
        """The innermost task running then; -1 none or unknown."""
        starts, slices = self.steps.get((pid, tid), ((), ()))
        at = bisect_right(starts, time_ns) - 1
        if at < 0:
            return -1
        model, i = self.model, slices[at]
        while i >= 0:
            if model.trace.slices.end_ns[i] > time_ns and model.owners.kind[i] == LOOP_TASK:
                return model.owners.owner[i]
            i = model.trace.slices.parent[i]
        return -1

    def labels(self, pid: int, tid: int, time_ns: int) -> Labels:
        """The labels of a moment."""
        return self.labels_of(pid, tid, self.task_at(pid, tid, time_ns))

    def labels_of(self, pid: int, tid: int, task: int) -> Labels:
        found: Labels = {"thread": self.names.get((pid, tid)) or f"thread {tid}"}
        found["thread_id"] = tid
        found |= self.processes.get(pid, {})
        return found | self.task_labels(task) if task >= 0 else found

    def task_labels(self, task: int) -> Labels:
        """Its coroutine, and its name if the program gave it one."""
        name = self.model.task_name(task)
        named: Labels = {} if _NAMED_BY_ASYNCIO.fullmatch(name) else {"task": name}
        of = self.processes.get(self.model.pid(self.model.owners.task_process[task]), {})
        return named | of | {"coroutine": self.model.coroutine_of(task)}


def stack_places(model: Model) -> list[tuple[Place, ...]]:
    """By stack of the trace its places, innermost first, without a call of C code."""
    return model.derive(_Stacks, lambda: _Stacks(_without_calls(model)))


class _Stacks(list[tuple[Place, ...]]):
    """Many ask for all of them."""


def _without_calls(model: Model) -> Iterator[tuple[Place, ...]]:
    for stack, call in zip(_whole_stacks(model), stack_calls(model), strict=True):
        yield stack[1:] if call else stack


def stack_calls(model: Model) -> list[str]:
    """By stack of the trace the call of C code that its innermost function is in, "" if it is
    in none that is known: a frame without a file that has callers."""
    events, text, found = model.trace.events, model.trace.text, list[str]()
    for first, end in pairwise(events.stack_start):
        name = ""
        if end - first > 1:
            frame = events.stack_frame[end - 1]
            name = "" if text(events.frame_path[frame]) else text(events.frame_function[frame])
        found.append("" if name.startswith("[") else name)
    return found


def _whole_stacks(model: Model) -> list[tuple[Place, ...]]:
    events, text = model.trace.events, model.trace.text
    frames = [
        Place(qualified(text(function) or "[unknown]", text(path)), text(path), line)
        for function, path, line in zip(
            events.frame_function, events.frame_path, events.frame_line, strict=True
        )
    ]
    starts = events.stack_start
    return [
        tuple(frames[i] for i in reversed(events.stack_frame[starts[n] : starts[n + 1]]))
        for n in range(len(starts) - 1)
    ]


def add_cpu(
    model: Model,
    runners: Runners,
    sums: Sums,
    labels: Labels | None = None,
    where: Everywhere = EVERYWHERE,
    is_covered: Callable[[int, int, int], bool] = lambda _pid, _tid, _time_ns: False,
) -> None:
    """Adds every sample that lies there and is not covered, with `labels` added to its own."""
    events, places = model.trace.events, stack_places(model)
    counts = Counter(
        (stack, pid, tid, runners.task_at(pid, tid, time), hz)
        for time, pid, tid, hz, stack in zip(
            events.sample_time_ns,
            events.sample_pid,
            events.sample_tid,
            events.sample_hz,
            events.sample_stack,
            strict=True,
        )
        if where.has(pid, tid, time) and not is_covered(pid, tid, time)
    )
    for (stack, pid, tid, task, hz), count in counts.items():
        period = _SECOND_NS // hz if hz else 0
        own = runners.labels_of(pid, tid, task) | (labels or {})
        sums.add(places[stack], own, count * period, count)


def cpu_period(model: Model) -> tuple[str, str, int]:
    """The period of a profile; 0 where one file has recordings of different rates."""
    rates = set(model.trace.events.sample_hz)
    period = _SECOND_NS // rates.pop() if len(rates) == 1 and 0 not in rates else 0
    return "cpu", "nanoseconds", period


def cpu_comments(model: Model) -> tuple[str, ...]:
    lost = model.trace.events.strings
    return tuple(name for name in (s.FRAME_LOST, s.FRAME_UNSAMPLED) if name in lost)


def cpu_profile(model: Model, where: Everywhere = EVERYWHERE) -> Profile:
    """`samples/count` and `cpu/nanoseconds` by stack, thread and task."""
    sums = Sums()
    add_cpu(model, Runners(model), sums, where=where)
    return Profile(CPU_TYPES, sums.samples(), cpu_period(model), comments=cpu_comments(model))


def cpu_rows(model: Model) -> tuple[CpuRow, ...]:
    """One row per function, the one with the most self time first."""
    sums = Sums()
    events, places = model.trace.events, stack_places(model)
    engine, none = model.trace.engine, memoryview(bytes(8 * len(events.sample_hz)))
    kinds, since = engine.pairs(events.sample_hz, events.sample_stack), none.cast("q")
    flat, number = none[: len(since)], kinds.number
    counts = engine.tally(since, since, number, flat, len(kinds.head), 1).count
    for head, count in zip(kinds.head, counts, strict=True):
        hz, stack = events.sample_hz[head], events.sample_stack[head]
        sums.add(places[stack], {}, count * (_SECOND_NS // hz) if hz else 0, count)
    return tuple(
        CpuRow(
            row.function.function,
            row.function.path,
            row.function.line,
            row.flat,
            row.cumulative,
        )
        for row in totals(sums.samples())
    )
