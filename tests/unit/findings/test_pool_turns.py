"""Tasks that answer requests in turn: who waits for a turn, and when that is no fault."""

import pytest

from tests.support.builder.trace import Task, TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds

ASK, TALK, TAKE = "/app/hub.py:9 ask", "/app/hub.py:14 talk", "/app/hub.py:20 serve"


def served(
    callers=6,
    rounds=4,
    takes_ns=60 * MS,
    what="sleep",
    rest_ns=0,
    parent=0,
    together=False,
    peers=0,
    peer="serve",
    answers=True,
):
    """Callers wait for a future each; one task answers them, the first to ask first."""
    trace = TraceBuilder(argv="hub.py", signals=SIGNALS)
    thread = trace.thread("MainThread").native(0)
    loop = trace.loop(thread)
    server = loop.task("serve", site="/app/hub.py:18 serve").ready(0).running(0)
    server.awaits(1, "Queue.get", site=TAKE)
    idle = [
        loop.task(peer, site=f"/app/hub.py:18 {peer}").ready(0).running(0)
        for _ in range(peers)
    ]
    for task in idle:
        task.awaits(1, "Queue.get", site=TAKE)
    if idle and answers:
        other = loop.task("call", site="/app/hub.py:30 call", parent=parent).ready(2)
        other.running(3).awaits(4, "future", site=ASK)
        idle[0].ready(12 * MS, waker="timer").running(12 * MS)
        other.ready(12 * MS + 1, by=idle[0])
        idle[0].awaits(12 * MS + 2, "Queue.get", site=TAKE)
        other.running(12 * MS + 3).done(12 * MS + 4)
    queue = []
    for n in range(callers):
        task = loop.task("call", site="/app/hub.py:30 call", parent=parent)
        task.ready(10 + n).running(20 + n * 3)
        if not n:
            server.ready(21, by=task)
        task.awaits(22 + n * 3, "future", site=ASK)
        queue.append((task, rounds))
    at = 100
    server.running(at)
    while queue:
        server.awaits(at + 5, what, site=TALK if what == "sleep" else TAKE)
        at += takes_ns
        server.ready(at, waker="timer").running(at)
        now, queue = (queue, []) if together else (queue[:1], queue[1:])
        for task, left in now:
            at += 10
            task.ready(at, by=server).running(at + 1)
            if left > 1:
                task.awaits(at + 2, "future", site=ASK)
                queue.append((task, left - 1))
                continue
            if rest_ns:
                task.awaits(at + 2, "sleep").ready(at + rest_ns).running(at + rest_ns + 1)
            task.done(at + rest_ns + 3)
    server.awaits(at + 20, "Queue.get", site=TAKE)
    end = at + rest_ns + 100
    for task in (server, *idle):
        task.ready(end).running(end).done(end + 1)
    thread.end(end + MS)
    return trace.ended(end + 2 * MS)


def test_callers_wait_for_their_turn(tmp_path):
    (found,) = find_in(tmp_path, served())
    assert found.finding == "pool exhausted"
    assert found.text == (
        "Pool exhausted: `serve` serves 6 tasks `call` in turn, as a pool of one. 23 calls in "
        "`ask` (hub.py:9) waited for their turn: 6.30 s in total, the longest 300 ms "
        "(at 37 ns). Each request takes 60.0 ms on average, 99 % of that time asleep in "
        "`talk` (hub.py:14). Let several such tasks take from the queue, or do less for each "
        "request before its answer."
    )
    assert (found.evidence.site, found.evidence.track) == (ASK, "Task-7")


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"takes_ns": 6 * MS, "rounds": 3}, id="little is lost"),
        pytest.param({"callers": 2, "rounds": 12}, id="two take turns"),
        pytest.param({"what": "Queue.get"}, id="the task is idle meanwhile"),
        pytest.param({"rest_ns": 20_000 * MS}, id="a small part of their lives"),
        pytest.param({"callers": 12, "rounds": 1, "parent": 1}, id="a batch"),
        pytest.param({"together": True}, id="one piece of work answers all"),
        pytest.param(
            {"callers": 12, "rounds": 1, "parent": 1, "peers": 2, "peer": "log"},
            id="others are idle",
        ),
        pytest.param(
            {"callers": 12, "rounds": 1, "parent": 1, "peers": 2, "answers": False},
            id="each has a device of its own",
        ),
    ],
)
def test_nobody_waits_for_a_turn(tmp_path, story):
    assert kinds(tmp_path, served(**story)) == []


def test_a_batch_that_one_of_three_serves(tmp_path):
    """Tasks of the same function have nothing to do, each at a queue of its own."""
    (found,) = find_in(tmp_path, served(callers=12, rounds=1, parent=1, peers=2))
    assert found.text.startswith(
        "Pool exhausted: `serve` serves 12 tasks `call` in turn, as a pool of one, while 2 "
        "tasks `serve` had nothing to do. 11 calls in `ask` (hub.py:9) waited for their turn"
    )
    assert found.text.endswith(
        "Let all of them take from one queue, or give the requests to them more evenly."
    )


def overtaken(reports=3, alerts=40, takes_ns=20 * MS, apart_ns=20 * MS):
    """An alert comes whenever the task has answered the one before, and is answered first;
    reports that came at the start wait until no more alerts come."""
    trace = TraceBuilder(argv="hub.py", signals=SIGNALS)
    thread = trace.thread("MainThread").native(0)
    loop = trace.loop(thread)
    parent = loop.task("main", site="/app/hub.py:40 main")
    parent.ready(0).running(1)
    server = loop.task("serve", site="/app/hub.py:18 serve").ready(2).running(3)
    server.awaits(4, "Queue.get", site=TAKE)

    def ask(kind, at, wakes=False):
        task = loop.task(kind, site=f"/app/hub.py:30 {kind}", parent=parent.id)
        task.ready(at).running(at + 1)
        if wakes:
            server.ready(at + 2, by=task)
        return task.awaits(at + 3, "future", site=ASK)

    at, waiting = 100, list[Task]()
    for n in range(alerts + reports):
        task = ask("alert", at, not n) if n < alerts else waiting.pop(0)
        if n < reports:
            waiting.append(ask("report", at + 5))
        if not n:
            server.running(at + 11)
        server.awaits(at + 12, "sleep", site=TALK)
        server.ready(at + takes_ns, waker="timer").running(at + takes_ns + 1)
        task.ready(at + takes_ns + 2, by=server).running(at + takes_ns + 3)
        task.done(at + takes_ns + 4)
        at += max(takes_ns, apart_ns) + 10
    server.awaits(at, "Queue.get", site=TAKE)
    parent.done(at + 50)
    server.ready(at + 60).running(at + 70).done(at + 80)
    thread.end(at + MS)
    return trace.ended(at + 2 * MS)


def test_a_few_that_others_overtake(tmp_path):
    (found,) = find_in(tmp_path, overtaken())
    assert found.text.startswith(
        "Pool exhausted: `serve` serves 43 tasks `alert` and `report` in turn, as a pool of "
        "one. 3 calls of 3 tasks `report` in `ask` (hub.py:9) waited for their turn: 2.4"
    )


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"reports": 2}, id="two"),
        pytest.param({"alerts": 8}, id="little is lost"),
    ],
)
def test_a_few_that_hardly_wait(tmp_path, story):
    assert kinds(tmp_path, overtaken(**story)) == []
