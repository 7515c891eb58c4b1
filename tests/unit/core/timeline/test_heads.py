"""Heads of a flight recording's files, by hand: what was alive when a file began."""

import struct

from tests.support.records import FUNC, LINE, MAIN, OTHER, SLEEP, Script, a_task
from tests.support.validator.strict import Event, read_strict
from tracer import _core
from tracer import schema as s

NAME = _core.intern("load", "")[0]
COUNTER = _core.intern("open requests", "")[0]
DISABLED = 0  # NOTE_HOOK_DISABLED
MAKER_RETURNED = 2


def events(script: Script, since_ns: int) -> list[Event]:
    return read_strict(script.data(since_ns)).events


def named(found: list[Event], name: str) -> list[Event]:
    return [event for event in found if event.name == name]


def test_a_task_that_waits_since_long_ago() -> None:
    """Its wait has its true begin, and says which task it is; its earlier states are gone."""
    script = Script([])
    a_task(script)
    script.add(3_000, "STEP_BEGIN", 1)
    script.add(4_000, "STEP_AWAIT", 1, SLEEP << 32 | LINE)
    script.add(90_000, "READY", 1)
    script.add(91_000, "STEP_BEGIN", 1)
    script.add(92_000, "STEP_DONE", 1)
    assert [row for row in script.slices(80_000) if row[0].startswith("task:")] == [
        ("task:await sleep", 4_000, 90_000),
        ("task:ready", 90_000, 91_000),
        ("task:running", 91_000, 92_000),
        ("task:done", 92_000, 92_000),
    ]
    (wait,) = named(events(script, 80_000), "await sleep")
    assert wait.args == {
        "task": 1,
        "name": "Task-1",
        "coro": "handler",
        "site": "app.py:3 handler",
    }


def test_a_step_goes_on() -> None:
    """It is open on the task's track and on the loop's, and the loop runs."""
    script = Script([])
    a_task(script)
    script.add(3_000, "STEP_BEGIN", 1)
    script.add(90_000, "STEP_DONE", 1)
    assert script.slices(80_000) == [
        ("loop:loop started", 1_500, 1_500),
        ("task:running", 3_000, 90_000),
        ("loop:handler", 3_000, 90_000),
        ("task:done", 90_000, 90_000),
    ]


def test_what_has_ended_is_gone() -> None:
    """Nothing of a task, a region or a loop that ended before."""
    script = Script([])
    a_task(script)
    script.add(3_000, "STEP_BEGIN", 1)
    script.add(4_000, "STEP_DONE", 1)
    script.add(5_000, "LOOP_STOP", 1)
    script.add(6_000, "REGION_BEGIN", NAME, 0, 7)
    script.add(7_000, "REGION_END", 0, 0, 7)
    script.add(90_000, "THREAD_BEGIN", 0, 5)
    assert script.slices(80_000) == [("thread:started", 90_000, 90_000)]


def test_merged_tasks() -> None:
    """The task is the slice around its states, as it was."""
    script = Script([])
    script.add(1_500, "LOOP_RUN", 1)
    for task in range(1, s.OWN_TRACK_TASKS + 2):
        script.add(2_000, "TASK_NEW", task, FUNC, 1)
        script.add(2_000, "READY", task)
    script.add(90_000, "STEP_BEGIN", s.OWN_TRACK_TASKS + 1)
    found = events(script, 80_000)
    (life,) = [event for event in found if event.category == s.CAT_LIFETIME]
    assert (life.time_ns, life.args["task"]) == (2_000, s.OWN_TRACK_TASKS + 1)
    assert len(named(found, s.READY)) == s.OWN_TRACK_TASKS + 1


def test_regions_with_their_arguments() -> None:
    """Text that came with the record is still there, and they nest as before."""
    script = Script([])
    data = struct.pack("<Q", 0) + b"\4\3url" + struct.pack("<H", 5) + b"/home" + b"\0"
    script.add(3_000, "REGION_BEGIN", NAME, 0, 7, text=data)
    script.add(4_000, "REGION_BEGIN", NAME, 0, 8)
    script.add(90_000, "REGION_END", 0, 0, 8)
    script.add(91_000, "REGION_END", 0, 0, 7)
    assert script.slices(80_000) == [
        ("user:load", 3_000, 91_000),
        ("user:load", 4_000, 90_000),
    ]
    assert named(events(script, 80_000), "load")[0].args == {"url": "/home"}


