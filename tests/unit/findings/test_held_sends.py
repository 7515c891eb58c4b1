"""Locks that are held until somebody at the other end of a connection has read."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in

TAKES, SENDS = "/app/hub.py:9 send_state", "/app/hub.py:11 send_state"
DRAIN = "/lib/python3.13/asyncio/streams.py:163 FlowControlMixin._drain_helper"


def sends(stack):
    """Six tasks send to a client in turn, with its lock, 150 ms each."""
    trace = TraceBuilder(argv="hub.py", signals=SIGNALS)
    thread = trace.thread("MainThread").native(0)
    loop, lock = trace.loop(thread), trace.lock("asyncio.Lock", TAKES)
    tasks = [loop.task("send_state", site="/app/hub.py:8 send_state") for _ in range(6)]
    first, *others = tasks
    first.ready(0).running(1).awaits(2, "socket", site=SENDS, stack=f"{stack}\n{SENDS}")
    for n, task in enumerate(others):
        task.ready(3 + n).running(10 + n)
        task.awaits(
            20 + n, "Lock", lock=lock.id, site=TAKES,
            owner_task=first.id, owner_name=first.name, owner_site=TAKES,
        )  # fmt: skip
    since, now = 1, 0
    for n, task in enumerate(tasks):
        now = (n + 1) * 150 * MS
        task.ready(now, waker="io").running(now + 1)
        lock.hold(since, now + 2, task, TAKES)
        if n + 1 < len(tasks):
            following = tasks[n + 1]
            following.ready(now + 2, by=task).running(now + 10)
            following.awaits(now + 11, "socket", site=SENDS, stack=f"{stack}\n{SENDS}")
        task.done(now + 5)
        since = now + 2
    thread.end(now + MS)
    return trace.ended(now + 2 * MS)


@pytest.mark.parametrize("stack", [DRAIN, "/lib/python3.13/asyncio/streams.py:500 read"])
def test_held_across_a_send(tmp_path, stack):
    """What is awaited is for whoever reads at the other end, or from there."""
    (found,) = [f for f in find_in(tmp_path, sends(stack)) if "Lock" in f.text]
    assert found.finding == "lock held across await"
    is_said = "`await socket` (hub.py:11), until the other side has read: for" in found.text
    is_told = found.next_step.startswith("Give that a time-out, and drop a client")
    assert is_said is is_told is (stack == DRAIN)
