"""Records to slices, by hand: every corner stated exactly."""

from tests.support.records import FUNC, LINE, OTHER, SLEEP, Script, a_task
from tests.support.validator.strict import read_strict
from tracer import _core
from tracer import schema as s

HOG = _core.intern("hog", "app.py:9 hog")[1]
TIMER = 1
BY_TIMER, BY_IO = 2, 4
LOOP_OF_TRIO = 2 << 28 | 1


def test_a_step() -> None:
    """created -> ready -> running -> await -> done, without gaps."""
    script = Script([])
    a_task(script)
    script.add(3_000, "STEP_BEGIN", 1)
    script.add(4_000, "STEP_AWAIT", 1, SLEEP << 32 | LINE)
    script.add(5_000, "READY", 1)
    script.add(6_000, "STEP_BEGIN", 1)
    script.add(7_000, "STEP_DONE", 1)
    assert [row for row in script.slices() if row[0].startswith("task:")] == [
        ("task:ready", 2_000, 3_000),
        ("task:running", 3_000, 4_000),
        ("task:await sleep", 4_000, 5_000),
        ("task:ready", 5_000, 6_000),
        ("task:running", 6_000, 7_000),
        ("task:done", 7_000, 7_000),
    ]


def waking(due_ns: int) -> int:
    """Since when a sleeper is ready; poll 5,000 to 8,000, its timer's callback at 9,000."""
    script = Script([])
    a_task(script)
    script.add(3_000, "STEP_BEGIN", 1)
    script.add(4_000, "STEP_AWAIT", 1, SLEEP << 32 | LINE)
    script.add(5_000, "POLL_BEGIN")
    script.add(8_000, "POLL_END")
    script.add(9_000, "CB_BEGIN", HOG, 99, due_ns, flag=TIMER)
    script.add(9_100, "READY", 1)
    script.add(9_200, "CB_END")
    script.add(9_500, "STEP_BEGIN", 1)
    (_, second) = [begin for name, begin, _ in script.slices() if name == "task:ready"]
    return second


def test_timer_due_while_the_loop_was_busy() -> None:
    """The task has been ready since the timer was due, not since its callback ran."""
    assert waking(4_500) == 4_500


def test_timer_due_while_the_loop_was_idle() -> None:
    """Until the poll returned nothing was in the task's way."""
    assert waking(6_000) == 8_000


def test_timer_due_before_the_task_slept() -> None:
    """Never ready before it began to wait."""
    assert waking(1_000) == 4_000


def test_timer_due_after_the_poll() -> None:
    """Between poll and callback: from the moment it was due."""
    assert waking(8_500) == 8_500


def test_gap() -> None:
    """What was open when records were lost ends there; the next record opens it again."""
    script = Script([])
    a_task(script)
    script.add(3_000, "STEP_BEGIN", 1)
    script.add(9_000, "GAP", 0, 5, 4_000)
    script.add(10_000, "READY", 1)
    script.add(11_000, "STEP_BEGIN", 1)
    rows = script.slices()
    assert ("task:running", 3_000, 4_000) in rows
    assert ("loop:handler", 3_000, 4_000) in rows
    assert ("task:ready", 10_000, 11_000) in rows
    assert ("tracer:events dropped", 9_000, 9_000) in rows


def test_records_out_of_order_are_clamped() -> None:
    """A wake-up older than the wait it ends does not turn time back."""
    script = Script([])
    a_task(script)
    script.add(3_000, "STEP_BEGIN", 1)
    script.add(4_000, "STEP_AWAIT", 1, SLEEP << 32 | LINE)
    script.add(3_500, "READY", 1, tid=OTHER)
    script.add(5_000, "STEP_BEGIN", 1)
    rows = [row for row in script.slices() if row[0].startswith("task:")]
    assert rows[-3:] == [
        ("task:await sleep", 4_000, 4_000),
        ("task:ready", 4_000, 5_000),
        ("task:running", 5_000, -1),
    ]