def test_counters_have_their_value() -> None:
    script = Script([])
    script.add(3_000, "COUNTER", COUNTER, 0, 41)
    script.add(4_000, "COUNTER", COUNTER, 0, 42)
    script.add(90_000, "COUNTER", COUNTER, 0, 43)
    values = [(e.time_ns, e.counter) for e in events(script, 80_000) if e.counter is not None]
    assert values == [(80_000, 42), (90_000, 43)]


def test_what_was_said_for_good() -> None:
    """A hook that was switched off long ago is still off."""
    script = Script([])
    script.add(3_000, "NOTE", 5, flag=DISABLED, text=b"schedrefused")
    script.add(90_000, "THREAD_BEGIN", 0, 5)
    (note,) = named(events(script, 80_000), s.HOOK_DISABLED)
    assert (note.time_ns, note.args) == (3_000, {"hook": "sched", "reason": "refused"})


def test_arrows_to_what_is_gone() -> None:
    """An open slice does not say again who woke it by an arrow: the waker may be gone."""
    script = Script([])
    a_task(script)
    script.add(3_000, "STEP_BEGIN", 1)
    script.add(4_000, "STEP_AWAIT", 1, SLEEP << 32 | LINE)
    script.add(5_000, "READY", 1, tid=OTHER)
    script.add(90_000, "STEP_BEGIN", 1)
    (ready,) = named(events(script, 80_000), s.READY)
    assert (ready.time_ns, ready.args["waker_thread"]) == (5_000, OTHER)
    assert ready.ends_flows == []
    (early,) = named(events(script, 2_500), s.READY)[1:]
    assert len(early.ends_flows) == 1


def test_slices_that_say_the_same() -> None:
    """What several slices say in the same words is told of each, with its own begin."""
    script = Script([])
    a_task(script)
    script.add(2_100, "TASK_NEW", 2, FUNC, 1)
    for round_ns in (3_000, 4_000, 5_000):
        for task in (1, 2):
            script.add(round_ns + 100 * task, "STEP_BEGIN", task)
            script.add(round_ns + 100 * task + 20, "STEP_AWAIT", task, SLEEP << 32 | LINE)
        for task in (1, 2):
            script.add(round_ns + 500 + task, "READY", task, tid=OTHER)
    script.add(90_000, "STEP_BEGIN", 1)
    found = named(events(script, 80_000), s.READY)
    assert sorted((e.time_ns, e.args["task"], e.args["waker_thread"]) for e in found) == [
        (5_501, 1, OTHER),
        (5_502, 2, OTHER),
    ]


def test_callbacks_that_say_the_same() -> None:
    script = Script([])
    script.add(1_500, "LOOP_RUN", 1)
    for at_ns in (2_000, 3_000, 4_000):
        script.add(at_ns, "CB_BEGIN", FUNC, 1, 1)
        script.add(at_ns + 500, "CB_END")
    script.add(5_000, "CB_BEGIN", FUNC, 1, 1)
    script.add(90_000, "CB_END")
    (callback,) = named(events(script, 80_000), "handler")
    assert (callback.time_ns, callback.args) == (5_000, {"site": "app.py:3 handler"})


def test_words_that_are_forgotten() -> None:
    """An open slice keeps what it said while thousands of others say something else."""
    script = Script([])
    a_task(script)
    script.add(2_100, "TASK_NEW", 2, FUNC, 1)
    for at_ns in (3_000, 4_000):
        script.add(at_ns, "STEP_BEGIN", 1)
        script.add(at_ns + 100, "STEP_AWAIT", 1, SLEEP << 32 | LINE)
        script.add(at_ns + 200, "READY", 1, tid=OTHER)
    for number in range(3_000):
        at_ns = 5_000 + 10 * number
        script.add(at_ns, "STEP_BEGIN", 2)
        what = _core.intern(f"await wait {number}", "")[0]
        script.add(at_ns + 1, "STEP_AWAIT", 2, what << 32 | LINE)
    script.add(90_000, "STEP_BEGIN", 1)
    (ready,) = named(events(script, 80_000), s.READY)
    assert (ready.time_ns, ready.args["waker_thread"]) == (4_200, OTHER)
    assert len(named(events(script, 80_000), "await wait 2999")) == 1


def test_a_task_whose_state_is_unknown() -> None:
    """Records were dropped: its next slice says which task it is."""
    script = Script([])
    a_task(script)
    script.add(3_000, "STEP_BEGIN", 1)
    script.add(5_000, "GAP", 0, 3, 4_000)
    script.add(90_000, "READY", 1)
    script.add(91_000, "STEP_BEGIN", 1)
    (ready,) = named(events(script, 80_000), s.READY)
    assert (ready.time_ns, ready.args["task"], ready.args["name"]) == (90_000, 1, "Task-1")


