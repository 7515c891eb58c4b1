"""Steps that follow each other: each is quick, together they block the loop."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds

ORDERS, PING = "/app/shop.py:4 list_orders", "/app/shop.py:9 ping"


def crowd(tasks=8, step_ns=15 * MS, pings=6, preempted=False, apart_ns=0, same=False):
    """Tasks compute one after the other, while others are ready."""
    trace = TraceBuilder(argv="shop.py", signals=SIGNALS)
    thread = trace.thread("MainThread").running(0)
    loop = trace.loop(thread)
    site = ORDERS if same else PING
    name = "list_orders" if same else "ping"
    late = [loop.task(name, site=site).ready(0) for _ in range(pings)]
    many = [loop.task("list_orders", site=ORDERS).ready(0) for _ in range(tasks)]
    at = 1_000
    for task in many:
        task.running(at)
        if preempted:
            thread.preempted(at + 1_000).running(at + step_ns - 1_000)
        loop.step(task, at, at + step_ns)
        at += step_ns
        task.done(at)
        if apart_ns:
            for ping in late:
                ping.running(at).awaits(at + 1_000, "sleep", site=site)
                loop.step(ping, at, at + 1_000)
                at += 1_000
            at += apart_ns
            for ping in late:
                ping.ready(at, waker="timer")
        at += 1_000
    for ping in late:
        ping.running(at).done(at + 1_000)
        loop.step(ping, at, at + 1_000)
        at += 1_000
    thread.native(at).end(at + MS)
    return trace.ended(at + 2 * MS)


def test_steps_that_follow_each_other(tmp_path):
    (found,) = find_in(tmp_path, crowd())
    assert found.finding == "loop blocked"
    assert found.text == (
        "`list_orders` (shop.py:4) blocks the event loop with steps that follow each other: 8 "
        "of them took 15.0 ms on average, 120 ms in total; it spends 100 % of that time "
        "computing; because of them `ping` (shop.py:9) runs up to 120 ms late, and other "
        "tasks lost 720 ms in all."
    )
    assert found.next_step.startswith("Compute in a process")


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"tasks": 4, "step_ns": 19 * MS, "pings": 10}, id="few"),
        pytest.param({"step_ns": 9 * MS, "tasks": 12}, id="quick"),
        pytest.param({"pings": 3}, id="little is lost"),
        pytest.param({"preempted": True}, id="the kernel has the CPU"),
        pytest.param({"apart_ns": 5 * MS, "tasks": 20}, id="others run in between"),
        pytest.param({"same": True}, id="only its own kind waits"),
    ],
)
def test_steps_that_hold_up_nobody(tmp_path, story):
    assert kinds(tmp_path, crowd(**story)) == []
