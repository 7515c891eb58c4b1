"""Long steps on event loops: what their threads did in them, and what to do about it."""

from collections import defaultdict
from collections.abc import Iterable
from heapq import nsmallest
from typing import NamedTuple

from tracer import schema as s
from viewer.analysis.findings.basis.calls import is_import, is_of_file, is_quick, is_set_up
from viewer.analysis.findings.basis.facts import (
    COMPUTING,
    NOT_ITS_FAULT,
    Evidence,
    Facts,
    Split,
)
from viewer.analysis.findings.basis.hot import hot
from viewer.analysis.findings.basis.words import did, sampled
from viewer.analysis.ledger.resource import window
from viewer.trace.columns import LOOP_CALLBACK, LOOP_TASK, NATIVE, THREAD_RUNNING

_LEAST_NS = 10_000_000  # shorter ones are none
# A first request may import what it needs: it happens once, and takes as long as the disk and
# the cores are busy with other programs. A second of its own, without files, is felt even so.
_LONG_IMPORT_NS = 1_000_000_000
_STARTS = "Thread.start"
_TO_PROCESS = "Compute in a process (`ProcessPoolExecutor`), or in pieces with {} between."
_PAUSES = {s.TRACK_GREENLETS_PREFIX: "`gevent.sleep(0)`"}
_ASYNCHRONOUS = "Use an asynchronous library for it, or a thread: "
_TO_THREAD = {
    s.TRACK_LOOP_PREFIX: f"{_ASYNCHRONOUS}`await asyncio.to_thread(...)`.",
    s.TRACK_TRIO_PREFIX: f"{_ASYNCHRONOUS}`await trio.to_thread.run_sync(...)`.",
    s.TRACK_TWISTED_PREFIX: f"{_ASYNCHRONOUS}`yield deferToThread(...)`.",
    s.TRACK_GREENLETS_PREFIX: "Let gevent patch it (`gevent.monkey.patch_all()`, before all "
    "else), or use a thread: `gevent.get_hub().threadpool.apply(...)`.",
}
_MOST_STEPS = 2_000  # only the longest are examined


class Step(NamedTuple):
    """A long step on a loop, and what its thread did in it."""

    slice: int
    lane: int
    start_ns: int
    duration_ns: int
    own_ns: int  # without GC, without what the kernel or other threads took
    split: Split


def long_steps(facts: Facts) -> list[Step]:
    """The steps of tasks and callbacks that took long by themselves, the longest first."""
    model, least = facts.model, _LEAST_NS * facts.patience
    slices = model.trace.slices
    kinds = facts.kinds((LOOP_TASK, LOOP_CALLBACK))
    longer = model.trace.engine.longer(slices.start_ns, slices.end_ns, kinds, least)
    every = [i for i in longer if model.lane[i] >= 0]
    rows = nsmallest(_MOST_STEPS, every, key=lambda i: slices.start_ns[i] - slices.end_ns[i])
    wanted, inside, found = {*rows}, defaultdict[int, list[int]](list), list[Step]()
    for j, parent in zip(every, map(slices.parent.__getitem__, every), strict=True):
        if parent in wanted:
            inside[parent].append(j)
    for i in rows:
        lane, start, end = model.lane[i], slices.start_ns[i], slices.end_ns[i]
        thread = facts.ledger.thread_of_loop[lane]
        own, split = end - start, Split()
        if thread >= 0:
            split = facts.split(thread, window(start, end))
            own -= split.of(NOT_ITS_FAULT) + facts.collecting_ns(thread, window(start, end))
            own -= sum(
                ns
                for row, ns in split.calls.items()
                if is_quick(facts, row) or is_set_up(facts, row)
            )
            # A new thread says at once that it runs, unless others have the CPU or the GIL.
            own -= sum(ns for (_, name, _), ns in split.waits.items() if name == _STARTS)
        # What runs inside (an eager task's first step) is a step of its own.
        own -= sum(facts.slice_ns(j) for j in inside[i] if model.lane[j] == lane)
        least_of_all = least
        if is_import(facts, thread, start, end):
            own -= sum(ns for row, ns in split.calls.items() if is_of_file(facts, row))
            least_of_all = _LONG_IMPORT_NS * facts.patience
        if own >= least_of_all:
            found.append(Step(i, lane, start, end - start, own, split))
    return found


def _computes(steps: list[Step], state: int) -> bool:
    """Whether the steps compute for most of their own time, with the GIL or without: with it
    a thread would not help."""
    computed = sum(step.split.states[state] for step in steps)
    return computed * 2 > sum(step.own_ns for step in steps)


def what_they_do(facts: Facts, steps: Iterable[Step]) -> str:
    """`; it spends 98 % of that time in `sleep` (app.py:38)`: by states, computing by samples.

    All steps count: the longest may be long for another reason than the rest.
    """
    known = [step for step in steps if facts.ledger.thread_of_loop[step.lane] >= 0]
    own = Split()
    for step in known:
        own.states.update(
            {k: ns for k, ns in step.split.states.items() if k not in NOT_ITS_FAULT}
        )
        own.calls.update(step.split.calls)
        own.waits.update(step.split.waits)
    where = ""
    if own.of(COMPUTING) * 2 > sum(own.states.values()):
        stacks = [
            stack
            for step in known
            for stack in facts.stacks(
                facts.model.threads[facts.ledger.thread_of_loop[step.lane]].tid,
                [(step.start_ns, step.start_ns + step.duration_ns)],
            )
        ]
        where = sampled(*hot(facts.hot_places, stacks))
    activity = did(facts, own, where)
    return f"; it spends {activity}" if activity else ""


def evidence_of(facts: Facts, step: Step, site: str) -> Evidence:
    loop = facts.model.loops[step.lane]
    _, _, task = facts.runs(step.slice)
    return Evidence(
        step.start_ns,
        step.duration_ns,
        f"{loop.kind}{loop.thread_name}",
        task,
        loop.tid,
        site,
        pid=facts.model.pid(loop.process),
    )


def next_step(facts: Facts, steps: list[Step], never: bool = False) -> str:
    """What to do with steps that block a loop; `never`: one of them does not end soon."""
    loop = facts.model.loops[steps[0].lane].kind
    step = _TO_THREAD[loop]
    if never or _computes(steps, THREAD_RUNNING):
        return _TO_PROCESS.format(_PAUSES.get(loop, "awaits"))
    if _computes(steps, NATIVE):
        return f"Use {step[step.rindex('a thread: ') :]}"  # a library would, too
    return step


def step_for_calls(loop: str) -> str:
    """What to do with calls that block a loop of a kind."""
    return _TO_THREAD[loop]
