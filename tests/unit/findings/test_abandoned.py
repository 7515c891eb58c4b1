"""Queues whose consumers have ended, tasks that swallowed their cancellation, and those that
one cancels for all who await them."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds
from tracer import schema as s

PUT, GET = "/app/rows.py:4 read_rows", "/app/rows.py:9 worker"


def producer(ends=100 * MS, waits_ns=800 * MS, acquired=False, what="Queue.put", served=True):
    """`store` makes room once and ends; `reader` waits for room again."""
    trace = TraceBuilder(argv="rows.py", signals=SIGNALS)
    thread = trace.thread("MainThread").native(0)
    loop = trace.loop(thread)
    reader, store = (
        loop.task("read_rows", name="reader", site="/app/rows.py:3 read_rows"),
        loop.task("store_rows", site="/app/rows.py:12 store_rows"),
    )
    room, end = trace.lock(what, PUT), 90 * MS + waits_ns
    store.ready(0).running(0).awaits(MS, "sleep", site="/app/rows.py:14 store_rows")
    reader.ready(0).running(0).awaits(MS, what, acquired=served, lock=room.id, site=PUT)
    store.ready(50 * MS, waker="timer").running(50 * MS)
    reader.ready(60 * MS, **({"by": store} if served else {"waker": "timer"}))
    reader.running(60 * MS)
    store.awaits(61 * MS, "sleep", site="/app/rows.py:14 store_rows")
    reader.awaits(90 * MS, what, acquired=acquired, lock=room.id, site=PUT)
    store.ready(ends, waker="timer").running(ends)
    if acquired:
        store.awaits(ends + 1, "sleep").ready(end - 2, waker="timer").running(end - 2)
    reader.ready(end, **({"by": store} if acquired else {"waker": "timer"})).running(end)
    if acquired or ends >= end:
        store.done(max(ends, end) + MS, "cancelled")
    else:
        store.done(ends + MS, "cancelled")
    reader.done(end + MS)
    thread.end(max(ends, end) + 2 * MS)
    return trace.ended(max(ends, end) + 3 * MS)


def test_the_consumer_was_cancelled(tmp_path):
    (found,) = find_in(tmp_path, producer())
    assert found.finding == "wait in vain"
    assert found.text == (
        "Waited in vain: `reader` in `read_rows` (rows.py:4) waited for room in a queue: 1 "
        "wait in `Queue.put`, 800 ms (at 90.0 ms). Whoever had "
        "emptied it, `store_rows`, had ended (cancelled) at 101 ms. End the producers with "
        "their consumers: keep both in one group, or give `put` a time-out."
    )


def test_waits_for_room_were_short_before(tmp_path):
    trace = TraceBuilder(argv="port.py", signals=SIGNALS)
    engine, sender = trace.thread("engine").native(0), trace.thread("submitter").native(0)
    room = trace.lock("Queue.put", PUT)
    sender.lock_wait(10 * MS, "Queue.put", lock=room, site=PUT)
    engine.release(11 * MS, room, to=sender)
    sender.native(11 * MS)
    sender.lock_wait(90 * MS, "Queue.put", lock=room, site=PUT, acquired=False)
    engine.native(11 * MS).end(100 * MS)
    sender.native(890 * MS).end(900 * MS)
    (found,) = find_in(tmp_path, trace.ended(901 * MS))
    assert "Whoever had emptied it, `engine`, had ended at 100 ms" in found.text


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"waits_ns": 400 * MS}, id="soon over"),
        pytest.param({"ends": 1_000 * MS}, id="the consumer lives on"),
        pytest.param({"acquired": True}, id="it got room in the end"),
    ],
)
def test_producers_that_get_room(tmp_path, story):
    assert "Whoever had emptied" not in "".join(
        found.text for found in find_in(tmp_path, producer(**story))
    )


@pytest.mark.parametrize("what", ["MemoryObjectStream.send", "MemoryChannel.send"])
def test_streams_are_queues(tmp_path, what):
    (found,) = find_in(tmp_path, producer(what=what))
    assert f"1 wait in `{what}`" in found.text


def test_nobody_ever_made_room(tmp_path):
    (found,) = find_in(tmp_path, producer(served=False))
    assert found.text.startswith(
        "Waited in vain: `reader` in `read_rows` (rows.py:4) gave up 2 waits in `Queue.put`"
    )


def stopped(again=4, ns=200 * MS, swallows=True, awaited="sleep", by_stop=True):
    """`stop` cancels `worker` and awaits it; the worker awaits the same again, or ends."""
    trace = TraceBuilder(argv="rows.py", signals=SIGNALS)
    thread = trace.thread("MainThread").native(0)
    loop = trace.loop(thread)
    main, worker = (
        loop.task(name, name=name, site=f"/app/rows.py:8 {name}")
        for name in ("main", "worker")
    )
    worker.ready(0).running(0).awaits(MS, awaited, site=GET)
    main.ready(0).running(100 * MS)
    if by_stop:
        worker.ready(101 * MS, by=main)
    else:
        worker.ready(101 * MS, waker="timer")
    main.awaits(102 * MS, "task worker", site="/app/rows.py:20 stop")
    worker.running(103 * MS)
    at = 103 * MS
    for n in range(again):
        where = GET if swallows else f"/app/rows.py:{30 + n} clean_up"
        worker.awaits(at, awaited, site=where)
        at += ns
        worker.ready(at, waker="timer").running(at)
    main.ready(at + 1, by=worker)
    worker.done(at + 2, "done" if swallows else "cancelled")
    main.running(at + 3).done(at + 4)
    thread.end(at + MS)
    return trace.ended(at + 2 * MS)


def test_a_swallowed_cancellation(tmp_path):
    (found,) = find_in(tmp_path, stopped())
    assert found.finding == "wait in vain"
    assert found.text == (
        "Waited in vain: `main` in `stop` (rows.py:20) cancelled `worker` and waited 801 ms "
        "for its end (at 102 ms), but `worker` swallowed the cancellation in `worker` "
        "(rows.py:9) and awaited `sleep` there 4 times more. Catch `Exception`, not "
        "`BaseException`, or raise `CancelledError` again."
    )
    assert found.severity_ns == 800 * MS


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"swallows": False}, id="it cleans up"),
        pytest.param({"ns": 100 * MS}, id="soon over"),
        pytest.param({"again": 1, "ns": 800 * MS}, id="once"),
        pytest.param({"by_stop": False}, id="it was not cancelled"),
        pytest.param({"awaited": "Event"}, id="it was woken, as events wake"),
    ],
)
def test_tasks_that_are_awaited(tmp_path, story):
    assert kinds(tmp_path, stopped(**story)) == []


def group(idle_ns=1_200 * MS, sent=True, gave_up=True, produces=0, what="TaskGroup"):
    """`main` waits for a group whose workers wait for items; `produce` has ended."""
    trace = TraceBuilder(argv="rows.py", signals=SIGNALS)
    thread = trace.thread("MainThread").native(0)
    loop, end = trace.loop(thread), 50 * MS + idle_ns
    main = loop.task("main", name="main", site="/app/rows.py:1 main")
    worker, produce = (
        loop.task(name, name=name, site=f"/app/rows.py:8 {name}", parent=main.id)
        for name in ("worker", "produce")
    )
    items = trace.lock("Queue.get", GET)
    main.ready(0).running(0).awaits(MS, what, site="/app/rows.py:20 main")
    produce.ready(MS).running(40 * MS)
    if sent:
        worker.ready(MS).running(2 * MS)
        worker.awaits(2 * MS, "Queue.get", lock=items.id, site=GET)
        worker.ready(41 * MS, by=produce).running(45 * MS)
    else:
        worker.ready(MS).running(45 * MS)
    if produces:
        produce.awaits(42 * MS, "sleep").ready(produces, waker="timer").running(produces)
    produce.done(max(produces, 43 * MS))
    worker.awaits(50 * MS, "Queue.get", acquired=False, lock=items.id, site=GET)
    if gave_up:
        main.ready(end, waker="timer")
    worker.ready(end + 1, waker="timer").running(end + 2)
    if not gave_up:
        main.ready(end + 3, by=worker)
    worker.done(end + 3, "cancelled")
    main.running(end + 4).done(end + 5)
    thread.end(end + MS)
    return trace.ended(end + 2 * MS)


def test_nobody_fills_the_queue_any_more(tmp_path):
    (found,) = find_in(tmp_path, group())
    assert found.finding == "wait in vain"
    assert found.text == (
        "Waited in vain: `main` in `main` (rows.py:20) waited 1.25 s in `TaskGroup` (at 1.00 "
        "ms) for `worker` in `worker` (rows.py:9), idle in `Queue.get` for the last 1.20 s: "
        "whoever had put something into that queue, `produce`, had ended (done). Send a last "
        "item to each consumer, or cancel them when the producers have ended."
    )


def test_a_nursery_ends_with_its_last_task(tmp_path):
    """Trio's time-out cancels the tasks, and the nursery is over with them."""
    (found,) = find_in(tmp_path, group(gave_up=False, what="nursery"))
    assert found.finding == "wait in vain"
    assert found.text.startswith("Waited in vain: `main` in `main` (rows.py:20) waited 1.25 s")


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"idle_ns": 900 * MS}, id="not for long"),
        pytest.param({"sent": False}, id="nobody is known to put"),
        pytest.param({"gave_up": False}, id="it ended in order"),
        pytest.param({"produces": 800 * MS}, id="the producer lived on"),
    ],
)
def test_consumers_that_are_idle(tmp_path, story):
    assert "wait in vain" not in kinds(tmp_path, group(**story))


