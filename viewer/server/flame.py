"""CPU samples as a tree of calls, and the source lines they fall on."""

import linecache
from collections import Counter
from dataclasses import dataclass, field

from viewer.analysis.profiles.cpu import Runners, stack_places
from viewer.analysis.profiles.profile import Place, Sample, totals
from viewer.render.json.report import Json
from viewer.trace.model import Model

_SECOND_NS = 1_000_000_000
_SMALLEST = 2_000  # a call with less than this share of everything is part of its parent
_CONTEXT = 4  # source lines shown around those with samples


@dataclass(slots=True)
class _Node:
    """A call: `ns` includes what it called. Children by function and file."""

    place: Place
    ns: int = 0
    children: dict[tuple[str, str], "_Node"] = field(default_factory=dict)


def samples_of(model: Model, thread: str, task: str) -> list[Sample]:
    """The samples of a thread ("pid:tid") and of a coroutine's tasks; "" is all."""
    events, places = model.trace.events, stack_places(model)
    runners = Runners(model) if task else None
    sums: Counter[int] = Counter()
    for i, stack in enumerate(events.sample_stack):
        pid, tid = events.sample_pid[i], events.sample_tid[i]
        if thread and thread != f"{pid}:{tid}":
            continue
        if runners is not None:
            found = runners.task_at(pid, tid, events.sample_time_ns[i])
            if found < 0 or model.coroutine_of(found) != task:
                continue
        sums[stack] += _SECOND_NS // events.sample_hz[i] if events.sample_hz[i] else 0
    return [Sample(places[stack], (ns,)) for stack, ns in sums.items()]


def flame(samples: list[Sample]) -> Json:
    """The tree, and the functions by self time, with their hottest lines."""
    root = _Node(Place("all"))
    lines: dict[tuple[str, str], Counter[int]] = {}
    for sample in samples:
        node, ns = root, sample.values[0]
        root.ns += ns
        for place in reversed(sample.frames):
            key = (place.function, place.path)
            node = node.children.setdefault(key, _Node(place))
            node.ns += ns
        if sample.frames:
            first = sample.frames[0]
            lines.setdefault((first.function, first.path), Counter())[first.line] += ns
    return {
        "tree": _tree(root, root.ns // _SMALLEST),
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


def source(samples: list[Sample], function: str, path: str) -> Json:
    """The lines of a function, each with its self time and cumulative time.

    The path must be in the trace; None when no sample has it. Lines of files that do not exist
    here (any more) have no text.
    """
    own: Counter[int] = Counter()
    with_calls: Counter[int] = Counter()
    for sample in samples:
        seen = set()
        for depth, place in enumerate(sample.frames):
            if (place.function, place.path) != (function, path):
                continue
            if not depth:
                own[place.line] += sample.values[0]
            if place.line not in seen:
                seen.add(place.line)
                with_calls[place.line] += sample.values[0]
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
                    "self_ns": own[line],
                    "cumulative_ns": with_calls[line],
                }
            )
    return {"function": function, "file": path, "lines": shown}


def _tree(node: _Node, smallest: int) -> Json:
    children = sorted(node.children.values(), key=lambda one: (-one.ns, one.place.function))
    return {
        "function": node.place.function,
        "file": node.place.path,
        "ns": node.ns,
        "children": [_tree(child, smallest) for child in children if child.ns > smallest],
    }
