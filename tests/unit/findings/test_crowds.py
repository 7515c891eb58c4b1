"""One step that holds up a crowd, and crowds that hold up themselves and others."""

from collections.abc import Callable, Iterator

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, Service, find_in, kinds
from tracer import schema as s
from viewer.analysis.findings import Facts, Finding
from viewer.analysis.findings.loops.busytasks import busy_with_one
from viewer.analysis.findings.loops.crowds import loop_overloaded
from viewer.analysis.tasks import By, TaskRow, task_rows
from viewer.trace.model import build_model
from viewer.trace.reader import read_trace

LIBRARY = "/venv/lib/python3.13/site-packages/aiohttp/web_protocol.py"


def test_one_step_that_holds_up_many(tmp_path):
    """60 ms, once: 20 tasks lose more than a second."""
    (found,) = find_in(tmp_path, Service(victims=20).blocks(1, 60 * MS))
    assert found.finding == "loop blocked"
    assert found.severity_ns == 20 * 60 * MS


@pytest.mark.parametrize(
    ("victims", "step_ms"), [pytest.param(5, 60, id="few"), pytest.param(20, 15, id="short")]
)
def test_one_step_that_does_not_matter(tmp_path, victims, step_ms):
    assert kinds(tmp_path, Service(victims).blocks(1, step_ms * MS)) == []


def test_tasks_that_the_step_made(tmp_path):
    """Whoever makes many tasks does not hold them up."""
    trace = TraceBuilder(argv="make.py", signals=SIGNALS)
    thread = trace.thread("MainThread").running(0)
    loop = trace.loop(thread)
    maker = loop.task("make", site="/app/make.py:3 make").ready(0).running(1)
    loop.step(maker, 1, 60 * MS)
    made = [loop.task("made", site="/app/make.py:9 made", parent=maker.id) for _ in range(20)]
    for one in made:
        one.ready(2, by=maker)
    maker.done(60 * MS)
    for n, one in enumerate(made):
        one.running(60 * MS + n).done(60 * MS + n + 1)
        loop.step(one, 60 * MS + n, 60 * MS + n + 1)
    thread.end(70 * MS)
    assert kinds(tmp_path, trace.ended(71 * MS)) == []


def crowd(tasks=100, step_ms=8, ticks=False, long=0):
    """All tasks are ready at once; a ticker comes in between, and waits for its turn. The
    steps of `long` of the tasks, the last ones, take 25 ms."""
    trace = TraceBuilder(argv="crowd.py", signals=SIGNALS)
    thread = trace.thread("MainThread").running(0)
    loop = trace.loop(thread)
    ticker = loop.task("tick", site="/app/crowd.py:20 tick").ready(0).running(1)
    loop.step(ticker, 1, 2)
    ticker.awaits(2, "sleep", site="/app/crowd.py:21 tick")
    clients = [loop.task("client", site="/app/crowd.py:5 client") for _ in range(tasks)]
    for client in clients:
        client.ready(2, waker="timer")
    took = [step_ms * MS] * (tasks - long) + [25 * MS] * long
    end = 2 + sum(took)
    if ticks:
        ticker.ready(MS, waker="timer")
    for n, client in enumerate(clients):
        at = 2 + sum(took[:n])
        client.running(at).done(at + took[n])
        loop.step(client, at, at + took[n])
    if ticks:
        ticker.running(end).awaits(end + 1, "sleep", site="/app/crowd.py:21 tick")
        loop.step(ticker, end, end + 1)
    thread.end(end + MS)
    return trace.ended(end + 2 * MS)


def test_two_that_a_crowd_makes_late(tmp_path):
    """Both are named: one of them may have what the other one waits for."""
    trace = TraceBuilder(argv="crowd.py", signals=SIGNALS)
    thread = trace.thread("MainThread").running(0)
    loop = trace.loop(thread)
    others = [loop.task(name, site=f"/app/crowd.py:20 {name}") for name in ("tick", "index")]
    clients = [loop.task("client", site="/app/crowd.py:5 client") for _ in range(100)]
    for task in (*clients, *others):
        task.ready(0, waker="timer")
    for n, client in enumerate(clients):
        client.running(n * 8 * MS).done((n + 1) * 8 * MS)
        loop.step(client, n * 8 * MS, (n + 1) * 8 * MS)
    for n, task in enumerate(others):
        at = 800 * MS + n
        task.running(at).done(at + 1)
        loop.step(task, at, at + 1)
    thread.end(801 * MS)
    (found,) = find_in(tmp_path, trace.ended(802 * MS))
    assert (
        "; `index` (crowd.py:20) and `tick` (crowd.py:20) run up to 800 ms late" in found.text
    )


