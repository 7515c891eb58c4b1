"""Memory on the page: sampled allocations as a tree of calls, and what is live over time."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from tracer import schema as s
from viewer.analysis.profiles.heap import heap_profile
from viewer.analysis.profiles.profile import Place, Sample
from viewer.render.json.values import Json
from viewer.server.flame import tree
from viewer.trace.heap import Heap
from viewer.trace.model import Model

_MOST_STACKS = 2_000  # that are told apart
_MOST_POINTS = 1_000  # of a process

type Point = tuple[int, int]  # time in ns, bytes


def heap_json(model: Model, span: tuple[int, int] | None) -> Json:
    """The tree and its types, and by process what was live over time.

    `rest` is how many stacks are together in one box. A range may be that of a cut model.
    """
    profile, samples = heap_profile(model), heap_samples(model)
    shown, rest = largest(samples, _MOST_STACKS)
    from_ns, until_ns = span or (model.start_ns, model.end_ns)
    lives: list[Json] = [
        {
            "process": process,
            "until_ns": min(until_ns, model.trace.processes[process].end_ns) - model.start_ns,
            "points": [[at - model.start_ns, value] for at, value in points],
        }
        for process, points in live(model, from_ns, until_ns).items()
    ]
    return {
        "until_ns": until_ns - model.start_ns,
        "types": [name for name, _ in profile.types],
        "tree": tree(shown, len(profile.types)),
        "stacks": len(samples),
        "rest": rest,
        "mean_bytes": profile.period[2],
        "samples": len(Heap.of(model).blocks),
        "live": lives,
    }


def heap_samples(model: Model) -> list[Sample]:
    """By stack, whoever allocated."""
    sums: dict[tuple[Place, ...], list[int]] = {}
    for sample in heap_profile(model).samples:
        values = sums.setdefault(sample.frames, [0] * len(sample.values))
        for i, value in enumerate(sample.values):
            values[i] += value
    return [Sample(frames, tuple(values)) for frames, values in sums.items()]


def largest(samples: Sequence[Sample], most: int) -> tuple[list[Sample], int]:
    """The stacks with the largest part of any total, and one sample for so many others."""
    if len(samples) <= most:
        return [*samples], 0
    totals = [
        max(sum(column), 1) for column in zip(*(one.values for one in samples), strict=True)
    ]
    order = sorted(
        samples,
        key=lambda one: -max(v / total for v, total in zip(one.values, totals, strict=True)),
    )
    rest = order[most:]
    sums = tuple(map(sum, zip(*(one.values for one in rest), strict=True)))
    place = Place(f"[{len(rest):,} smaller stacks]")
    return [*order[:most], Sample((place,), sums)], len(rest)


def live(model: Model, from_ns: int, until_ns: int) -> dict[int, list[Point]]:
    """By process the counter `heap live`: its value at the beginning, then each new one.

    Where it has too many for a range, the largest and the last of each part stay. A process
    that ended before has none.
    """
    trace, events = model.trace, model.trace.events
    tracks = {*trace.tracks.named(s.COUNTER_HEAP_LIVE)}
    found: dict[int, list[Point]] = defaultdict(list)
    if tracks:
        for event, value in zip(events.counter_event, events.counter_value, strict=True):
            if events.track[event] in tracks:
                process = trace.track_process[events.track[event]]
                found[process].append((events.time_ns[event], value))
    return {
        process: _thinned(sorted(points), from_ns, until_ns)
        for process, points in sorted(found.items())
        if trace.processes[process].end_ns > from_ns
    }


def _thinned(points: Sequence[Point], from_ns: int, until_ns: int) -> list[Point]:
    before = [value for at, value in points if at <= from_ns]
    first = [(from_ns, before[-1])] if before else []
    inside = [(at, value) for at, value in points if from_ns < at <= until_ns]
    if len(inside) > _MOST_POINTS:
        parts: dict[int, list[Point]] = defaultdict(list)
        for at, value in inside:
            parts[(at - from_ns) * (_MOST_POINTS // 2) // (until_ns - from_ns)].append(
                (at, value)
            )
        inside = [point for part in parts.values() for point in _ends(part)]
    return first + inside


def _ends(part: Sequence[Point]) -> Iterable[Point]:
    return sorted({max(part, key=lambda point: point[1]), part[-1]})
