"""Arrows between slices, from records by hand: each finds its packet."""

from __future__ import annotations

from tests.support.validator.strict import read_strict
from tracer import _core

type Record = tuple[int, int, int, int, int, int, int, bytes]

KIND = _core.RECORD_KINDS


def record(thread: int, ns: int, kind: str, a: int = 0) -> Record:
    """One record of a thread; `a` is the task or the loop."""
    return (thread, ns, KIND[kind], 0, a, 0, 0, b"")


def test_flows_of_two_running_steps_take_turns() -> None:
    """A flow added to one step moves the packet of another: each still gets its own."""
    function = _core.intern("work", "work.py:1 work")[1]
    records: list[Record] = []
    records += [record(thread, 2000, "LOOP_RUN", thread) for thread in (1, 2)]
    for task in (1, 2, 11, 12, 13, 14, 15, 16):
        thread = 2 if task % 2 == 0 else 1
        records.append((thread, 2001, KIND["TASK_NEW"], 0, task, function, thread, b""))
    for task in (11, 12, 13, 14, 15, 16):
        thread = 2 if task % 2 == 0 else 1
        records.append(record(thread, 2002, "STEP_BEGIN", task))
        records.append(record(thread, 2003, "STEP_AWAIT", task))
    records += [record(thread, 2004, "STEP_BEGIN", thread) for thread in (1, 2)]
    for task in (11, 12, 13, 14, 15, 16):
        thread = 2 if task % 2 == 0 else 1
        records.append(record(thread, 2005, "READY", task))
    records += [record(thread, 2006, "STEP_YIELD", thread) for thread in (1, 2)]
    events = read_strict(_core.encode(records, 1)).events
    sources = [flow for event in events for flow in event.flows]
    assert sorted(sources) == sorted(flow for event in events for flow in event.ends_flows)
    assert sorted(len(event.flows) for event in events if event.flows) == [3, 3]
