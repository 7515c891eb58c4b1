"""What `tracer top` makes of two answers, and how it fits on a screen."""

import dataclasses
import json

import pytest

from tests.support.counters import (
    MS,
    coroutine,
    counters,
    lock,
    loop,
    spans,
    states,
    thread,
    wait,
)
from tracer.cli import terminal, top
from tracer.errors import TracerError
from tracer.live.screen import SORTS, screen, whole
from tracer.live.view import view

SECOND = 1_000 * MS
BEFORE = counters()


def later(**changed: object) -> dict[str, object]:
    """A second after BEFORE."""
    about = {"now_ns": BEFORE["now_ns"] + SECOND, "duration_ns": 3 * SECOND}
    return counters(**(about | changed))


def test_counters_are_of_the_interval() -> None:
    now = later(
        thread_states_ns=states(running=1_700 * MS, GIL_wait=550 * MS),
        gil={"held_ns": 1_900 * MS, "waited_ns": 300 * MS, "holder": 8},
        coroutines=[coroutine(running_ns=spans(100, 1_000 * MS, 120 * MS))],
        loops=[loop(ran_ns=3_000 * MS, idle_ns=750 * MS, steps=160)],
    )
    seen = view(BEFORE, now)
    assert seen.interval_ns == SECOND
    assert seen.thread_states_ns["running"] == 200 * MS
    assert seen.thread_states_ns["GIL wait"] == 300 * MS
    assert seen.gil is not None
    assert (seen.gil.held_ns, seen.gil.waited_ns) == (400 * MS, 50 * MS)
    assert seen.gil.holder == "worker-1"
    (row,) = seen.coroutines
    assert (row.steps, row.running_ns, row.longest_step_ns) == (20, 200 * MS, 120 * MS)
    (one,) = seen.loops
    assert (one.ran_ns, one.busy_ns, one.steps) == (SECOND, 750 * MS, 60)


def test_without_an_earlier_answer_it_is_since_the_start() -> None:
    seen = view(None, BEFORE)
    assert seen.interval_ns == seen.up_ns == 2 * SECOND
    assert seen.gc.count == 10 + 5 + 2
    assert seen.coroutines[0].steps == 80


def test_lag_is_that_of_the_interval() -> None:
    earlier = counters(loops=[loop(lag_buckets=[[1_024, 90], [1 << 20, 5]])])
    rows = [[1_024, 140], [2_048, 48], [1 << 20, 7], [0, 0]]
    seen = view(earlier, later(loops=[loop(lag_buckets=rows)]))
    lag = seen.loops[0].lag
    assert (lag.count, lag.p50_ns, lag.p99_ns, lag.max_ns) == (100, 1_024, 1 << 20, 1 << 20)


def test_lag_is_never_above_the_longest_there_was() -> None:
    one = loop(lag_buckets=[[1 << 20, 4]], lag_ns=spans(4, 4_000, 1_000_000))
    assert view(None, counters(loops=[one])).loops[0].lag.max_ns == 1_000_000


def test_nothing_ready_has_no_lag() -> None:
    lag = view(BEFORE, later()).loops[0].lag
    assert (lag.count, lag.p50_ns, lag.p99_ns, lag.max_ns) == (0, None, None, None)


def test_functions_of_one_name_and_place_are_one() -> None:
    seen = view(None, counters(coroutines=[coroutine(), coroutine()]))
    (row,) = seen.coroutines
    assert (row.live, row.steps) == (4, 160)


def test_only_locks_that_somebody_waits_for() -> None:
    free = lock(lock=6, waiters=0, waited_ns=spans(3, 9, 9))
    before = counters(locks=[free])
    assert view(before, later(locks=[free])).locks == ()
    assert [row.waits for row in view(None, counters(locks=[free])).locks] == [3]
    (row,) = view(before, later(locks=[free, lock()])).locks
    assert (row.kind, row.owner, row.waiters) == ("Lock", "worker-1", 2)