def test_a_crowd(tmp_path):
    (found,) = find_in(tmp_path, crowd())
    assert found.finding == "loop overloaded"
    assert found.text == (
        "Event loop overloaded: 100 tasks of `client` (crowd.py:5) have work for 800 ms in "
        "100 steps and wait for each other to run: one wait in ten takes 713 ms or more, the "
        "longest 792 ms (at 2 ns). Start fewer at a time (a semaphore, a bounded queue), or "
        "do less in each step."
    )
    assert found.severity_ns == sum(n * 8 * MS for n in range(100))


def test_a_crowd_of_which_some_have_long_steps(tmp_path):
    """What is reported for its length is a small part of it."""
    assert "loop overloaded" in kinds(tmp_path, crowd(long=5))


def test_a_crowd_that_has_long_steps_mostly(tmp_path):
    assert "loop overloaded" not in kinds(tmp_path, crowd(tasks=80, long=60))


def served(requests=120, step_ms=8, made=True):
    """Tasks for connections are ready at once; each makes one for its request, whose first
    step runs in its own."""
    trace = TraceBuilder(argv="crowd.py", signals=SIGNALS)
    thread = trace.thread("MainThread").running(0)
    loop = trace.loop(thread)
    starts = [loop.task("start", site=f"{LIBRARY}:9 start") for _ in range(requests)]
    for start in starts:
        start.ready(2, waker="io")
    for n, start in enumerate(starts):
        at = 2 + n * step_ms * MS
        maker = start.id if made else 0
        request = loop.task("handle", site="/app/crowd.py:14 handle", parent=maker)
        start.running(at)
        loop.step(start, at, at + 2)
        start.awaits(at + 2, "task handle", site=f"{LIBRARY}:12 start")
        request.ready(at + 2).running(at + 3).done(at + step_ms * MS)
        loop.step(request, at + 3, at + step_ms * MS)
    end = 2 + requests * step_ms * MS
    for n, start in enumerate(starts):
        start.ready(end + n).running(end + n).done(end + n + 1)
        loop.step(start, end + n, end + n + 1)
    thread.end(end + MS)
    return trace.ended(end + 2 * MS)


def test_a_crowd_with_the_tasks_that_it_makes(tmp_path):
    (found,) = [one for one in find_in(tmp_path, served()) if one.finding == "loop overloaded"]
    assert "120 tasks of `start` (" in found.text
    assert (
        ", with `handle` (crowd.py:14) that they make, have work for 960 ms in" in found.text
    )
    assert found.evidence.site == "/app/crowd.py:14 handle"


def test_tasks_that_others_make(tmp_path):
    assert "loop overloaded" not in kinds(tmp_path, served(made=False))


def test_a_crowd_that_makes_others_late(tmp_path):
    """No task of it waits for half a second, but the ticker is late."""
    (found,) = find_in(tmp_path, crowd(tasks=300, step_ms=2, ticks=True))
    assert "; `tick` (crowd.py:20) runs up to 599 ms late because of them." in found.text


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"tasks": 200, "step_ms": 2}, id="a batch that only delays itself"),
        pytest.param({"tasks": 40, "ticks": True}, id="a small one"),
    ],
)
def test_no_crowd(tmp_path, story):
    assert kinds(tmp_path, crowd(**story)) == []


def handed(times=300, each_ns=4 * MS, site="/app/feed.py:7 on_tick", by_thread=True):
    """A thread hands calls to the loop while a task waits for its turn."""
    trace = TraceBuilder(argv="feed.py", signals=SIGNALS)
    thread, feed = trace.thread("MainThread").running(0), trace.thread("feed").native(0)
    loop = trace.loop(thread)
    health = loop.task("health", site="/app/feed.py:18 health").ready(0).running(1)
    loop.step(health, 1, 2)
    health.awaits(2, "sleep", site="/app/feed.py:21 health").ready(MS, waker="timer")
    at = 2 * MS
    for n in range(times):
        wake = trace.instant(feed.track, n + 3, s.WAKE, s.CAT_THREAD) if by_thread else None
        loop.callback("on_tick", site, at, at + each_ns - 1, by=wake)
        at += each_ns
    health.running(at).done(at + 1)
    loop.step(health, at, at + 1)
    feed.end(at + MS)
    thread.end(at + MS)
    return trace.ended(at + 2 * MS)


