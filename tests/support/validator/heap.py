"""The rules of the sampled allocations, checked."""

import math
from collections import Counter
from dataclasses import dataclass, field

from tests.support.validator.slices import drops_of
from tests.support.validator.strict import Event, Process, Strict
from tracer import schema as s

_NUMBERS = {
    s.SAMPLING: (s.ARG_MEAN_BYTES,),
    s.ALLOC: (s.ARG_BLOCK, s.ARG_BYTES, s.ARG_TID),
    s.FREE: (s.ARG_BLOCK, s.ARG_TID),
    s.STILL_RUNS: (s.ARG_CALL,),
    s.SAMPLING_ENDED: (),
}


@dataclass(slots=True)
class Block:
    """A sampled block; `end_ns` is None while it is not freed, `freed_by` then 0."""

    bytes: int
    start_ns: int
    tid: int
    task: int
    site: str
    stack: str
    weight: float  # how many such blocks it stands for
    end_ns: int | None = None
    freed_by: int = 0  # tid
    call: int = 0  # whose line made it; 0 unknown
    returned: bool | None = None  # that call, when the block was freed
    resized: bool = False


@dataclass(slots=True)
class HeapSummary:
    mean_bytes: int = 0  # 0: not recorded
    blocks: list[Block] = field(default_factory=list)  # in order of allocation
    running: set[int] = field(default_factory=set)  # calls that have not returned at the end
    has_ended: bool = False


def check_heap(trace: Strict) -> dict[int, HeapSummary]:
    """The sampled blocks of each process, by pid."""
    found = {process.pid: _check_process(trace, process) for process in trace.processes}
    return {pid: summary for pid, summary in found.items() if summary.mean_bytes}


def _check_process(trace: Strict, process: Process) -> HeapSummary:
    summary = HeapSummary()
    open_: dict[int, Block] = {}
    seen: Counter[int] = Counter()
    live = rate = None
    for event in sorted(process.events, key=lambda e: e.time_ns):
        if event.type == s.TYPE_COUNTER:
            name = trace.tracks[event.track].name
            live = event if name == s.COUNTER_HEAP_LIVE else live
            rate = event if name == s.COUNTER_ALLOCATION_RATE else rate
            continue
        if event.category != s.CAT_HEAP:
            continue
        assert event.type == s.TYPE_INSTANT, f"not an instant: {event}"
        assert event.name in _NUMBERS, f"no event of the heap: {event}"
        track = trace.tracks[event.track]
        assert track.name == s.TRACK_HEAP, f"not on the heap's track: {event}"
        assert trace.tracks[track.parent].pid == process.pid, f"another's track: {event}"
        for name in _NUMBERS[event.name]:
            value = event.args.get(name)
            assert isinstance(value, int), f"no number {name}: {event}"
            assert value > 0, f"{name} is not positive: {event}"
        if event.name == s.SAMPLING:
            assert not summary.mean_bytes, f"sampling begins twice: {event}"
            summary.mean_bytes = int(event.args[s.ARG_MEAN_BYTES])
            continue
        assert summary.mean_bytes, f"before sampling begins: {event}"
        assert not summary.has_ended or event.name == s.FREE, f"after sampling: {event}"
        if event.name == s.SAMPLING_ENDED:
            summary.has_ended = True
            continue
        if event.name == s.STILL_RUNS:
            summary.running.add(int(event.args[s.ARG_CALL]))
            continue
        number = int(event.args[s.ARG_BLOCK])
        if event.name == s.ALLOC:
            seen[number] += 1
            assert seen[number] == 1, f"block {number} is allocated twice: {event}"
            open_[number] = block = _block(event, summary.mean_bytes)
            summary.blocks.append(block)
        else:
            assert number in open_, f"block {number} is not there to be freed: {event}"
            block = open_.pop(number)
            block.end_ns, block.freed_by = event.time_ns, int(event.args[s.ARG_TID])
            returned, resized = (
                event.args.get(name) for name in (s.ARG_RETURNED, s.ARG_RESIZED)
            )
            assert returned is None or block.call, f"returned from an unknown call: {event}"
            block.returned = None if returned is None else bool(returned)
            block.resized = bool(resized)
    for counter in (live, rate):
        assert counter is None or (summary.mean_bytes and (counter.counter or 0) >= 0)
    is_whole = process.events[-1].name == s.RECORDING_ENDED and not drops_of(process)
    if summary.mean_bytes and is_whole:
        _check_live(summary, live)
    return summary


def _block(event: Event, mean_bytes: int) -> Block:
    args, size = event.args, int(event.args[s.ARG_BYTES])
    site, stack = args.get(s.ARG_SITE, ""), args.get(s.ARG_STACK, "")
    assert isinstance(site, str), f"no text as site: {event}"
    assert isinstance(stack, str), f"no text as stack: {event}"
    assert bool(site) == bool(stack), f"a site without stack, or the other way round: {event}"
    assert not site or site in stack.split("\n"), f"the site is not in the stack: {event}"
    task = args.get(s.ARG_TASK, 0)
    assert isinstance(task, int), f"no number as task: {event}"
    weight = 1 / -math.expm1(-size / mean_bytes)
    call = args.get(s.ARG_CALL, 0)
    assert isinstance(call, int), f"no number as call: {event}"
    assert stack or not call, f"a call without stack: {event}"
    tid = int(args[s.ARG_TID])
    return Block(size, event.time_ns, tid, task, str(site), str(stack), weight, call=call)


def _check_live(summary: HeapSummary, live: Event | None) -> None:
    """At the end the counter is what the blocks that are left stand for."""
    left = sum(
        int(block.bytes / -math.expm1(-block.bytes / summary.mean_bytes) + 0.5)
        for block in summary.blocks
        if block.end_ns is None
    )
    assert live is None or live.counter == left, f"{left} bytes are live, not {live}"