ASKS, SITE = "/app/voice.py:22 shared", "/app/voice.py:30 request"


def requests(first_ns=200 * MS, ends="again", impatient="done", how=s.CANCELLED, patient=3):
    """Patient requests and an impatient one await one task, which ends after `first_ns`."""
    trace = TraceBuilder(argv="voice.py", signals=SIGNALS)
    thread = trace.thread("MainThread").native(0)
    loop = trace.loop(thread)
    encode = [loop.task("encode", site="/app/voice.py:12 encode") for _ in range(2)]
    tasks = [loop.task("request", site=SITE) for _ in range(patient)]
    one = loop.task("request", site=SITE)
    encode[0].ready(0).running(1).awaits(2, "sleep", site="/app/voice.py:13 encode")
    for n, task in enumerate([*tasks, one]):
        task.ready(3).running(4 + n)
        task.awaits(10 + n, f"task {encode[0].name}", site=ASKS)
    encode[0].ready(first_ns, waker="cancel").running(first_ns + 1)
    for n, task in enumerate([*tasks, one]):
        task.ready(first_ns + 2, by=encode[0]).running(first_ns + 10 + n)
    encode[0].done(first_ns + 50, how)
    if impatient:
        one.done(first_ns + 60, impatient)
    else:
        one.awaits(first_ns + 60, "sleep", site=SITE)
    encode[1].ready(first_ns + 70).running(first_ns + 71)
    encode[1].awaits(first_ns + 72, "sleep", site="/app/voice.py:13 encode")
    end = first_ns + 300 * MS
    if ends == "again":
        for n, task in enumerate(tasks):
            task.awaits(first_ns + 80 + n, f"task {encode[1].name}", site=ASKS)
        encode[1].ready(end - 1).running(end)
        for n, task in enumerate(tasks):
            task.ready(end + 1, by=encode[1]).running(end + 2 + n).done(end + 10 + n)
    else:
        for n, task in enumerate(tasks):
            task.done(first_ns + 80 + n, ends)
        encode[1].ready(end).running(end + 1)
    encode[1].done(end + 20)
    if not impatient:
        one.ready(end + 30).running(end + 31).done(end + 32)
    thread.end(end + MS)
    return trace.ended(end + 2 * MS)


