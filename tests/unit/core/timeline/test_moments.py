"""Of a moment that a trigger tells, by hand: at which line it was, and behind whom."""

import pytest

from tests.support.looks import AT, AWAITS, MS, Frame, a_step, look
from tests.support.records import FUNC, LINE, MAIN, OTHER, SLEEP, Script, a_task


@pytest.mark.parametrize(
    ("looks_ms", "answer_ms", "said"),
    [
        ((200, 300), 201, f"handler, 200.0 ms so far, at {AWAITS}"),
        ((200, 450), 201, f"handler, 300.0 ms, at {AWAITS}"),  # it ended meanwhile
        ((200, 450), 400, f"handler, 300.0 ms, at {AWAITS}"),
        ((200, 450), 401, "handler, 300.0 ms"),  # … and the thread was elsewhere by then
        ((200, 450), 99, "handler, 300.0 ms"),  # the answer to an earlier question
        (
            (200,),
            150,
            f"handler, 100.0 ms so far, at {AWAITS}",
        ),  # the recording ends meanwhile
    ],
)
def test_where_a_step_is(looks_ms: tuple[int, ...], answer_ms: int, said: str) -> None:
    """Its thread is asked at the first look; the answer holds if the step lasted so long."""
    script = Script([])
    a_task(script)
    a_step(script, 100, 400)
    until_ms = 0 if looks_ms[-1] < 400 else 400
    answer = (answer_ms * MS, AWAITS)
    assert look(script, "loop>100ms", at_ms=looks_ms, answer=answer) == [
        (looks_ms[-1], f"loop>100ms ({said})", 100, until_ms, 0)
    ]


def test_ready_names_who_runs() -> None:
    script = Script([])
    a_task(script)
    script.add(10 * MS, "CB_BEGIN", FUNC, 99, 0)
    assert look(script, "ready>50ms", at_ms=(60,)) == [
        (60, f"ready>50ms (Task-1: ready, 60.0 ms so far, at {AT}, behind handler)", 0, 0, 0)
    ]


def test_ready_says_where_who_runs_is() -> None:
    """The loop's thread is asked, as it goes on; that says more than samples from before."""
    script = Script([])
    script.add(1_500, "LOOP_RUN", 1)
    script.add(2_000, "TASK_NEW", 2, FUNC, 1)  # without a name of its own, as a greenlet
    script.add(2_000, "READY", 2)
    script.add(10 * MS, "CB_BEGIN", FUNC, 99, 0)
    samples = [(ms * MS, MAIN, [("/srv/app.py", 9, "price")]) for ms in (20, 30)]
    answer = (61 * MS, AWAITS)
    ((_, said, *_),) = look(
        script, "ready>50ms", at_ms=(60, 70), answer=answer, samples=samples
    )
    assert said == (
        f"ready>50ms (handler #2: ready, 70.0 ms so far, at {AT}, behind handler ({AWAITS}))"
    )


def a_task_that_waits_its_turn(script: Script) -> None:
    """Task 2, which awaits at LINE from 20 ms on, and becomes ready at 150."""
    a_task(script)
    a_step(script, 1, 2)
    script.add(3_000, "TASK_NEW", 2, FUNC, 1)
    script.add(3_000, "TASK_NAME", 2, text=b"heartbeat")
    script.add(3_000, "READY", 2)
    script.add(10 * MS, "STEP_BEGIN", 2)
    script.add(20 * MS, "STEP_AWAIT", 2, SLEEP << 32 | LINE)
    script.add(150 * MS, "READY", 2)


def test_ready_names_the_step_that_kept_the_loop() -> None:
    """It is over when the task's turn comes, and the task's own step is what runs then."""
    script = Script([])
    a_task_that_waits_its_turn(script)
    a_step(script, 140, 400)
    script.add(401 * MS, "STEP_BEGIN", 2)
    assert [row[1] for row in look(script, "ready>100ms", at_ms=(130, 500))] == [
        f"ready>100ms (heartbeat: ready, 251.0 ms, at {AWAITS}, behind handler)"
    ]
    computing = [(ns * MS, MAIN, [("/srv/app.py", 9, "price")]) for ns in (200, 250, 300)]
    ((_, said, *_),) = look(script, "ready>100ms", at_ms=(130, 500), samples=computing)
    assert said.endswith(", behind handler (/srv/app.py:9 price))")


SET, F, G = (
    ("/lib/python3/a.py", 1, "set"),
    ("/v/site-packages/b.py", 2, "f"),
    ("/c.py", 3, "g"),
)
RUNS_LOOP, FROZEN = ("/lib/python3/r.py", 4, "Runner.run"), ("<frozen runpy>", 8, "h")
INSIDE = ("/lib/python3/site-packages/b.py", 2, "f")


