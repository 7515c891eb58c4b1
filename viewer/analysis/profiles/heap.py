"""Profiles of memory: what is in use (heap), and what was allocated (allocs), by stack."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from tracer.units import plural, size
from viewer.analysis.profiles.cpu import Runners
from viewer.analysis.profiles.profile import Key, Place, Profile, Sample, places_of
from viewer.analysis.profiles.within import EVERYWHERE, Everywhere
from viewer.trace.heap import Block, Heap
from viewer.trace.model import Model

_ALLOC = (("alloc_objects", "count"), ("alloc_space", "bytes"))
_INUSE = (("inuse_objects", "count"), ("inuse_space", "bytes"))
_NO_STACK = (Place("[no stack]"),)
_NOT_RECORDED = "allocations were not recorded: tracer run --heap"


@dataclass(slots=True)
class _Sum:
    """What the blocks of a stack stand for."""

    alloc_objects: float = 0
    alloc_bytes: float = 0
    inuse_objects: float = 0
    inuse_bytes: float = 0

    blocks: int = 0  # how many were sampled
    inuse_variance: float = 0

    def add(self, block: Block, from_ns: int, at_ns: int | None) -> None:
        """`at_ns`: the moment that counts; None for the end."""
        self.blocks += 1
        if block.start_ns >= from_ns:
            self.alloc_objects += block.blocks
            self.alloc_bytes += block.bytes
        if block.end_ns < 0 or (at_ns is not None and block.end_ns > at_ns):
            self.inuse_objects += block.blocks
            self.inuse_bytes += block.bytes
            self.inuse_variance += block.variance


def heap_profile(model: Model, where: Everywhere = EVERYWHERE) -> Profile:
    """What was allocated during the recording and is not freed at its end."""
    return _profile(model, where, (*_ALLOC, *_INUSE))


def allocs_profile(model: Model, where: Everywhere = EVERYWHERE) -> Profile:
    """What was allocated during the recording, freed or not: the same numbers, another type
    is shown first."""
    return _profile(model, where, (*_INUSE, *_ALLOC))


def _profile(model: Model, where: Everywhere, types: tuple[tuple[str, str], ...]) -> Profile:
    heap = Heap.of(model)
    runners = Runners(model)
    sums: dict[Key, _Sum] = {}
    for block in heap.blocks:
        pid = model.pid(block.process)
        if not where.has(pid, block.tid, block.start_ns):
            continue
        if where.at_ns is not None and block.start_ns > where.at_ns:
            continue
        frames = places_of(block.stack) if block.stack else _NO_STACK
        labels = runners.labels(pid, block.tid, block.start_ns)
        key = frames, tuple(sorted(labels.items()))
        sums.setdefault(key, _Sum()).add(block, heap.from_ns, where.at_ns)
    means = set(heap.mean_bytes.values())
    return Profile(
        types,
        _samples(sums.items(), types),
        ("space", "bytes", means.pop() if len(means) == 1 else 0),
        comments=_comments(model, heap, sums.values()),
    )


def _samples(
    sums: Iterable[tuple[Key, _Sum]], types: tuple[tuple[str, str], ...]
) -> tuple[Sample, ...]:
    """The largest first: equal traces give equal files."""
    found = []
    for (frames, labels), total in sums:
        alloc = round(total.alloc_objects), round(total.alloc_bytes)
        inuse = round(total.inuse_objects), round(total.inuse_bytes)
        values = (*alloc, *inuse) if types[-1] == _INUSE[-1] else (*inuse, *alloc)
        found.append(Sample(frames, values, labels))
    found.sort(key=lambda sample: (-sample.values[-1], repr((sample.frames, sample.labels))))
    return tuple(found)


def _comments(model: Model, heap: Heap, sums: Iterable[_Sum]) -> tuple[str, ...]:
    if not heap.mean_bytes:
        return (_NOT_RECORDED,)
    comments = [_estimated(heap, list(sums))]
    if model.remarks.has_drops():
        comments.append("events were dropped: blocks may only seem to be in use")
    return tuple(comments)


def _estimated(heap: Heap, sums: list[_Sum]) -> str:
    means = set(heap.mean_bytes.values())
    how = f"one every {size(means.pop())}" if len(means) == 1 else "at several rates"
    inuse = round(sum(each.inuse_bytes for each in sums))
    error = round(math.sqrt(sum(each.inuse_variance for each in sums)))
    return (
        f"estimated from {plural(sum(each.blocks for each in sums), 'sample')}, {how}; "
        f"standard error of the {size(inuse)} in use: {size(error)}"
    )