def test_the_others_begin_again(tmp_path):
    (found,) = find_in(tmp_path, requests())
    assert found.finding == "wait in vain"
    assert found.text == (
        "Waited in vain: 3 tasks `request` awaited `encode` in `shared` (voice.py:22), which "
        "was cancelled once, as another one that awaited it gave up: 3 waits, 600 ms in "
        "total, the longest 200 ms (at 10 ns). A time-out cancels the task that one awaits, "
        "for all who do: `await asyncio.shield(task)`."
    )
    assert found.evidence.site == ASKS


def test_the_others_are_cancelled(tmp_path):
    (found,) = find_in(tmp_path, requests(ends=s.CANCELLED, impatient="failed: TimeoutError"))
    assert (found.finding, found.text[:31]) == (
        "wait in vain", "Waited in vain: 3 tasks `request`"[:31],
    )  # fmt: skip


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"first_ns": 150 * MS}, id="little is lost"),
        pytest.param({"impatient": ""}, id="nobody who awaits it gave up"),
        pytest.param({"how": s.DONE}, id="it ended"),
        pytest.param({"ends": s.CANCELLED, "impatient": s.CANCELLED}, id="all are stopped"),
        pytest.param({"ends": s.DONE}, id="the others do without"),
    ],
)
def test_nothing_is_thrown_away(tmp_path, story):
    assert kinds(tmp_path, requests(**story)) == []
