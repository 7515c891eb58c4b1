"""Queues whose consumer is slower than its producers."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds


def audit(producers=6, each_ns=40 * MS, consumers=1, acquired=True):
    """Each producer waits until a consumer, asleep for each item, makes room."""
    trace = TraceBuilder(argv="audit.py", signals=SIGNALS)
    queue = trace.lock("Queue.put", "/app/audit.py:7 handle")
    writers = [trace.thread(f"writer-{n}").native(0) for n in range(consumers)]
    for writer in writers:
        writer.sleep(MS, site="/app/audit.py:20 send")
    web = [trace.thread(f"web-{n}").native(0) for n in range(producers)]
    for n, thread in enumerate(web):
        thread.lock_wait(
            (n + 1) * MS, "Queue.put", lock=queue, site="/app/audit.py:7 handle",
            acquired=acquired,
        )  # fmt: skip
    for n, thread in enumerate(web):
        at, writer = (n + 1) * each_ns, writers[n % consumers]
        writer.native(at).release(at + MS, queue, to=thread)
        writer.sleep(at + 2 * MS, site="/app/audit.py:20 send")
        thread.native(at + MS).end(at + 3 * MS)
    end = (producers + 2) * each_ns
    for writer in writers:
        writer.native(end).end(end + MS)
    return trace.ended(end + 2 * MS)


def test_one_writer_for_many_requests(tmp_path):
    (found,) = find_in(tmp_path, audit())
    assert found.finding == "slow consumer"
    assert found.text == (
        "Slow consumer: 6 threads `web-N` in `handle` (audit.py:7) waited for room in a "
        "queue: 6 waits in `Queue.put`, 825 ms in total, the longest 235 ms (at 6.00 ms). "
        "Only `writer-0` empties it, 95 % of that time asleep in `send` (audit.py:20). If "
        "they should not wait, take several items at once, use more consumers, or drop what "
        "has no room."
    )


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"producers": 3, "each_ns": 200 * MS}, id="a pipeline"),
        pytest.param({"consumers": 2}, id="several consumers"),
        pytest.param({"each_ns": 20 * MS}, id="little is lost"),
    ],
)
def test_back_pressure(tmp_path, story):
    assert kinds(tmp_path, audit(**story)) == []


def test_waits_in_vain_are_another_fault(tmp_path):
    assert kinds(tmp_path, audit(acquired=False)) == ["wait in vain"]


def logged(rounds=36, threads=5, each_ns=20 * MS):
    """Each thread waits for room in the queue while it has the lock that the others want."""
    trace = TraceBuilder(argv="audit.py", signals=SIGNALS)
    lock = trace.lock("RLock", "/app/audit.py:5 handle")
    queue = trace.lock("Queue.put", "/app/audit.py:7 enqueue")
    writer = trace.thread("writer").native(0).sleep(MS, site="/app/audit.py:20 send")
    web = [trace.thread(f"web-{n}").native(0) for n in range(threads)]
    at = 2 * MS
    for n, thread in enumerate(web[1:]):
        thread.lock_wait(
            at - MS + n, "RLock", lock=lock, site="/app/audit.py:5 handle", owner=web[0]
        )
    for n in range(rounds):
        thread, following = web[n % threads], web[(n + 1) % threads]
        end, is_last = at + each_ns, n > rounds - threads
        thread.lock_wait(at + 10, "Queue.put", lock=queue, site="/app/audit.py:7 enqueue")
        writer.native(end - 20).release(end - 10, queue, to=thread)
        writer.sleep(end - 5, site="/app/audit.py:20 send")
        thread.native(end - 10)
        lock.hold(at, end, thread, "/app/audit.py:5 handle")
        if n == rounds - 1:
            break
        thread.release(end, lock, to=following)
        if is_last:
            thread.end(end + 1)
        else:
            thread.lock_wait(
                end + 1, "RLock", lock=lock, site="/app/audit.py:5 handle", owner=following
            )
        following.native(end)
        at = end
    writer.native(at + each_ns).end(at + each_ns + MS)
    thread.end(at + each_ns + MS)
    return trace.ended(at + each_ns + 2 * MS)


def test_a_queue_for_which_the_holder_of_a_lock_waits(tmp_path):
    queue, lock = find_in(tmp_path, logged())
    assert (queue.finding, lock.finding) == ("slow consumer", "lock convoy")
    assert lock.behind == queue.evidence.site == "/app/audit.py:7 enqueue"
    assert "5 threads `web-N` in `enqueue` (audit.py:7)" in queue.text


def test_a_queue_that_costs_less_than_half_a_second(tmp_path):
    (lock,) = find_in(tmp_path, logged(rounds=24))
    assert lock.finding == "lock convoy"
    assert "waiting in `Queue.put` (audit.py:7)" in lock.text


def channel(senders=6, each_ns=40 * MS, what="MemoryChannel.send", receivers=1):
    """Each task sends into its own clone of a channel; a task receives one item at a time."""
    trace = TraceBuilder(argv="audit.py", signals=SIGNALS)
    thread = trace.thread("MainThread").native(0)
    loop = trace.loop(thread)
    stores = [
        loop.task("store", site="/app/audit.py:20 store").ready(n).running(n)
        for n in range(receivers)
    ]
    for n, store in enumerate(stores):
        store.awaits(MS + n, "sleep", site="/app/audit.py:21 store")
    sends = [loop.task("scrape", site="/app/audit.py:5 scrape") for _ in range(senders)]
    for n, task in enumerate(sends):
        clone = trace.lock(what, "/app/audit.py:7 scrape")
        task.ready(MS).running(MS + n).awaits(
            MS + n + 1, what, lock=clone.id, site="/app/audit.py:7 scrape"
        )
    for n, task in enumerate(sends):
        at, store = (n + 1) * each_ns, stores[n % receivers]
        store.ready(at, waker="timer").running(at)
        task.ready(at, by=store)
        store.awaits(at + 1, "sleep", site="/app/audit.py:21 store")
        task.running(at + 2).done(at + 3)
    end = (senders + 1) * each_ns
    for store in stores:
        store.ready(end, waker="timer").running(end).done(end + 1)
    thread.end(end + 2)
    return trace.ended(end + MS)


@pytest.mark.parametrize("what", ["MemoryChannel.send", "MemoryObjectStream.send"])
def test_clones_of_one_channel(what, tmp_path):
    (found,) = find_in(tmp_path, channel(what=what))
    assert found.finding == "slow consumer"
    assert found.text.startswith(
        "Slow consumer: 6 tasks `scrape` in `scrape` (audit.py:7) waited for room in a queue: "
        f"6 waits in `{what}`, 834 ms in total"
    )
    assert "Only `store` empties it" in found.text


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"senders": 3, "each_ns": 200 * MS}, id="a pipeline"),
        pytest.param({"receivers": 2}, id="several receivers"),
        pytest.param({"each_ns": 20 * MS}, id="little is lost"),
        pytest.param({"what": "Queue.put"}, id="queues of their own"),
    ],
)
def test_channels_that_slow_down(tmp_path, story):
    assert kinds(tmp_path, channel(**story)) == []
