"""Tasks that ask again and again instead of waiting to be woken."""

import pytest

from tests.support.builder.samples import SampleBuilder
from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds
from tracer import schema as s


def restless(
    count, step_ns, sleep_ns=0, samples=0, what="sleep", waker="timer", takes="", rests=0
):
    """A task that yields, or sleeps or waits for a moment, again and again."""
    trace = TraceBuilder(argv="poll.py", signals="tasks")
    loop = trace.loop(thread := trace.thread("MainThread"))
    look = ("look", "/app/poll.py", 8)
    SampleBuilder(trace).add(thread, 5_000, look, times=samples)
    task = loop.task("wait_for_file", site="/app/poll.py:4 wait_for_file").ready(0)
    at = 1_000
    if takes:  # a queue in which many wait, and where its items are taken
        below = trace.track(s.TRACK_QUEUES)
        trace.counter(trace.track(f"queue 7 {takes}", b"", parent=below), at, 40)
    for n in range(count):
        task.running(at)
        loop.step(task, at, at + step_ns)
        at += step_ns
        if sleep_ns:
            task.awaits(at, what, site="/app/poll.py:6 wait_for_file")
            at += sleep_ns
            task.ready(at, waker=waker)
        elif n < rests:
            task.awaits(at, "sleep", site="/app/poll.py:30 store")
            at += MS
            task.ready(at, waker=waker)
        else:
            task.ready(at)
        at += 1_000
    task.running(at).done(at + 1)
    loop.step(task, at, at + 1)
    return trace.ended(at + 2)


def test_busy_loop(tmp_path):
    """Ten thousand tiny steps that end in sleep(0)."""
    (found,) = find_in(tmp_path, restless(10_001, 2_000))
    assert found.finding == "busy loop"
    assert found.text == (
        "`wait_for_file` (poll.py:4) polls: it yields (99 % of its steps end in `sleep(0)`) "
        "and runs again. Its 10,002 steps took 20.0 ms in total and 2.00 µs each, beginning "
        "at 0. An event, a condition or a queue would wake it when there is something to do."
    )


def test_a_busy_loop_in_a_helper(tmp_path):
    """The samples show which function asks."""
    trace = restless(600, 20_000, MS, samples=25)
    (found,) = find_in(tmp_path, trace)
    assert found.text.startswith("`wait_for_file` (poll.py:4) polls in `look` (poll.py:8): it")


def test_rare_sleeps_elsewhere_are_not_where_it_polls(tmp_path):
    trace = restless(10_101, 2_000, rests=20)
    (found,) = find_in(tmp_path, trace)
    assert found.text.startswith("`wait_for_file` (poll.py:4) polls: it yields (99 % of its")


def test_polling(tmp_path):
    """Asking every millisecond."""
    (found,) = find_in(tmp_path, restless(600, 20_000, MS))
    assert found.finding == "busy loop"
    assert "it sleeps 600 times, 1.00 ms on average" in found.text


def test_who_takes_items_of_a_queue_works_on_them(tmp_path):
    def found(takes):
        return kinds(tmp_path, restless(600, 20_000, MS, takes=takes))

    assert found("/app/poll.py:5 wait_for_file") == []
    assert found("/app/poll.py:15 read") == ["busy loop"]


def test_polling_with_time_outs(tmp_path):
    """`wait_for` of a millisecond, again and again, for one future."""
    (found,) = find_in(tmp_path, restless(600, 20_000, MS, what="task Task-7"))
    assert found.finding == "busy loop"
    assert "600 of its waits ran into their time-out, of 1.00 ms on average" in found.text


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"sleep_ns": 5 * MS}, id="a slow pace"),
        pytest.param({"waker": "io"}, id="data comes each time"),
        pytest.param({"count": 400}, id="seldom"),
        pytest.param({"step_ns": 500_000}, id="works between"),
    ],
)
def test_no_polling_with_time_outs(tmp_path, story):
    usual = {"count": 600, "step_ns": 20_000, "sleep_ns": MS, "what": "future"}
    assert kinds(tmp_path, restless(**usual | story)) == []


@pytest.mark.parametrize(
    ("count", "step_ns", "sleep_ns"),
    [
        pytest.param(2_000, 2_000, 0, id="works through a short list"),
        pytest.param(
            10_001, 50_000, 0, id="works, and lets others run", marks=pytest.mark.broad
        ),
        pytest.param(600, 20_000, 5 * MS, id="a heartbeat"),
        pytest.param(100, 20_000, MS, id="seldom"),
        pytest.param(600, 500_000, MS, id="works between"),
    ],
)
def test_no_busy_loop(tmp_path, count, step_ns, sleep_ns):
    """Cooperation and timers are no polls."""
    assert kinds(tmp_path, restless(count, step_ns, sleep_ns)) == []