@pytest.mark.parametrize(
    ("frames", "at"),
    [
        ([SET, F, G], G),
        ([SET, F], F),
        ([SET], SET),
        ([F, RUNS_LOOP, G], F),  # who runs the loop is not where its steps are
        ([INSIDE, FROZEN, G], G),
        ([FROZEN, INSIDE, SET], INSIDE),
    ],
)
def test_the_line_of_a_sample_that_counts(frames: list[Frame], at: Frame) -> None:
    """The program's, else a package's, else the innermost."""
    script = Script([])
    a_task(script)
    a_step(script, 100, 400)
    samples = [(ms * MS, MAIN, frames) for ms in (200, 300)]
    ((_, said, *_),) = look(script, "loop>100ms", at_ms=(99, 450), samples=samples)
    assert said == f"loop>100ms (handler, 300.0 ms, at {at[0]}:{at[1]} {at[2]})"


def test_ready_names_who_had_the_gil() -> None:
    """The loop's thread waited for it most of that time."""
    script = Script([])
    script.add(1_000, "TAKE")
    a_task_that_waits_its_turn(script)
    script.add(151 * MS, "TAKE", tid=OTHER)
    script.add(380 * MS, "TAKE", 0, 151 * MS, 160 * MS)
    script.add(401 * MS, "STEP_BEGIN", 2)
    hog = [(ns * MS, OTHER, [("/srv/app.py", 12, "hog")]) for ns in (200, 250, 300)]
    assert [row[1] for row in look(script, "ready>100ms", at_ms=(130, 500), samples=hog)] == [
        f"ready>100ms (heartbeat: ready, 251.0 ms, at {AWAITS}, "
        "behind thread 7 (/srv/app.py:12 hog))"
    ]
    ((_, said, *_),) = look(script, "gil>100ms", at_ms=(130, 500), samples=hog)
    assert said == "gil>100ms (GIL wait, 220.0 ms, behind thread 7 (/srv/app.py:12 hog))"


def test_ready_names_no_step_where_many_share_the_time() -> None:
    """Neither one of them, nor the task's own."""
    script = Script([])
    a_task_that_waits_its_turn(script)
    for begin_ms in range(140, 400, 10):
        script.add(begin_ms * MS, "CB_BEGIN", FUNC, 99, 0)
        script.add((begin_ms + 9) * MS, "CB_END")
    script.add(401 * MS, "STEP_BEGIN", 2)
    assert [row[1] for row in look(script, "ready>100ms", at_ms=(130, 500))] == [
        f"ready>100ms (heartbeat: ready, 251.0 ms, at {AWAITS})"
    ]


@pytest.mark.parametrize(
    ("samples", "at"),
    [
        ([(150, "/srv/app.py", 9), (250, "/srv/app.py", 9)], ", at /srv/app.py:9 price"),
        # Most of the function, then most of its lines.
        (
            [
                *((150, "/srv/app.py", 7), (160, "/srv/b.py", 1), (170, "/srv/app.py", 9)),
                *((180, "/srv/b.py", 1), (190, "/srv/app.py", 9)),
            ],
            ", at /srv/app.py:9 price",
        ),
        ([(150, "/srv/app.py", 9)], ""),  # one says little
        ([(90, "/srv/app.py", 9), (450, "/srv/app.py", 9)], ""),  # before it, and after
    ],
)
def test_where_a_step_computed(samples: list[tuple[int, str, int]], at: str) -> None:
    """It is over before anybody can be asked; CPU samples were taken meanwhile."""
    script = Script([])
    a_task(script)
    a_step(script, 100, 400)
    taken = [(ms * MS, MAIN, [(path, line, "price")]) for ms, path, line in samples]
    taken += [(ms * MS, OTHER, [("/srv/other.py", 1, "work")]) for ms in range(100, 400, 10)]
    assert [row[1] for row in look(script, "loop>100ms", at_ms=(99, 450), samples=taken)] == [
        f"loop>100ms (handler, 300.0 ms{at})"
    ]


@pytest.mark.parametrize("before", ["", "x"])
def test_no_half_characters(before: str) -> None:
    """What is too long is cut between two characters; all of it stays text."""
    long = before + "я" * 300  # of two bytes each
    script = Script([])
    script.add(1_500, "LOOP_RUN", 1)
    script.add(2_000, "TASK_NEW", 2, FUNC, 1)
    script.add(2_000, "TASK_NAME", 2, text=long[:60].encode())
    script.add(2_000, "READY", 2)
    script.add(10 * MS, "CB_BEGIN", FUNC, 99, 0)
    ((_, said, *_),) = look(script, "ready>50ms", at_ms=(60, 70), answer=(61 * MS, long))
    what = long[:40] + (":" if before else "")
    behind = f"handler ({before}" + "я" * ((160 - len(f"handler ({before}")) // 2)
    assert said == f"ready>50ms ({what}, 70.0 ms so far, at {AT}, behind {behind})"
    script = Script([])
    a_task(script)
    a_step(script, 100, 400)
    ((_, said, *_),) = look(script, "loop>100ms", at_ms=(200, 300), answer=(201 * MS, long))
    site = before + "я" * ((120 - len(before)) // 2)
    assert said == f"loop>100ms (handler, 200.0 ms so far, at {site})"
