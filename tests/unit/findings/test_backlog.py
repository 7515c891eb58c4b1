"""Queues that grow, or do not."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds
from tracer import schema as s

STEP = 100 * MS
THUMBNAIL = ("thumbnail", "/app/bus.py:5 thumbnail")
TAKES = "/app/bus.py:12 dispatch"


def bus(counts, *, name=f"queue 7 {TAKES}", below=s.TRACK_QUEUES):
    """The length of a queue every 100 ms; `writer` waited for its first item, and then is
    asleep for each."""
    trace = TraceBuilder(argv="bus.py", signals=SIGNALS)
    main = trace.thread("MainThread").native(0)
    queue = trace.lock("Queue.get", TAKES, 7)
    writer = trace.thread("writer").lock_wait(0, "Queue.get", lock=queue, site=TAKES)
    main.release(5 * MS, queue, to=writer)
    writer.native(5 * MS).sleep(6 * MS, site="/app/bus.py:20 store")
    track = trace.track(name, b"", parent=trace.track(below))
    for n, count in enumerate(counts):
        trace.counter(track, n * STEP, count)
    end = max(len(counts), 1) * STEP
    writer.native(end).end(end + MS)
    main.end(end + MS)
    return trace.ended(end + 2 * MS)


def test_items_come_faster_than_they_are_taken(tmp_path):
    (found,) = find_in(tmp_path, bus([20 + 10 * n for n in range(16)]))
    assert found.finding == "queue grows"
    assert found.severity_ns == 1_500 * MS
    assert found.text == (
        "A queue grows: 20 items waited in it at 0, 170 after 1.50 s, and the number rose all "
        "the time. They are taken by `writer` in `dispatch` (bus.py:12), 99 % of that time "
        "asleep in `store` (bus.py:20). `MainThread` put some of them in. Give the queue a "
        "`maxsize`, so that producers wait, or drop what does not fit; or take items faster: "
        "several at once, or with more consumers."
    )
    assert found.evidence.site == TAKES
    assert found.evidence.lock == 7


def test_thirty_items_more(tmp_path):
    assert kinds(tmp_path, bus([16 + 2 * n for n in range(16)])) == ["queue grows"]


def test_who_takes_them_may_be_unknown(tmp_path):
    (found,) = find_in(tmp_path, bus([20 + 10 * n for n in range(16)], name="queue 9 "))
    assert " They are taken. " not in found.text
    assert "rose all the time. Give the queue" in found.text


@pytest.mark.parametrize(
    "counts",
    [
        pytest.param([16 + 29 * n // 15 for n in range(16)], id="few"),
        pytest.param(
            [20, *[300 - 18 * n for n in range(15)]], id="a burst that is worked off"
        ),
        pytest.param([20, 170] * 8, id="it is emptied again and again"),
        pytest.param([*range(20, 130, 10), *range(120, 20, -10)], id="it drains"),
        pytest.param([20, 100, 180], id="within a moment"),
    ],
)
def test_queues_that_do_not_grow(tmp_path, counts):
    assert kinds(tmp_path, bus(counts)) == []


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"below": s.TRACK_USER_COUNTERS}, id="a counter of the program"),
        pytest.param({"name": "queue of jobs"}, id="a name without a number"),
    ],
)
def test_other_counters(tmp_path, other):
    assert kinds(tmp_path, bus([20 + 10 * n for n in range(16)], **other)) == []


def jobs(every_ns=4 * MS, each_ns=20 * MS, count=400, at_once=0):
    """A listener submits jobs; one worker does them. At the end the rest is done at once."""
    trace = TraceBuilder(argv="bus.py", signals=SIGNALS)
    listener = trace.thread("listener").native(0)
    worker, now, end = trace.thread("thumbs_0"), MS, count * every_ns
    for n in range(count):
        sent = 1 if n < at_once else n * every_ns
        begins = max(now, sent + 10)
        begins, now = (begins, begins + each_ns) if begins < end else (now, now + 10)
        worker.runs(begins, *THUMBNAIL, by=listener.submits(sent))
        worker.sleep(begins, site="/app/bus.py:6 thumbnail")
    worker.native(now).end(max(now, end) + MS)
    listener.end(end + MS)
    return trace.ended(max(now, end) + 2 * MS)


def test_jobs_that_pile_up(tmp_path):
    (found,) = find_in(tmp_path, jobs())
    assert found.finding == "queue grows"
    assert found.text == (
        "Jobs pile up in `thumbs`, which has 1 worker: 16 waited at 81.0 ms, 320 after "
        "1.52 s, and the number rose all the time. Most run `thumbnail` (bus.py:5), 100 % of "
        "that time asleep in `thumbnail` (bus.py:6). They come from `listener`. "
        "Let the submitter wait (a semaphore with as many permits as jobs may wait), or use "
        "more workers."
    )


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"each_ns": 3 * MS}, id="the worker keeps up"),
        pytest.param({"count": 50}, id="few"),
        pytest.param({"at_once": 300}, id="most come at once"),
    ],
)
def test_jobs_that_are_done(tmp_path, story):
    assert kinds(tmp_path, jobs(**story)) == []


@pytest.mark.parametrize(("tasks", "by"), [(2, " by 2 tasks `dispatch`"), (9, "")])
def test_nobody_ever_waited_for_an_item(tmp_path, tasks, by):
    """Whoever fills the queue began first: the task whose function takes them is told."""
    trace = TraceBuilder(argv="bus.py", signals=SIGNALS)
    thread = trace.thread("MainThread").native(0)
    loop = trace.loop(thread)
    for _ in range(tasks):
        task = loop.task("dispatch", site="/app/bus.py:9 dispatch").ready(0).running(1)
        task.awaits(2, "sleep", site="/app/bus.py:20 store")
    track = trace.track(f"queue 7 {TAKES}", b"", parent=trace.track(s.TRACK_QUEUES))
    for n in range(16):
        trace.counter(track, n * STEP, 20 + 10 * n)
    thread.end(16 * STEP)
    (found,) = find_in(tmp_path, trace.ended(16 * STEP + MS))
    assert f"They are taken{by} in `dispatch` (bus.py:12)" in found.text
    assert ("asleep in `store` (bus.py:20)" in found.text) == (by != "")


@pytest.mark.parametrize(("at", "is_told"), [(3, True), (14, False)])
def test_whoever_took_them_has_failed(tmp_path, at, is_told):
    trace = TraceBuilder(argv="bus.py", signals=SIGNALS)
    thread = trace.thread("MainThread").native(0)
    task = trace.loop(thread).task("dispatch", site="/app/bus.py:9 dispatch").ready(0)
    task.running(1).awaits(2, "sleep", site="/app/bus.py:20 store")
    task.ready(at * STEP, waker="timer").running(at * STEP)
    task.done(at * STEP + 1, "failed: ValueError")
    track = trace.track(f"queue 7 {TAKES}", b"", parent=trace.track(s.TRACK_QUEUES))
    for n in range(16):
        trace.counter(track, n * STEP, 20 + 10 * n)
    thread.end(16 * STEP)
    (found,) = [
        one for one in find_in(tmp_path, trace.ended(16 * STEP + MS))
        if one.finding == "queue grows"
    ]  # fmt: skip
    gone = "Whoever took them, `dispatch` in `dispatch` (bus.py:12), had ended (failed: "
    assert (gone in found.text) == is_told
    assert ("Look at why it ended" in found.text) == is_told


@pytest.mark.parametrize(
    ("second", "told"),
    [
        pytest.param(TAKES, "2 queues grow: 20 items waited in one of them", id="one line"),
        pytest.param("/app/bus.py:30 other", "A queue grows: 20 items waited in it", id="two"),
    ],
)
def test_queues_whose_readers_have_gone(tmp_path, second, told):
    trace = TraceBuilder(argv="bus.py", signals=SIGNALS)
    thread = trace.thread("MainThread").native(0)
    task = trace.loop(thread).task("dispatch", site="/app/bus.py:9 dispatch").ready(0)
    task.running(1).awaits(2, "sleep", site="/app/bus.py:20 store")
    task.ready(3 * STEP, waker="timer").running(3 * STEP).done(3 * STEP + 1)
    below = trace.track(s.TRACK_QUEUES)
    tracks = [
        trace.track(f"queue {7 + n} {site}", b"", parent=below)
        for n, site in enumerate((TAKES, second))
    ]
    for n in range(16):
        for track in tracks:
            trace.counter(track, n * STEP, 20 + 10 * n)
    thread.end(16 * STEP)
    found = [f for f in find_in(tmp_path, trace.ended(16 * STEP + MS)) if "grow" in f.finding]
    assert len(found) == 2 - (second == TAKES)
    assert all(one.text.startswith(told) for one in found)
    assert ("Take a queue out of those that are put into" in found[0].text) == (
        second == TAKES
    )


def stuck(fails=6, each_ns=250 * MS, behind=15, dips=False, by="writer"):
    """`writer` took an item, which fails again and again; others come into the queue."""
    trace = TraceBuilder(argv="bus.py", signals=SIGNALS)
    main = trace.thread("MainThread").native(0)
    queue = trace.lock("Queue.get", TAKES, 7)
    writer = trace.thread("writer").lock_wait(0, "Queue.get", lock=queue, site=TAKES)
    main.release(5 * MS, queue, to=writer)
    who, at = writer if by == "writer" else main, 6 * MS
    track = trace.track(f"queue 7 {TAKES}", b"", parent=trace.track(s.TRACK_QUEUES))
    for n in range(fails):
        who.native(at).io(at + 10, "socket.send", site="/app/bus.py:26 save").native(at + 20)
        args = {
            s.ARG_EXCEPTION: "BadOrder",
            s.ARG_SITE: "/app/bus.py:27 save",
            s.ARG_STACK: "/app/bus.py:27 save",
        }
        trace.instant(who.track, at + 30, s.RAISED, s.CAT_THREAD, **args)
        who.sleep(at + 40, site="/app/bus.py:30 dispatch")
        waiting = 16 + behind * n // (fails - 1) if not dips or n % 2 else 16
        trace.counter(track, at + 50, waiting)
        at += each_ns
    for thread in (writer, main):
        thread.native(at).end(at + MS)
    return trace.ended(at + 2 * MS)


def test_one_item_holds_up_those_behind_it(tmp_path):
    found = next(one for one in find_in(tmp_path, stuck()) if one.finding == "retries")
    assert found.text == (
        "Retries: `writer` in `dispatch` (bus.py:12) took one item from a queue and stayed "
        "with it for 1.25 s (at 6.00 ms): it failed 6 times with `BadOrder` in `save` "
        "(bus.py:27), while the items behind it waited, 28 in the end."
    )


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"fails": 4, "each_ns": 500 * MS}, id="four attempts"),
        pytest.param({"each_ns": 150 * MS}, id="not for long"),
        pytest.param({"behind": 8}, id="few wait"),
        pytest.param({"dips": True}, id="other items are taken meanwhile"),
        pytest.param({"by": "main"}, id="who tries again takes no items"),
    ],
)
def test_attempts_that_hold_nobody_up(tmp_path, story):
    assert "retries" not in kinds(tmp_path, stuck(**story))