def test_lane_is_not_taken_twice_at_a_time() -> None:
    """Beyond the tasks with own tracks, tasks alive together have different lanes."""
    script = Script([])
    script.add(1_500, "LOOP_RUN", 1)
    for task in range(1, s.OWN_TRACK_TASKS + 1):
        script.add(1_600, "TASK_NEW", task, FUNC, 1)
    first, second = s.OWN_TRACK_TASKS + 1, s.OWN_TRACK_TASKS + 2
    script.add(2_000, "TASK_NEW", first, HOG, 1)
    script.add(2_000, "READY", first)
    script.add(2_100, "TASK_NEW", second, HOG, 1)  # lives while `first` does
    script.add(2_100, "READY", second)
    script.add(3_000, "STEP_BEGIN", first)
    script.add(4_000, "STEP_DONE", first)
    script.add(5_000, "STEP_BEGIN", second)
    script.add(6_000, "STEP_DONE", second)
    script.add(7_000, "TASK_NEW", second + 1, HOG, 1)  # takes one of the two
    script.add(7_000, "READY", second + 1)
    events = read_strict(script.data()).events
    lives = [e for e in events if e.category == s.CAT_LIFETIME]
    assert len(lives) == 3
    assert lives[0].track != lives[1].track
    assert lives[2].track in {lives[0].track, lives[1].track}


def test_eager_step_nests() -> None:
    """An eager task's first step lies inside its creator's on the loop's track."""
    script = Script([])
    a_task(script)
    script.add(3_000, "STEP_BEGIN", 1)
    script.add(3_200, "TASK_NEW", 2, HOG, 1, flag=1)
    script.add(3_200, "STEP_BEGIN", 2)
    script.add(3_800, "STEP_DONE", 2)
    script.add(4_000, "STEP_DONE", 1)
    loop = [row for row in script.slices() if row[0] in ("loop:handler", "loop:hog")]
    assert loop == [("loop:handler", 3_000, 4_000), ("loop:hog", 3_200, 3_800)]


def test_cancelled_handle_leaves_no_cause() -> None:
    """A handle of two rounds ago was cancelled: who has its address now came from I/O."""
    script = Script([])
    a_task(script)
    script.add(3_000, "CB_READY", 0, 42, tid=OTHER)
    script.add(3_100, "STEP_BEGIN", 1)
    script.add(3_200, "STEP_AWAIT", 1, SLEEP << 32 | LINE)
    for ns in (4_000, 5_000, 6_000):
        script.add(ns, "POLL_INSTANT")
    script.add(6_100, "CB_BEGIN", HOG, 42)
    script.add(6_200, "READY", 1)
    ready = [e for e in read_strict(script.data()).events if e.name == "ready"]
    assert ready[-1].args[s.ARG_WAKER] == "io"


def test_tasks_of_a_closed_loop_end_with_it() -> None:
    """Whatever they did then, they will never do anything else; another loop's go on."""
    script = Script([])
    script.add(1_000, "LOOP_RUN", 1)
    for task, loop in ((1, 1), (2, 1), (3, 2)):
        script.add(2_000, "TASK_NEW", task, FUNC, loop)
        script.add(2_000, "READY", task)
    script.add(3_000, "STEP_BEGIN", 2)
    script.add(4_000, "STEP_AWAIT", 2, SLEEP << 32 | LINE)
    script.add(4_500, "LOOP_STOP", 1)
    script.add(5_000, "LOOP_CLOSED", 1)
    script.add(5_500, "LOOP_CLOSED", 7)  # nothing is known of that one
    script.add(6_000, "TASK_DESTROYED", 1)  # not again
    found = sorted(row for row in script.slices() if row[0].startswith("task:"))
    assert found == [
        ("task:await sleep", 4_000, 5_000),
        ("task:loop closed", 5_000, 5_000),
        ("task:loop closed", 5_000, 5_000),
        ("task:ready", 2_000, -1),
        ("task:ready", 2_000, 3_000),
        ("task:ready", 2_000, 5_000),
        ("task:running", 3_000, 4_000),
    ]