def test_blocks_that_live() -> None:
    """Sampled blocks that were allocated long ago and live are known with all that was said of
    them; those that were freed are gone."""
    script = Script([])
    a_task(script)
    script.add(2_500, "HEAP_BEGIN", b=1)
    script.add(3_000, "STEP_BEGIN", 1)
    script.add(3_100, "HEAP_TAKEN", b=9 << 32 | 1, c=50)
    script.add(3_200, "HEAP_TAKEN", b=2, c=60)
    script.add(3_300, "HEAP_FREED", b=2)
    script.add(90_000, "HEAP_FREED", MAKER_RETURNED, b=1)
    script.add(90_100, "HEAP_TAKEN", b=3, c=70)
    found = [
        (event.name, event.time_ns, event.args)
        for event in sorted(events(script, 80_000), key=lambda event: event.time_ns)
        if event.category == s.CAT_HEAP
    ]
    assert found == [
        (s.SAMPLING, 2_500, {s.ARG_MEAN_BYTES: 1}),
        (
            s.ALLOC,
            3_100,
            {s.ARG_BLOCK: 1, s.ARG_BYTES: 50, s.ARG_TID: MAIN, s.ARG_TASK: 1, s.ARG_CALL: 9},
        ),
        (s.FREE, 90_000, {s.ARG_BLOCK: 1, s.ARG_TID: MAIN, s.ARG_RETURNED: 1}),
        (
            s.ALLOC,
            90_100,
            {s.ARG_BLOCK: 3, s.ARG_BYTES: 70, s.ARG_TID: MAIN, s.ARG_TASK: 1},
        ),
    ]


def test_slices_that_say_the_same_but_for_a_number() -> None:
    """Each has its own task, and its own waker, when it begins and in the head."""
    script = Script([])
    script.add(1_500, "LOOP_RUN", 1)
    for task in (1, 2, 3):
        script.add(2_000, "TASK_NEW", task, FUNC, 1)
        script.add(2_000, "READY", task)
    script.add(3_000, "STEP_BEGIN", 3)
    script.add(4_000, "STEP_AWAIT", 3, SLEEP << 32 | LINE)
    for waker in (1, 2):
        at_ns = 10_000 * waker
        script.add(at_ns, "STEP_BEGIN", waker)
        script.add(at_ns + 1_000, "READY", 3)
        if waker == 1:
            script.add(at_ns + 2_000, "STEP_AWAIT", waker, SLEEP << 32 | LINE)
            script.add(at_ns + 3_000, "STEP_BEGIN", 3)
            script.add(at_ns + 4_000, "STEP_AWAIT", 3, SLEEP << 32 | LINE)
    script.add(90_000, "STEP_DONE", 2)
    for since_ns, tasks, wakers in ((0, [3, 1, 3, 2], [1, 2]), (80_000, [2], [2])):
        found = events(script, since_ns)
        steps = [event.args["task"] for event in named(found, "handler")]
        woken = [event.args.get("waker_task") for event in named(found, "ready")]
        assert (since_ns, steps) == (since_ns, tasks)
        assert [waker for waker in woken if waker] == wakers


def test_a_head_larger_than_the_room_for_packets() -> None:
    """What begins and ends after it is kept, too: the next head has no state that was over."""
    script = Script([])
    script.add(1_500, "LOOP_RUN", 1)
    tasks = range(1, 3_001)
    for task in tasks:
        script.add(2_000 + 10 * task, "TASK_NEW", task, FUNC, 1)
        script.add(2_001 + 10 * task, "TASK_NAME", task, text=b"a task with a name of its own")
        script.add(2_002 + 10 * task, "STEP_BEGIN", task)
        script.add(2_003 + 10 * task, "STEP_AWAIT", task, SLEEP << 32 | LINE)
    for task in tasks:
        script.add(500_000 + 10 * task, "READY", task)
        script.add(500_001 + 10 * task, "STEP_BEGIN", task)
        script.add(500_002 + 10 * task, "STEP_AWAIT", task, SLEEP << 32 | LINE)
    script.add(900_000, "READY", 1)
    waits = read_strict(script.data(800_000, gone_ns=400_000)).events
    begins = [event.time_ns for event in named(waits, "await sleep")]
    assert sorted(begins) == [500_002 + 10 * task for task in tasks]
