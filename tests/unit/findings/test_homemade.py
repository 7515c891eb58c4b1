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
        "slot goes to the next waiter after 118 ms on average, 99 % of that time asleep in "
        "`fetch` (gate.py:12). Hold it for less time, or raise the number of slots."
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


LEND, USE, SEND = "/app/lend.py:4 lend", "/app/lend.py:5 lend", "/app/lend.py:19 send"
LATE, FIRST = "/app/lend.py:30 late", "/app/lend.py:24 orders"
ENTERS, MANAGER = "/lib/python3.13/contextlib.py:141 enter", "/app/lend.py:9 client"


def lent(lates=3, waits=LEND, used=USE, before=True, more=False, outer=LATE, ns=600 * MS):
    """`orders` uses what it got from a queue; then others wait for some in vain."""
    trace = TraceBuilder(argv="lend.py", signals=SIGNALS)
    orders, queue = trace.thread("orders").native(0), trace.lock("Queue.get", LEND)
    at = 10 * MS if before else 200 * MS
    orders.io(at, "socket.recv", site=SEND, stack=f"{SEND}\n{used}\n{FIRST}").native(
        at + 20 * MS
    )
    orders.end(at + 30 * MS)
    for n in range(lates):
        late, site = trace.thread(f"late-{n}").native(90 * MS), waits.split("\n")[0]
        late.lock_wait(
            100 * MS + n, "Queue.get", lock=queue, site=site,
            stack=f"{waits}\n{outer}".strip(), acquired=False,
        )  # fmt: skip
        late.native(100 * MS + ns)
        if more:  # it takes one later, as who takes jobs
            late.io(ns + 150 * MS, "send", site=SEND, stack=f"{SEND}\n{used}\n{outer}")
            late.native(ns + 160 * MS)
            late.lock_wait(ns + 170 * MS, "Queue.get", lock=queue, site=site,
                           stack=f"{waits}\n{outer}", acquired=False)  # fmt: skip
            late.native(2 * ns + 170 * MS)
        late.end(2 * ns + 200 * MS)
    return trace.ended(2 * ns + 210 * MS)


HELPED = "/app/lend.py:9 borrow\n/app/lend.py:17 fetch"
WITH = "/app/lend.py:17 fetch"
MANAGED = f"{MANAGER}\n{ENTERS}\n{WITH}"


@pytest.mark.parametrize(
    ("waits", "used", "taken"),
    [
        (LEND, USE, "`lend` (lend.py:4)"),
        (MANAGED, WITH.replace("17", "18"), "`client` (lend.py:9)"),
        (HELPED, WITH.replace("17", "18"), "`borrow` (lend.py:9)"),
    ],
)
def test_what_was_lent_to_others_never_comes_back(tmp_path, waits, used, taken):
    (found,) = find_in(tmp_path, lent(waits=waits, used=used))
    assert found.finding == "slots never returned"
    assert found.text == (
        f"Slots never returned: 3 threads `late-N` waited for a slot of a pool made of a "
        f"`Queue` in {taken} and gave up: 3 waits, 1.80 s in total, the longest 600 ms (at "
        f"100 ms). Nobody gave one back in that time; `orders` held one last in {taken}, and "
        f"ended. A slot must be given back whatever happens: with `with`, or in a "
        f"`finally`."
    )


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"lates": 1, "ns": 1_200 * MS}, id="one may ask for an answer"),
        pytest.param({"used": FIRST}, id="nobody used one there"),
        pytest.param({"before": False}, id="it was used later"),
        pytest.param({"more": True}, id="who waits uses some, too: jobs"),
        pytest.param({"outer": ""}, id="it is all that the thread does"),
        pytest.param({"ns": 150 * MS}, id="little is lost"),
    ],
)
def test_items_that_need_not_come(tmp_path, story):
    assert kinds(tmp_path, lent(**story)) == []


def lent_to_tasks(is_cut=True, outer=LATE):
    """Three tasks use what they got, and a time-out cuts one short; then two wait in vain."""
    trace = TraceBuilder(argv="lend.py", signals=SIGNALS)
    thread = trace.thread("MainThread").native(0)
    loop, stack = trace.loop(thread), f"{SEND}\n{USE}\n{FIRST}"
    for n in range(3):
        task = loop.task("order", site=FIRST).ready(n).running(10 + n)
        task.awaits(20 + n, "future", site=SEND, stack=stack)
        if is_cut and not n:
            cut = "/asyncio/timeouts.py:9 Timeout._on_timeout"
            task.ready(60 * MS, waker="timer", via="Timeout._on_timeout", stack=cut)
        else:
            task.ready(60 * MS + n, waker="io")
        task.running(60 * MS + 10 + n).done(60 * MS + 20 + n)
    queue = trace.lock("Queue.get", LEND)
    for n in range(2):
        task = loop.task("late", site=LATE).ready(100 * MS + n).running(100 * MS + 10 + n)
        task.awaits(100 * MS + 20 + n, "Queue.get", acquired=False, lock=queue.id, site=LEND,
                    stack=f"{LEND}\n{outer}".strip())  # fmt: skip
        task.ready(600 * MS + n, waker="timer", via="Timeout._on_timeout")
        task.running(600 * MS + 10 + n).done(600 * MS + 20 + n)
    thread.end(610 * MS)
    return trace.ended(620 * MS)


def test_what_tasks_were_lent(tmp_path):
    (found,) = find_in(tmp_path, lent_to_tasks())
    assert found.finding == "slots never returned"
    assert "2 tasks `late` waited for a slot of a pool made of a `Queue`" in found.text
    assert "; `order` held one last in `lend` (lend.py:4)" in found.text


def test_tasks_that_wait_for_jobs(tmp_path):
    assert kinds(tmp_path, lent_to_tasks(outer="")) == []
