"""Samples as a tree of calls, and the source lines they fall on."""

import linecache
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from operator import gt

from viewer.analysis.profiles.cpu import Runners, stack_places
from viewer.analysis.profiles.profile import Place, Sample, totals
from viewer.render.json.values import Json
from viewer.trace.model import Model

_SECOND_NS = 1_000_000_000
_SMALLEST = 2_000  # a call with less than this share of everything is part of its parent
_CONTEXT = 4  # source lines shown around those with samples


@dataclass(slots=True)
class _Node:
    """A call: `values` include what it called. Children by function and file."""

    place: Place
    values: list[int]
    children: dict[tuple[str, str], "_Node"] = field(default_factory=dict)


def samples_of(model: Model, thread: str, task: str) -> list[Sample]:
    """The samples of a thread ("pid:tid") and of a coroutine's tasks; "" is all."""
    events, index = model.trace.events, _Index.of(model)
    sums: Counter[int] = Counter()
    for i in index.of_thread.get(thread, ()) if thread else range(len(events.sample_stack)):
        if not task or index.coroutine[i] == task:
            hz = events.sample_hz[i]
            sums[events.sample_stack[i]] += _SECOND_NS // hz if hz else 0
    return [Sample(index.places[stack], (ns,)) for stack, ns in sums.items()]


class _Index:
    """The samples of a model by who ran."""

    def __init__(self, model: Model) -> None:
        self.model, self.places = model, stack_places(model)

    @classmethod
    def of(cls, model: Model) -> "_Index":
        return model.derive(cls, lambda: cls(model))

    @cached_property
    def of_thread(self) -> dict[str, list[int]]:
        """By "pid:tid" the numbers of its samples."""
        events, found = self.model.trace.events, defaultdict[str, list[int]](list)
        for i, (pid, tid) in enumerate(zip(events.sample_pid, events.sample_tid, strict=True)):
            found[f"{pid}:{tid}"].append(i)
        return dict(found)

    @cached_property
    def coroutine(self) -> list[str]:
        """By sample the coroutine of the task that ran; "" without."""
        events, runners = self.model.trace.events, Runners(self.model)
        tasks = map(
            runners.task_at, events.sample_pid, events.sample_tid, events.sample_time_ns
        )
        return [self.model.coroutine_of(task) if task >= 0 else "" for task in tasks]


def flame(samples: list[Sample]) -> Json:
    """The tree of CPU samples, and the functions by self time, with their hottest lines."""
    return {
        "tree": tree(samples, 1),
        "functions": [
            {
                "function": row.function.function,
                "file": row.function.path,
                "line": row.function.line,
                "self_ns": row.flat,
                "cumulative_ns": row.cumulative,
            }
            for row in totals(samples)
        ],
    }


def tree(samples: Iterable[Sample], width: int) -> Json:
    """The calls from the outermost one down, each with its `width` values."""
    root = _Node(Place("all"), [0] * width)
    for sample in samples:
        node = root
        _add(node.values, sample.values)
        for place in reversed(sample.frames):
            key = (place.function, place.path)
            if key not in node.children:
                node.children[key] = _Node(place, [0] * width)
            node = node.children[key]
            _add(node.values, sample.values)
    return _tree(root, [value // _SMALLEST for value in root.values])


def source(samples: Iterable[Sample], function: str, path: str) -> Json:
    """The lines of a function, each with the values it has itself and with what it called.

    The path must be in the trace; None when no sample has it. Lines of files that do not exist
    here (any more) have no text.
    """
    own: dict[int, list[int]] = {}
    with_calls: dict[int, list[int]] = {}
    for sample in samples:
        seen = set()
        for depth, place in enumerate(sample.frames):
            if (place.function, place.path) != (function, path):
                continue
            nothing = [0] * len(sample.values)
            if not depth:
                _add(own.setdefault(place.line, [*nothing]), sample.values)
            if place.line not in seen:
                seen.add(place.line)
                _add(with_calls.setdefault(place.line, nothing), sample.values)
    if not with_calls:
        return None
    shown: list[Json] = []
    readable = path.endswith(".py")
    near = {
        line + step
        for line in with_calls
        for step in range(-_CONTEXT, _CONTEXT + 1)
        if line + step > 0
    }
    for line in sorted(near):
        text = linecache.getline(path, line).rstrip() if readable else ""
        if text or line in with_calls:
            shown.append(
                {
                    "line": line,
                    "text": text,
                    "own": [*own.get(line, ())],
                    "values": [*with_calls.get(line, ())],
                }
            )
    return {"function": function, "file": path, "lines": shown}


def _add(values: list[int], more: Sequence[int]) -> None:
    for i, value in enumerate(more):
        values[i] += value


def _tree(node: _Node, smallest: Sequence[int]) -> Json:
    children = sorted(
        node.children.values(),
        key=lambda one: ([-value for value in one.values], one.place.function),
    )
    return {
        "function": node.place.function,
        "file": node.place.path,
        "values": [*node.values],
        "children": [
            _tree(child, smallest)
            for child in children
            if any(map(gt, child.values, smallest))
        ],
    }
