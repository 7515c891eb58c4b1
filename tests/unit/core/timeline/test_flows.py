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


LOOP, SETTER = 1, 7  # tids
HANDLE, JOB = 0x1000, 0x2000  # addresses


def chain(*records: Record) -> list[tuple[str, int, str, int]]:
    """(source, its time, target, its time) of every flow, in order of the targets."""
    trace = read_strict(_core.encode([record(LOOP, 2000, "LOOP_RUN", 1), *records], 1))
    sources = {flow: event for event in trace.events for flow in event.flows}
    found = []
    for event in trace.events:
        for flow in event.ends_flows:
            source = sources[flow]
            found.append((source.name, source.time_ns, event.name, event.time_ns))
    return found


def a_waiting_task() -> list[Record]:
    function = _core.intern("work", "work.py:1 work")[1]
    return [
        (LOOP, 2001, KIND["TASK_NEW"], 0, 1, function, 1, b""),
        record(LOOP, 2002, "STEP_BEGIN", 1),
        record(LOOP, 2003, "STEP_AWAIT", 1),
    ]


def callback(ns: int, handle: int = HANDLE) -> list[Record]:
    """It makes task 1 ready."""
    function = _core.intern("set_result", "app.py:9 set_result")[1]
    return [
        (LOOP, ns, KIND["CB_BEGIN"], 0, function, handle, 0, b""),
        record(LOOP, ns + 1, "READY", 1),
        record(LOOP, ns + 2, "CB_END"),
    ]


def scheduled(thread: int, ns: int, handle: int = HANDLE) -> Record:
    return (thread, ns, KIND["CB_READY"], 0, 0, handle, 0, b"")


def test_from_a_thread_through_a_callback() -> None:
    """call_soon_threadsafe(future.set_result): from the thread's instant to the task."""
    assert chain(*a_waiting_task(), scheduled(SETTER, 2100), *callback(2200)) == [
        ("wake", 2100, "set_result", 2200),
        ("set_result", 2200, "ready", 2201),
    ]


def test_from_a_callback_to_the_next() -> None:
    """call_soon in a callback."""
    first = callback(2200)
    first[1:2] = [scheduled(LOOP, 2201, HANDLE + 64)]
    assert chain(
        *a_waiting_task(), scheduled(SETTER, 2100), *first, *callback(2300, HANDLE + 64)
    ) == [
        ("wake", 2100, "set_result", 2200),
        ("set_result", 2200, "set_result", 2300),
        ("set_result", 2300, "ready", 2301),
    ]


def test_a_handle_that_was_cancelled_leads_nowhere() -> None:
    """Two rounds later its memory is that of a file descriptor's handle."""
    polls = [record(LOOP, 2100 + 10 * n, "POLL_INSTANT") for n in range(3)]
    assert chain(*a_waiting_task(), scheduled(SETTER, 2050), *polls, *callback(2200)) == [
        ("set_result", 2200, "ready", 2201)
    ]


def test_from_submit_to_run() -> None:
    """Of a task's step, its slice; of a thread, an instant."""
    job = _core.intern("job", "app.py:3 job")[1]
    inside = [
        (LOOP, 2002, KIND["JOB_SUBMIT"], 0, 0, JOB, 0, b""),
        (SETTER, 2110, KIND["JOB_RUN"], 0, job, JOB, 0, b""),
        (LOOP, 2120, KIND["JOB_SUBMIT"], 0, 0, JOB, 0, b""),
        (SETTER, 2130, KIND["JOB_RUN"], 0, job, JOB, 0, b""),
    ]
    records = a_waiting_task()
    records[2:2] = inside[:1]
    assert chain(*records, *inside[1:]) == [
        ("running", 2002, "run", 2110),
        ("submit", 2120, "run", 2130),
    ]