def test_states_of_threads_are_counted_by_kind() -> None:
    rows = [
        thread(state="io: socket.recv"),
        thread(state="io: select.epoll.poll"),
        thread(state="lock wait: Queue.get"),
        thread(state="GIL wait"),
    ]
    seen = view(None, counters(threads=rows))
    assert seen.threads_now == {"io": 2, "GIL wait": 1, "lock": 1}


def test_a_view_is_json() -> None:
    assert json.loads(json.dumps(dataclasses.asdict(view(None, BEFORE))))["pid"] == 4711


# --- the screen ---

CROWD = counters(
    argv="app.py " + "--word " * 40,
    loops=[
        loop(loop=n, name=f"asyncio loop @Worker-{n}", lag_buckets=[[1 << 20, 9]])
        for n in range(9)
    ],
    coroutines=[coroutine(f"handler_{n}" * 9, site=f"/srv/{n}.py:3 f") for n in range(50)],
    locks=[lock(lock=n) for n in range(20)],
    waits=[wait(ns=n * SECOND, site=f"app.py:{n} serve") for n in range(50)],
    waits_omitted=7,
)


def test_equal_waits_share_a_row() -> None:
    """That of the longest; others at the same line wait for something else."""
    waits = [wait(ns=n * SECOND, task=f"Task-{n}") for n in (9, 7, 5)]
    waits.insert(1, wait("await sleep", ns=8 * SECOND, task="Task-8"))
    lines = screen(view(None, counters(waits=waits, waits_omitted=4)), "r", 80, 60, keys=False)
    assert lines[-3:] == [
        "    WAITS  WHO, FOR WHAT (4 more)",
        "   9.00 s  Task-9 and 2 others: await Event.wait app.py:20 serve",
        "   8.00 s  Task-8: await sleep app.py:20 serve",
    ]


@pytest.mark.parametrize("width", [1, 20, 40, 80, 200])
@pytest.mark.parametrize("height", [1, 3, 5, 10, 12, 24, 25, 60, 300])
@pytest.mark.parametrize("answer", [CROWD, BEFORE], ids=["crowd", "one of each"])
def test_screen_fits(answer: dict[str, object], width: int, height: int) -> None:
    lines = screen(view(None, answer), "r", width, height, keys=True)
    assert len(lines) <= height
    assert max(map(len, lines)) <= width


def test_10_lines_have_loops_and_coroutines() -> None:
    lines = screen(view(None, BEFORE), "r", 40, 10, keys=True)
    assert [line.split(" ")[0] for line in lines[:-1] if line] == [
        *("4711", "up", "GIL"),
        *("LOOP", "asyncio"),
        *("COROUTINE", "handler"),
    ]
    assert lines[-1] == "sort: [r]  w  s  l  m   q quit"


def test_24_lines_have_something_of_everything() -> None:
    lines = screen(view(None, CROWD), "r", 80, 24, keys=True)
    text = "\n".join(lines)
    for part in ("LOOP", "COROUTINE", "WAITERS", "WAITS", "GIL held", "threads", "q quit"):
        assert part in text
    assert len(lines) == 24
    assert [line.partition("(")[2].partition(")")[0] for line in lines if "more)" in line] == [
        "6 more",
        "47 more",
        "18 more",
        "55 more",
    ]


def test_80_columns_are_not_cut() -> None:
    lines = screen(view(None, BEFORE), "r", 80, 24, keys=True)
    assert [line for line in lines if line.endswith("…")] == []


DEEP = "/srv/app/releases/2026-11-29/lib/python3.13/site-packages/shop/orders/server.py:67"


