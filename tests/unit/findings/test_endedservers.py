"""Waits that nobody ends any more, since whoever ended such waits has failed or ended."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds
from tracer import schema as s

ASK = "/app/store.py:24 ask"


def store(how="failed: KeyError", served=3, ns=300 * MS, again=False, name="future"):
    """Three tasks ask `store`, which answers, and ends at 100 ms; then each asks once more.
    `again`: somebody else answers the first of these."""
    trace = TraceBuilder(argv="store.py", signals=SIGNALS)
    thread = trace.thread("MainThread").native(0)
    loop = trace.loop(thread)
    actor, other = (
        loop.task(name, site=f"/app/store.py:{line} {name}").ready(0).running(0)
        for name, line in (("store", 12), ("other", 40))
    )
    actor.awaits(1, "sleep")
    other.awaits(2, "sleep")
    tasks = [loop.task("request", site="/app/store.py:30 request") for _ in range(3)]
    for n, task in enumerate(tasks):
        task.ready(n).running(n).awaits(n + MS, name, site=ASK)
    actor.ready(20 * MS, waker="timer").running(20 * MS)
    for n, task in enumerate(tasks[:served]):
        task.ready(20 * MS + n, by=actor)
    actor.awaits(21 * MS, "sleep")
    for n, task in enumerate(tasks[:served]):
        task.running(21 * MS + n)
    for task in tasks[served:]:
        task.ready(50 * MS, waker="timer").running(50 * MS)
    for n, task in enumerate(tasks):
        task.awaits((60 + n) * MS, name, acquired=again and not n, lock=7 + n, site=ASK)
    actor.ready(99 * MS, waker="timer").running(99 * MS).done(100 * MS, how)
    end = 100 * MS + ns
    other.ready(end, waker="timer").running(end)
    for n, task in enumerate(tasks):
        if again and not n:
            task.ready(end + n, by=other)
        else:
            task.ready(end + n, waker="timer")
    other.done(end + MS)
    for n, task in enumerate(tasks):
        task.running(end + MS + n).done(end + MS + n)
    thread.end(110 * MS + ns)
    return trace.ended(111 * MS + ns)


def test_who_had_answered_failed(tmp_path):
    (found,) = find_in(tmp_path, store())
    assert found.finding == "wait in vain"
    assert found.text == (
        "Waited in vain: 3 tasks `request` in `ask` (store.py:24) waited for `future`: 3 "
        "waits, 900 ms in total, the longest 340 ms (at 60.0 ms). `store`, which had ended "
        "such waits, failed (KeyError) at 100 ms. Fix that exception, and let those who wait "
        "know when such a task ends."
    )
    assert (found.severity_ns, found.evidence.site) == (900 * MS + 3, ASK)


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"how": s.DONE}, id="it was done"),
        pytest.param({"how": s.CANCELLED}, id="it was cancelled"),
        pytest.param({"served": 1}, id="it had served one only"),
        pytest.param({"ns": 160 * MS}, id="little was lost"),
        pytest.param({"again": True}, id="somebody else answers, too"),
    ],
)
def test_no_failure_that_others_waited_for(tmp_path, story):
    assert "failed" not in " ".join(one.text for one in find_in(tmp_path, store(**story)))


def test_permits_that_a_failed_task_gave(tmp_path):
    assert kinds(tmp_path, store(name="Semaphore")) == ["wait in vain"]


def feed(items=6, ns=1_200 * MS, how=s.DONE, wakes="timer", others=0, after="ends"):
    """`read` puts items, each of which `consume` waits for, and ends; then that waits once
    more. `others`: so many items come from a second task. `after` that it ends, or waits."""
    trace = TraceBuilder(argv="feed.py", signals=SIGNALS)
    thread = trace.thread("MainThread").native(0)
    loop = trace.loop(thread)
    readers = [loop.task(name, site=f"/app/feed.py:9 {name}") for name in ("read", "other")]
    for reader in readers:
        reader.ready(0).running(0).awaits(1, "socket")
    consumer = loop.task("consume", site="/app/feed.py:20 consume").ready(2).running(3)
    for n in range(items):
        at, reader = 4 + n * 20 * MS, readers[n < others]
        consumer.awaits(at, "Queue.get", lock=5, site="/app/feed.py:22 consume")
        reader.ready(at + 15 * MS, waker="io").running(at + 15 * MS)
        consumer.ready(at + 16 * MS, by=reader)
        reader.awaits(at + 16 * MS, "socket")
        consumer.running(at + 17 * MS)
    end = items * 20 * MS
    consumer.awaits(end, "Queue.get", lock=5, site="/app/feed.py:22 consume")
    readers[0].ready(end, waker="io").running(end).done(end + MS, how)
    if wakes == "nothing":
        thread.end(end + ns)
        return trace.ended(end + ns + MS)
    if wakes == "other":
        readers[1].ready(end + ns, waker="timer").running(end + ns)
        consumer.ready(end + ns, by=readers[1])
        readers[1].done(end + ns)
    else:
        consumer.ready(end + ns, waker="timer", via="Timeout._on_timeout")
    consumer.running(end + ns + 1)
    if after == "waits":
        consumer.awaits(end + ns + 2, "Queue.get", lock=5, site="/app/feed.py:22 consume")
        end += ns
        consumer.ready(end + ns, waker="timer", via="Timeout._on_timeout").running(end + ns)
    consumer.done(end + ns + 2, s.CANCELLED)
    thread.end(end + ns + MS)
    return trace.ended(end + ns + 2 * MS)


def test_who_had_put_came_to_its_end(tmp_path):
    (found,) = find_in(tmp_path, feed())
    assert found.finding == "wait in vain"
    assert found.text == (
        "Waited in vain: `consume` in `consume` (feed.py:22) waited for `Queue.get`: 1 wait, "
        "1.20 s (at 120 ms). `read`, which alone had ended such "
        "waits, had ended at 121 ms, and nobody did any more. Let those who wait know when it "
        "ends: a last item that says so, or `Queue.shutdown`."
    )
    assert found.severity_ns == 1_199 * MS


def workers(clients=3, rounds=2, ends=True, ns=1_100 * MS, shared=False):
    """Each client has a worker that answers it and ends when idle; then it asks once more."""
    trace = TraceBuilder(argv="operator.py", signals=SIGNALS)
    thread = trace.thread("MainThread").native(0)
    loop, asks, end = trace.loop(thread), "/app/operator.py:36 submit", 0
    serving = [
        loop.task("worker", site="/app/operator.py:9 worker")
        .ready(n)
        .running(n)
        .awaits(n + 1, "sleep")
        for n in range(clients)
    ]
    for n in range(clients):
        at = 10 + n * 1_000
        client = loop.task("client", site="/app/operator.py:40 client").ready(at).running(at)
        for k in range(rounds):
            worker = serving[(n + k) % clients if shared else n]
            client.awaits(at + 1, "future", site=asks)
            at += 20 * MS + n
            worker.ready(at, waker="timer").running(at)
            client.ready(at + 1, by=worker)
            worker.awaits(at + 2, "sleep")
            at += 3
            client.running(at)
        client.awaits(at + 4, "sleep").ready(at + 300 * MS, waker="timer")
        at += 300 * MS
        client.running(at).awaits(at + 1, "future", site=asks)
        end = max(end, at + ns)
        client.ready(at + ns, waker="timer", via="Timeout._on_timeout").running(at + ns)
        client.done(at + ns + 1)
    for n, worker in enumerate(serving):
        at = 200 * MS + n if ends else end + n
        worker.ready(at, waker="timer").running(at).done(at + 1)
    thread.end(end + MS)
    return trace.ended(end + 2 * MS)


def test_the_worker_of_each_has_ended(tmp_path):
    (found,) = find_in(tmp_path, workers())
    assert found.finding == "wait in vain"
    assert found.text.startswith(
        "Waited in vain: 3 tasks `client` in `submit` (operator.py:36) waited for `future`: 3 "
        "waits, 3.30 s in total, the longest 1.10 s"
    )
    assert "3 tasks `worker`, which alone had ended such waits, had ended" in found.text


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"clients": 2}, id="few answers"),
        pytest.param({"ends": False}, id="they are still there"),
        pytest.param({"ns": 900 * MS}, id="they soon give up"),
        pytest.param({"shared": True}, id="several answer each"),
    ],
)
def test_workers_that_may_end(tmp_path, story):
    found = find_in(tmp_path, workers(**story))
    assert "alone had ended" not in " ".join(one.text for one in found)


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"items": 4}, id="few items"),
        pytest.param({"wakes": "nothing"}, id="it waits still: what comes is to be served"),
        pytest.param({"after": "waits"}, id="it waits again: a service with nothing to do"),
        pytest.param({"ns": 990 * MS}, id="it soon gave up"),
        pytest.param({"how": s.CANCELLED}, id="all were stopped"),
        pytest.param({"wakes": "other"}, id="somebody else puts something in the end"),
        pytest.param({"others": 1}, id="two had put"),
    ],
)
def test_a_source_that_may_end(tmp_path, story):
    assert "alone had ended" not in " ".join(
        one.text for one in find_in(tmp_path, feed(**story))
    )
