"""Locks whose owner waits for its turn on the loop while others wait for the lock."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds


def outrun(rounds=10, each_ns=10 * MS, waiters=4, ready=True):
    """`reindex` yields with a lock for which others wait; each time ten others run before it.
    Not `ready`: it sleeps meanwhile."""
    trace = TraceBuilder(argv="cache.py", signals=SIGNALS)
    thread = trace.thread("MainThread").running(0)
    loop, site = trace.loop(thread), "/app/cache.py:9 lookup"
    lock = trace.lock("asyncio.Lock", site)
    holder = loop.task("reindex", site="/app/cache.py:20 reindex").ready(0).running(0)
    loop.step(holder, 0, MS)
    wants = [loop.task("lookup", site="/app/cache.py:8 lookup") for _ in range(waiters)]
    for n, task in enumerate(wants):
        task.ready(0).running(MS + n).awaits(
            MS + n + 1, "Lock", lock=lock.id, site=site, owner_task=holder.id,
            owner_name=holder.name, owner_site="/app/cache.py:21 reindex",
        )  # fmt: skip
        loop.step(task, MS + n, MS + n + 1)
    crowd = [loop.task("batch", site="/app/cache.py:30 batch").ready(0) for _ in range(10)]
    ran, at = MS, 2 * MS
    for _ in range(rounds):
        if ready:
            holder.ready(ran, waker="nobody")
        else:
            holder.awaits(ran, "sleep", site="/app/cache.py:22 reindex")
        for n, task in enumerate(crowd):
            begin = at + n * each_ns
            task.running(begin)
            loop.step(task, begin, begin + each_ns - 1)
            task.ready(begin + each_ns - 1, waker="nobody")
        at += 10 * each_ns
        if not ready:
            holder.ready(at, waker="timer")
        holder.running(at)
        loop.step(holder, at, at + MS)
        ran = at = at + MS
    lock.hold(0, at, holder, "/app/cache.py:21 reindex")
    for task in wants:
        task.ready(at, by=holder)
    holder.done(at)
    for n, task in enumerate(wants):
        task.running(at + n)
        loop.step(task, at + n, at + n + 1)
        task.done(at + n + 1)
    for n, task in enumerate(crowd):
        end = at + MS + n
        task.running(end).done(end + 1)
        loop.step(task, end, end + 1)
    thread.end(at + 2 * MS)
    return trace.ended(at + 3 * MS)


def test_held_while_others_run(tmp_path):
    """The owner could go on, but the loop runs a crowd before it each time."""
    found = find_in(tmp_path, outrun())
    (held,) = (one for one in found if one.finding == "lock held across await")
    assert held.text == (
        "`reindex` (cache.py:21) holds an asyncio.Lock while it waits for its turn to run, "
        "behind `batch` (cache.py:30): for 99 % of the time it is held; the longest hold took "
        "1.01 s. Meanwhile others queue for it: 4 waits, 4.04 s summed over all of them, the "
        "longest 1.01 s."
    )
    assert held.next_step.startswith("Do not yield while it is held")


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"rounds": 1}, id="little is lost"),
        pytest.param({"each_ns": 25 * MS}, id="long steps are the fault"),
        pytest.param({"each_ns": MS // 20}, id="its own steps take most of it"),
    ],
)
def test_not_held_while_others_run(tmp_path, story):
    assert "lock held across await" not in kinds(tmp_path, outrun(**story))


def test_asleep_with_a_lock_is_told_as_such(tmp_path):
    found = find_in(tmp_path, outrun(ready=False))
    (held,) = (one for one in found if one.finding == "lock held across await")
    assert "across `await sleep` (cache.py:22)" in held.text