@pytest.mark.parametrize(
    ("width", "coroutine_at", "wait_at", "lock_at"),
    [
        (260, DEEP, f"{DEEP} serve", f"{DEEP} take, held by Main {DEEP} hold"),
        (
            80,
            "…/orders/server.py:67",
            "…/site-packages/shop/orders/server.py:67 serve",
            "…/server.py:67 take, held by Main …/server.py:6…",
        ),
    ],
)
def test_where_there_is_no_room_folders_go_first(
    width: int, coroutine_at: str, wait_at: str, lock_at: str
) -> None:
    """The file and the line say more."""
    answer = counters(
        coroutines=[coroutine("ask", site=f"{DEEP} ask")],
        waits=[wait("await sleep", ns=9 * SECOND, task="Task-1", site=f"{DEEP} serve")],
        locks=[lock(site=f"{DEEP} take", owner="Main", owner_site=f"{DEEP} hold")],
    )
    lines = screen(view(None, answer), "r", width, 24, keys=True)
    assert [line.split()[1] for line in lines if line.startswith("ask ")] == [coroutine_at]
    assert f"   9.00 s  Task-1: await sleep {wait_at}" in lines
    assert f"      2  40.0 ms   700 ms  Lock {lock_at}" in lines


@pytest.mark.parametrize("key", SORTS)
def test_sorts(key: str) -> None:
    rows = [
        coroutine("low", live=1, running_ns=spans(1, 1, 1), ready_ns=spans(1, 1, 1)),
        coroutine("high", live=9, running_ns=spans(9, 9, 9), ready_ns=spans(9, 9, 9)),
    ]
    lines = screen(view(None, counters(coroutines=rows)), key, 80, 24, keys=True)
    order = [line.split()[0] for line in lines if line.startswith(("low", "high"))]
    assert order == ["high", "low"]
    assert f"[{key} {SORTS[key][0]}]" in lines[-1]


def test_a_task_that_is_ready_all_the_time_is_the_latest() -> None:
    one = loop(ready_longest_ns=7 * SECOND, now={"coro": "parse", "ns": 7 * SECOND})
    text = "\n".join(screen(view(BEFORE, later(loops=[one])), "r", 80, 24, keys=False))
    assert "7.00 s      3  parse 7.00 s" in text


def test_control_characters_do_not_reach_the_terminal() -> None:
    answer = counters(argv="app\x1b[2J", coroutines=[coroutine("a\x1b]0;x\x07")])
    for line in (
        *screen(view(None, answer), "r", 80, 24, keys=True),
        *whole(view(None, answer), "r"),
    ):
        assert line.isprintable()


def test_whole_view_has_every_row() -> None:
    lines = whole(view(None, CROWD), "r")
    assert sum("handler_" in line for line in lines) == 50
    assert sum("await Event.wait" in line for line in lines) == 50


def test_without_a_gil() -> None:
    assert "GIL not recorded" in "\n".join(whole(view(None, counters(gil=None)), "r"))


def test_without_states_of_threads() -> None:
    assert "spent: not recorded" in whole(view(None, counters(thread_states_ns=states())), "r")


def test_nothing_but_a_thread() -> None:
    answer = counters(loops=[], coroutines=[], locks=[], waits=[], threads=[thread()])
    lines = screen(view(None, answer), "r", 80, 24, keys=False)
    assert len(lines) == 5


def test_the_command_offers_what_the_screen_sorts_by() -> None:
    assert tuple(name for name, _ in SORTS.values()) == top.SORTS


def test_answers_of_two_recordings_are_not_compared() -> None:
    """Workers behind one address answer in turn; a program may begin a recording anew."""
    for other, error in (
        (later(pid=BEFORE["pid"] + 1), "several processes answer there"),
        (later(start_unix_ns=BEFORE["start_unix_ns"] + 1), "another recording has begun"),
    ):
        answers = iter([BEFORE, later(), other])
        shown = terminal.views(lambda left=answers: next(left), 0.0)  # type: ignore[misc]
        assert next(shown).interval_ns == SECOND
        with pytest.raises(TracerError, match=error):
            next(shown)