def test_a_name_that_has_the_coroutines_is_shown_alone() -> None:
    """trio calls its tasks `module.function`; asyncio's names have nothing of it."""
    script = Script([])
    script.add(1_500, "LOOP_RUN", LOOP_OF_TRIO, flag=1)
    for task, name in enumerate((b"app.hog", b"Task-2", b"hog"), 1):
        script.add(2_000, "TASK_NEW", task, HOG, LOOP_OF_TRIO)
        script.add(2_000, "TASK_NAME", task, text=name)
        script.add(2_000, "READY", task)
    names = {track.name for track in read_strict(script.data()).tracks.values()}
    assert {"app.hog()", "Task-2 hog()", "hog hog()", "trio @MainThread"} <= names


def test_who_woke_a_task_of_trio() -> None:
    """The record says it, whatever runs on the thread: here a callback of another loop."""
    script = Script([])
    script.add(1_500, "LOOP_RUN", 1)
    script.add(1_600, "LOOP_RUN", LOOP_OF_TRIO, flag=1)
    script.add(1_700, "TASK_NEW", 1, FUNC, LOOP_OF_TRIO)
    script.add(1_800, "READY", 1)
    script.add(2_000, "STEP_BEGIN", 1, LOOP_OF_TRIO)
    for n, (flag, due_ns) in enumerate(((BY_TIMER, 3_500), (BY_TIMER, 0), (BY_IO, 0), (8, 0))):
        at = 3_000 + n * 1_000
        script.add(at, "STEP_AWAIT", 1, SLEEP << 32 | LINE)
        script.add(at + 100, "POLL_INSTANT", LOOP_OF_TRIO)
        script.add(at + 600, "CB_BEGIN", HOG, 99)
        script.add(at + 700, "READY", 1, 0, due_ns, flag=flag)
        script.add(at + 800, "STEP_BEGIN", 1, LOOP_OF_TRIO)
    events = read_strict(script.data()).events
    ready = [
        event for event in events if event.name == s.READY and event.category == s.CAT_TASK
    ]
    assert [event.time_ns for event in ready] == [1_800, 3_500, 4_700, 5_700, 6_700]
    told = [{k: event.args.get(k) for k in ("waker", "via")} for event in ready[1:]]
    assert [each["waker"] for each in told] == ["timer", "timer", "io", None]
    assert {each["via"] for each in told} == {None}


def test_a_loop_ends_with_its_thread() -> None:
    """Greenlets have one for as long as their thread lives; nothing else ends it."""
    script = Script([])
    script.add(1_500, "LOOP_RUN", 1, tid=OTHER)
    script.add(9_000, "THREAD_EXIT", tid=OTHER)
    assert ("loop:loop stopped", 9_000, 9_000) in script.slices()


def test_a_switch_says_what_three_records_say() -> None:
    """One record of a greenlet's switch gives the same trace, byte for byte."""
    loop = 1 << 28 | 1
    one, three = Script([]), Script([])
    for script in (one, three):
        script.add(1_500, "LOOP_RUN", loop)
        for task in (1, 2):
            script.add(2_000, "TASK_NEW", task, FUNC, loop)
        script.add(2_100, "STEP_BEGIN", 1, loop)
    for at, left, to in ((3_000, 1, 2), (4_000, 2, 1), (5_000, 1, 2)):
        one.add(at, "SWITCH", left, SLEEP << 32 | to, loop)
        three.add(at, "READY", to)
        three.add(at, "STEP_AWAIT", left, SLEEP << 32)
        three.add(at, "STEP_BEGIN", to, loop)
    assert ("task:await sleep", 3_000, 4_000) in one.slices()
    assert one.data() == three.data()
