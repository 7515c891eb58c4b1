"""Pools and servers that a program made itself, of objects for one wait each."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds

ENTER, WORK = "/app/gate.py:6 Gate.enter", "/app/gate.py:12 fetch"
ASK, MORE, TALK = "/app/hub.py:9 ask", "/app/hub.py:20 serve", "/app/hub.py:14 talk"


def gate(count=12, keep_ns=120 * MS, every_ns=20 * MS, parent=0, opens="future"):
    """Tasks come one by one; each lets the next one go on, from a future of its own."""
    trace = TraceBuilder(argv="gate.py", signals=SIGNALS)
    thread = trace.thread("MainThread").native(0)
    loop = trace.loop(thread)
    before, now = None, 0
    for n in range(count):
        came = n * every_ns + n * 1000
        task = loop.task("fetch", site="/app/gate.py:10 fetch", parent=parent)
        task.ready(came).running(came + 10)
        now = max(now, came + 20)
        if before is not None and now > came + 20:
            task.awaits(came + 20, opens, site=ENTER)
            task.ready(now + 10, by=before).running(now + 20)
        if before is not None:
            before.done(now + 15)
        task.awaits(now + 30, "sleep", site=WORK)
        now += keep_ns if keep_ns > MS or not n else 100
        if not n and keep_ns <= MS:
            now += 800 * MS
        task.ready(now, waker="timer").running(now + 5)
        before = task
    assert before is not None
    before.done(now + 20)
    thread.end(now + MS)
    return trace.ended(now + 2 * MS)


def test_each_lets_the_next_one_go_on(tmp_path):
    (found,) = find_in(tmp_path, gate())
    assert found.finding == "pool exhausted"
    assert found.text == (
        "Pool exhausted: 12 tasks `fetch` share 1 slot of a home-made pool. 11 waits in "
        "`Gate.enter` (gate.py:6) lost 6.60 s in total, the longest 1.10 s (at 220 ms). Each "
        "slot goes to the next who waits after 118 ms on average, 99 % of that time asleep in "
        "`fetch` (gate.py:12). Keep it for less time, or raise the number of slots."
    )
    assert found.evidence.site == ENTER


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"keep_ns": 12 * MS, "every_ns": 10 * MS}, id="little is lost"),
        pytest.param({"every_ns": 130 * MS}, id="nobody waits"),
        pytest.param({"count": 6}, id="a few"),
        pytest.param({"keep_ns": 100, "every_ns": MS}, id="each waits for the one before"),
        pytest.param({"opens": "sleep"}, id="nobody lets them"),
    ],
)
def test_no_pool(tmp_path, story):
    assert "pool exhausted" not in kinds(tmp_path, gate(**story))


def served(rounds=5, takes_ns=80 * MS, rest_ns=10 * MS, clock=False):
    """Callers set an event that is there for all, and wait in a future each."""
    trace = TraceBuilder(argv="hub.py", signals=SIGNALS)
    thread = trace.thread("MainThread").native(0)
    loop = trace.loop(thread)
    server = loop.task("serve", site="/app/hub.py:18 serve").ready(0).running(0)
    server.awaits(1, "Event", site=MORE)
    callers = [
        loop.task("call", site="/app/hub.py:30 call").ready(10 + n).running(20 + n * 3)
        for n in range(6)
    ]
    server.ready(21, by=callers[0])
    for n, task in enumerate(callers):
        task.awaits(22 + n * 3, "future", site=ASK)
    queue, at = [(task, rounds) for task in callers], 100
    server.running(at)
    while queue:
        for n in range(1 + (len(queue) + queue[0][1] * 3) % 4 if clock else 1):
            server.awaits(at + 5, "sleep", site=TALK)
            at += takes_ns if not n else 5 * MS
            server.ready(at, waker="timer").running(at)
        (task, left), queue = queue[0], queue[1:]
        at += 10
        task.ready(at, by=server).running(at + 1)
        if left > 1:
            task.awaits(at + 2, "future", site=ASK)
            queue.append((task, left - 1))
        else:
            task.done(at + 3)
    server.awaits(at + 20, "Event", site=MORE)
    server.ready(at + 100).running(at + 100).done(at + 101)
    thread.end(at + MS)
    return trace.ended(at + 2 * MS)


def test_who_waits_for_those_that_it_answers_serves_them(tmp_path):
    (found,) = find_in(tmp_path, served())
    assert found.finding == "pool exhausted"
    assert found.text.startswith(
        "Pool exhausted: `serve` serves 6 tasks `call` in turn, as a pool of one. 29 calls in "
        "`ask` (hub.py:9) waited for their turn: 10.8 s in total"
    )


def test_a_clock_that_they_set_serves_nobody(tmp_path):
    assert "pool exhausted" not in kinds(tmp_path, served(clock=True))


def asked(answers=True, clients=4, rounds=10):
    """Threads wait in an event of their own each time, until one thread answers. That one
    waits until somebody came, in an event for all; or, each time, for what they did."""
    trace = TraceBuilder(argv="device.py", signals=SIGNALS)
    main = trace.thread("device").native(0)
    threads = [trace.thread(f"client-{n}").native(0) for n in range(clients)]
    more, mine = trace.lock("Event.wait", MORE), {}
    main.lock_wait(10, "Event.wait", lock=more, site=MORE)

    def ask(n, at):
        mine[n] = trace.lock("Event.wait", ASK)
        threads[n].lock_wait(at, "Event.wait", lock=mine[n], site=ASK)

    for n in range(clients):
        if not n:
            threads[n].release(100, more, to=main)
            main.native(101)
        ask(n, 110 + n)
    at = 200
    for turn in range(clients * rounds):
        n = turn % clients
        main.sleep(at, site=TALK)
        at += 60 * MS
        main.native(at).release(at + 1, mine[n], to=threads[n])
        threads[n].native(at + 2)
        if answers:
            done = trace.lock("Event.wait", MORE)
            main.lock_wait(at + 3, "Event.wait", lock=done, site=MORE)
            threads[n].sleep(at + 4, site=TALK).native(at + 15 * MS)
            at += 15 * MS
            threads[n].release(at + 1, done, to=main)
            main.native(at + 2)
        ask(n, at + 5)
        at += 10
    for thread in (main, *threads):
        thread.end(at + MS)
    return trace.ended(at + 2 * MS)


def test_a_thread_that_waits_for_those_whom_it_answers(tmp_path):
    (found,) = find_in(tmp_path, asked(answers=False))
    assert found.finding == "thread-pool starvation"
    assert found.text.startswith(
        "Thread-pool starvation: the only worker of `device` is busy with `talk` (hub.py:14)"
    )


def test_idle_workers_are_not_served(tmp_path):
    assert kinds(tmp_path, asked()) == []


def test_so_many_waits_are_looked_at(tmp_path, monkeypatch):
    monkeypatch.setattr("viewer.analysis.resources.answers._OF_ALL", 0)
    assert "pool exhausted" not in kinds(tmp_path, served())