def test_calls_that_a_thread_hands_over(tmp_path):
    (found,) = find_in(tmp_path, handed())
    assert found.finding == "loop overloaded"
    assert found.text == (
        "Event loop overloaded: 300 calls of `on_tick` (feed.py:7), which `feed` gives to it, "
        "take 1.20 s of the 1.20 s in which `health` (feed.py:18) waits to run (at 1.00 ms), "
        "though each takes 4.00 ms. Hand over many at a time, or let the caller wait until "
        "the loop has run them."
    )


def test_calls_of_the_loop_itself(tmp_path):
    (found,) = find_in(tmp_path, handed(by_thread=False))
    assert "300 calls of `on_tick` (feed.py:7) take 1.20 s" in found.text


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"times": 90}, id="little is lost"),
        pytest.param({"times": 90, "each_ns": 10 * MS}, id="few calls"),
    ],
)
def test_few_calls(tmp_path, story):
    """One callback of a library that keeps the loop busy is told as such, not as a crowd."""
    found = find_in(tmp_path, handed(**story))
    assert [one.text for one in found if "calls of" in one.text] == []


def test_calls_of_a_library(tmp_path):
    """They are told as what keeps the loop busy, not as what a thread hands over."""
    (found,) = find_in(tmp_path, handed(site="/usr/lib/python3.13/asyncio/x.py:3 f"))
    assert found.finding == "loop overloaded"
    assert "`on_tick` (asyncio/x.py:3) runs 300 times" in found.text


def crowds(tasks, rounds):
    """Again and again all are ready at once, for a millisecond each, before the ticker."""
    trace = TraceBuilder(argv="crowd.py", signals=SIGNALS)
    thread, at = trace.thread("MainThread").running(0), 2
    loop = trace.loop(thread)
    ticker = loop.task("tick", site="/app/crowd.py:20 tick")
    clients = [loop.task("client", site="/app/crowd.py:5 client") for _ in range(tasks)]
    for task in (ticker, *clients):
        task.ready(0).running(at).awaits(at + 1, "sleep", site="/app/crowd.py:6 client")
        loop.step(task, at, at + 1)
        at += 1
    for _ in range(rounds):
        at += 20 * MS
        for task in (*clients, ticker):
            task.ready(at, waker="timer")
        for client in clients:
            client.running(at).awaits(at + MS, "sleep", site="/app/crowd.py:6 client")
            loop.step(client, at, at + MS)
            at += MS
        ticker.running(at).awaits(at + 1, "sleep", site="/app/crowd.py:21 tick")
        loop.step(ticker, at, at + 1)
        at += 1
    thread.end(at + MS)
    return trace.ended(at + 2 * MS)


@pytest.mark.parametrize(
    ("tasks", "rounds", "found"), [(60, 10, ["loop overloaded"]), (40, 20, [])]
)
def test_others_that_are_late_again_and_again(tmp_path, tasks, rounds, found):
    """Never for 100 ms; for 60 ms each time that is told, for 40 ms it is not."""
    assert kinds(tmp_path, crowds(tasks, rounds)) == found


@pytest.mark.parametrize("finder", [loop_overloaded, busy_with_one])
@pytest.mark.parametrize(("calls", "made"), [(0, 0), (400, 300)])
def test_rows_that_no_callback_delays_are_not_made(
    tmp_path, finder: Callable[[Facts], Iterator[Finding]], calls: int, made: int
):
    """All 300 coroutines are late for most of a second: behind each other, or behind calls."""
    trace = TraceBuilder(argv="many.py", signals=SIGNALS)
    loop = trace.loop(trace.thread("MainThread").running(0))
    tasks = [
        loop.task(f"t{n}", site=f"/app/many.py:{n + 1} t{n}").ready(n) for n in range(300)
    ]
    at = 300
    for _ in range(calls):
        loop.callback("on_data", "/app/many.py:900 on_data", at, at + 3 * MS)
        at += 3 * MS
    for task in tasks:
        end = at + (MS if calls else 5 * MS)
        loop.step(task, at, end)
        task.running(at).done(end)
        at = end
    path = tmp_path / "many.pftrace"
    path.write_bytes(trace.ended(at + MS).data())
    model, seen = build_model(read_trace(path)), list[TaskRow]()

    def noted(row: TaskRow) -> TaskRow:
        seen.append(row)
        return row

    [*finder(Facts(model, tasks=task_rows(model, By.CORO).changed(noted)))]
    assert len(seen) == made