def crowd(
    tasks, rounds, late_ns=0, late=1, taken_ns=0, most=1,
    pause_ns=MS, name="ask", file="poll.py", site="/app/poll.py:6 ask",
):  # fmt: skip
    """Tasks that ask after each pause, and are woken later in some rounds; of that time the
    kernel has the processor of the loop's thread for another one."""
    trace = TraceBuilder(argv=file, signals=SIGNALS if taken_ns else "tasks")
    loop = trace.loop(thread := trace.thread("MainThread"))
    asks = [loop.task(name, site=f"/app/{file}:4 {name}").ready(0) for _ in range(tasks)]
    at = 1_000
    for n in range(rounds):
        for task in asks:
            task.running(at).awaits(at + 2_000, "sleep", site=site)
            loop.step(task, at, at + 2_000)
            at += 3_000
        is_late = n % late >= late - most
        if is_late and taken_ns:
            thread.preempted(at + MS).native(at + MS + taken_ns)
        at += pause_ns + late_ns * is_late
        for task in asks:
            task.ready(at, waker="timer")
        at += 1_000
    for task in asks:
        task.running(at).done(at + 1)
        loop.step(task, at, at + 1)
        at += 2
    if taken_ns:
        thread.end(at)
    return trace.ended(at + 2)


@pytest.mark.parametrize(
    ("story", "found"),
    [
        pytest.param(
            {"tasks": 20, "rounds": 150},
            ["busy loop"],
            id="seldom, but many",
            marks=pytest.mark.broad,
        ),
        pytest.param(
            {"tasks": 40, "rounds": 80}, [], id="very seldom", marks=pytest.mark.broad
        ),
        pytest.param({"tasks": 10, "rounds": 150}, [], id="few"),
    ],
)
def test_a_crowd(tmp_path, story, found):
    """Its loop gets round less often than that of one task."""
    assert kinds(tmp_path, crowd(**story)) == found


@pytest.mark.parametrize(
    ("taken_ns", "said"),
    [
        pytest.param(8 * MS, "1.00 ms at a time (6.00 ms on average", id="preempted"),
        pytest.param(0, "", id="it asks for that"),
    ],
)
def test_a_crowd_on_a_busy_machine(tmp_path, taken_ns, said):
    """How late it is woken is the machine's doing: five of eight times."""
    story = {"late_ns": 8 * MS, "late": 8, "taken_ns": taken_ns, "rounds": 600}
    found = find_in(tmp_path, crowd(2, **story, most=5))
    assert bool(found) == bool(said)
    assert all(said in one.text for one in found)


def limited(site="/app/limit.py:20 acquire", tasks=2, sleep_ns=4 * MS):
    """Tasks sleep again and again in a helper until it lets them go on."""
    return crowd(tasks, 600, pause_ns=sleep_ns, name="crawl", file="limit.py", site=site)


def test_a_crowd_that_polls_in_a_helper(tmp_path):
    (found,) = find_in(tmp_path, limited())
    assert found.text.startswith(
        "`crawl` (limit.py:4) polls in `acquire` (limit.py:20): it sleeps 1,200 times, 4.00 ms"
    )


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"site": "/app/limit.py:6 crawl"}, id="they pace themselves"),
        pytest.param({"tasks": 1}, id="one alone"),
        pytest.param({"sleep_ns": 8 * MS}, id="seldom"),
    ],
)
def test_a_crowd_that_sleeps(tmp_path, story):
    assert kinds(tmp_path, limited(**story)) == []


def asks_at_once(rounds=10_001, cut_by_itself=True):
    """A task awaits with a time-out of zero, which cuts it short at once, and then yields."""
    trace = TraceBuilder(argv="poll.py", signals="tasks")
    loop = trace.loop(trace.thread("MainThread"))
    task, at = loop.task("listen", site="/app/poll.py:4 listen").ready(0), 1_000
    for _ in range(rounds):
        begun = task.running(at).state
        task.awaits(at + 1_000, "message (redis)", site="/app/poll.py:6 listen")
        loop.step(task, at, at + 1_000)
        if cut_by_itself:
            task.ready(at + 2_000, by=begun, waker_task=task.id)
        else:
            task.ready(at + 2_000, waker="io")
        task.running(at + 3_000).ready(at + 4_000)
        loop.step(task, at + 3_000, at + 4_000)
        at += 5_000
    task.running(at).done(at + 1)
    loop.step(task, at, at + 1)
    return trace.ended(at + 2)


@pytest.mark.parametrize("by_itself", [True, False])
def test_a_time_out_of_zero_is_no_rest(tmp_path, by_itself):
    found = find_in(tmp_path, asks_at_once(cut_by_itself=by_itself))
    assert [one.finding for one in found] == ["busy loop"] * by_itself
