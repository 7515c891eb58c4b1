"""Waits that ran into a time-out: what did not come, and what paces a loop."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds
from tracer import schema as s

RUN, ADD = "/app/jobs.py:7 run_jobs", "/app/jobs.py:11 add_job"


def sleeper(
    timed_out=True,
    waits_ns=800 * MS,
    since=100 * MS,
    pauses="Condition.wait",
    waits="Event.wait",
):
    """`runner` sleeps for a second; `main` waits for it from some time on."""
    trace = TraceBuilder(argv="jobs.py", signals=SIGNALS)
    runner, main = trace.thread("runner"), trace.thread("main")
    jobs, done = trace.lock(pauses, RUN), trace.lock(waits, ADD)
    end = since + waits_ns
    runner.lock_wait(0, pauses, lock=jobs, site=RUN, acquired=not timed_out)
    main.native(0).lock_wait(since, waits, lock=done, site=ADD)
    if not timed_out:
        main.release(end - MS, jobs, to=runner)
    runner.native(end - MS).release(end, done, to=main)
    main.native(end).end(end + MS)
    runner.end(end + MS)
    return trace.ended(end + 2 * MS)


def test_a_missed_wake_up(tmp_path):
    (found,) = find_in(tmp_path, sleeper())
    assert found.finding == "missed wake-up"
    assert found.text == (
        "Missed wake-up: `runner` slept in `Condition.wait` in `run_jobs` (jobs.py:7) until "
        "its time-out of 899 ms, though `main` in `add_job` (jobs.py:11) waited for it: 800 "
        "ms lost in 1 wait, the longest 800 ms (at 100 ms). Wake it (`notify`, `set`, `put`) "
        "when there is something to do."
    )
    assert (found.severity_ns, found.evidence.site) == (800 * MS, ADD)


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"timed_out": False}, id="it was woken"),
        pytest.param({"waits_ns": 190 * MS}, id="it collects a batch"),
    ],
)
def test_no_missed_wake_up(tmp_path, story):
    assert kinds(tmp_path, sleeper(**story)) == []


@pytest.mark.parametrize(
    ("pauses", "waits", "found"),
    [
        pytest.param("Event.wait", "executor idle", [], id="a worker that is idle"),
        pytest.param("Event.wait", "Queue.get", [], id="it pauses between two items"),
        pytest.param(
            "Condition.wait", "Queue.get", ["missed wake-up"], id="it is told of jobs"
        ),
    ],
)
def test_who_only_waits_for_more(tmp_path, pauses, waits, found):
    assert kinds(tmp_path, sleeper(pauses=pauses, waits=waits)) == found


def queue_join(idle=True, acquired=False):
    """`main` waits until all items are done; the worker has nothing to do, or has."""
    trace = TraceBuilder(argv="join.py", signals=SIGNALS)
    worker, main = trace.thread("worker"), trace.thread("main")
    items, end = trace.lock("Queue.get", "/app/join.py:4 work"), 900 * MS
    if idle:
        worker.lock_wait(
            0, "Queue.get", lock=items, site="/app/join.py:4 work", acquired=False
        )
    else:
        worker.native(0)
    done = trace.lock("Queue.join", "/app/join.py:9 stop")
    main.lock_wait(0, "Queue.join", lock=done, site="/app/join.py:9 stop", acquired=acquired)
    if acquired:
        worker.native(end - MS).release(end, done, to=main)
    main.native(end).end(end + MS)
    worker.native(end + MS).end(end + 2 * MS)
    return trace.ended(end + 3 * MS)


def test_items_that_were_never_done(tmp_path):
    (found,) = find_in(tmp_path, queue_join())
    assert found.finding == "wait in vain"
    assert found.text == (
        "Waited in vain: `main` in `stop` (join.py:9) waited 900 ms in `Queue.join` (at 0), "
        "though `worker` in `work` (join.py:4) had nothing to do in `Queue.get` for most of "
        "it: some items were never marked as done. Call `task_done` for each item, in a "
        "`finally`."
    )


def test_items_that_take_long(tmp_path):
    """All that can be said is that it gave up."""
    (found,) = find_in(tmp_path, queue_join(idle=False))
    assert found.text.startswith("Waited in vain: `main` in `stop` (join.py:9) gave up 1 wait")


def test_items_that_are_done_in_the_end(tmp_path):
    assert kinds(tmp_path, queue_join(idle=False, acquired=True)) == []


def waits(name="Event.wait", count=1, ns=1_200 * MS, thread="MainThread", once_set=False):
    trace = TraceBuilder(argv="wait.py", signals=SIGNALS)
    main, setter = trace.thread(thread).native(0), trace.thread("setter").native(0)
    starter = trace.thread("starter")
    start = {s.ARG_SITE: "/app/wait.py:2 wait", s.ARG_STACK: "/app/wait.py:2 wait"}
    begun = trace.instant(main.track, 0, s.THREAD_START, s.CAT_THREAD, **start)
    trace.arrow(begun, trace.instant(starter.track, 0, s.THREAD_STARTED, s.CAT_THREAD))
    starter.native(0).end(MS)
    lock, at = trace.lock(name, "/app/wait.py:3 wait"), MS
    for n in range(count):
        got = once_set and n == count - 1
        main.lock_wait(at, name, lock=lock, site="/app/wait.py:3 wait", acquired=got)
        at += ns
        if got:
            setter.release(at, lock, to=main)
        main.native(at)
        at += MS
    main.end(at)
    setter.end(at)
    return trace.ended(at + MS)


def test_what_never_came(tmp_path):
    (found,) = find_in(tmp_path, waits())
    assert found.finding == "wait in vain"
    assert found.text == (
        "Waited in vain: `MainThread` in `wait` (wait.py:3) gave up 1 wait in `Event.wait`, "
        "1.20 s (at 1.00 ms); nothing ended it. Look at what "
        "should have ended it, and whether it was ever started."
    )


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"count": 3}, id="it looks again and again"),
        pytest.param({"count": 2, "once_set": True}, id="it came in the end"),
        pytest.param({"thread": "flusher"}, id="it paces a helper"),
        pytest.param({"ns": 400 * MS, "count": 2}, id="short"),
        pytest.param({"name": "Future.result", "ns": 400 * MS}, id="a result, soon"),
    ],
)
def test_time_outs_that_are_no_fault(tmp_path, story):
    assert kinds(tmp_path, waits(**story)) == []


READ, ROOM = "/app/box.py:5 wait_for_items", "/app/box.py:9 wait_for_room"


def one_condition(first=READ, notified=True, wakes_at=300 * MS, times=1):
    """`writer` runs into its time-out; meanwhile `main` notifies, and `reader` wakes up."""
    trace = TraceBuilder(argv="box.py", signals=SIGNALS)
    reader, writer, main = (trace.thread(name) for name in ("reader", "writer", "main"))
    box, at = trace.lock("Condition.wait", READ), 0
    for _ in range(times):
        end = at + 1_000 * MS
        reader.lock_wait(at, "Condition.wait", lock=box, site=first, acquired=notified)
        writer.lock_wait(at + 1, "Condition.wait", lock=box, site=ROOM, acquired=False)
        main.native(at + 2)
        if notified:
            main.release(at + wakes_at, box, to=reader)
            reader.native(at + wakes_at)
        else:
            reader.native(end + 1)
        writer.native(end)
        at = end + MS
    for thread in (reader, writer, main):
        thread.end(at)
    return trace.ended(at + MS)


def test_notify_that_woke_another(tmp_path):
    (found,) = find_in(tmp_path, one_condition())
    assert found.finding == "missed wake-up"
    assert found.text == (
        "Missed wake-up: `writer` slept in `Condition.wait` in `wait_for_room` (box.py:9) "
        "until its time-out of 1.00 s (at 1 ns), though `main` notified the condition "
        "meanwhile: that woke `reader` in `wait_for_items` (box.py:5), which waits for "
        "something else. Call `notify_all`, or have a condition for each."
    )
    assert (found.severity_ns, found.evidence.site) == (999_999_999, ROOM)


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"first": ROOM}, id="who waits for the same"),
        pytest.param({"wakes_at": 900 * MS}, id="at its end"),
        pytest.param({"notified": False}, id="nobody notified"),
        pytest.param({"times": 3}, id="it paces a loop"),
    ],
)
def test_notify_that_is_right(tmp_path, story):
    assert kinds(tmp_path, one_condition(**story)) == []


FETCH, JOIN = "/app/mail.py:9 fetch", "/app/mail.py:16 run_timed"


def joins(threads=9, ends=False, ns=60 * MS):
    """`main` waits for one thread after the other with a time-out; they stay in `recv`."""
    trace = TraceBuilder(argv="mail.py", signals=SIGNALS)
    main, at = trace.thread("main").native(0), MS
    fetchers = []
    for n in range(threads):
        fetcher = trace.thread(f"Thread-{n + 1} (fetch)").native(at)
        fetcher.io(at + 10, "socket.recv", site=FETCH)
        lock = trace.lock("Thread.join", JOIN)
        main.lock_wait(at, "Thread.join", lock=lock, site=JOIN, owner=fetcher, acquired=False)
        at += ns
        main.native(at)
        at += MS
        fetchers.append(fetcher)
        if ends:
            fetcher.native(at).end(at + MS)
    for fetcher in fetchers if not ends else ():
        fetcher.native(at).end(at + MS)
    main.end(at + 2 * MS)
    return trace.ended(at + 3 * MS)


def test_threads_that_are_left_alone(tmp_path):
    (found,) = find_in(tmp_path, joins())
    assert found.finding == "workers never exit"
    assert found.text == (
        "Threads pile up: `main` in `run_timed` (mail.py:16) waited for one thread after the "
        "other, gave up 9 waits in `Thread.join`, and 9 threads `Thread-N (fetch)` are still "
        "alive; during the last wait they spent 99 % of that time in `socket.recv` in `fetch` "
        "(mail.py:9). A thread cannot be stopped from outside: give what it does a time-out "
        "of its own."
    )


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"threads": 7, "ns": 80 * MS}, id="some"),
        pytest.param({"ends": True}, id="they end soon after"),
    ],
)
def test_threads_that_take_long(tmp_path, story):
    assert "workers never exit" not in kinds(tmp_path, joins(**story))


def stuck(calls=True):
    """`main` joins a thread that stands in a call without a line, as one that is not over."""
    trace = TraceBuilder(argv="sync.py", signals=SIGNALS)
    main = trace.thread("MainThread").native(0)
    worker = trace.thread("sync").native(0)
    site = "/app/sync.py:9 fetch" if calls else ""
    worker.io(MS, "socket.connect", site=site).native(2 * MS).io(3 * MS, "socket.recv_into")
    lock = trace.lock("Thread.join", "/app/sync.py:20 stop")
    main.lock_wait(
        4 * MS, "Thread.join", lock=lock, site="/app/sync.py:20 stop", owner=worker,
        acquired=False,
    )  # fmt: skip
    main.native(804 * MS).end(805 * MS)
    worker.end(806 * MS)
    return trace.ended(807 * MS)


@pytest.mark.parametrize(
    ("calls", "said"),
    [(True, " after a call in `fetch` (sync.py:9)."), (False, "recv_into`.")],
)
def test_where_a_thread_was_before_a_call_that_is_not_over(tmp_path, calls, said):
    (found,) = find_in(tmp_path, stuck(calls))
    assert found.finding == "wait in vain"
    assert (
        "for the end of `sync`, which spent 99 % of that time in `socket.recv_into`"
        in (found.text)
        or "100 % of that time in `socket.recv_into`" in found.text
    )
    assert said in found.text


def monitor(timed_out=True, wants="Lock"):
    """`borrower` sleeps in a condition and has a lock that `returner` waits for."""
    trace = TraceBuilder(argv="shelf.py", signals=SIGNALS)
    borrower, returner = trace.thread("borrower"), trace.thread("returner").native(0)
    take, give = "/app/shelf.py:15 take", "/app/shelf.py:35 give_back"
    books, lock = trace.lock("Condition.wait", take), trace.lock(wants, give)
    borrower.lock_wait(0, "Condition.wait", lock=books, site=take, acquired=not timed_out)
    returner.lock_wait(100 * MS, wants, lock=lock, site=give, owner=borrower)
    end = 900 * MS
    borrower.native(end - MS).release(end, lock, to=returner).end(end + MS)
    returner.native(end).end(end + MS)
    return trace.ended(end + 2 * MS)


def test_a_sleeper_that_keeps_the_lock_of_its_waker(tmp_path):
    found = find_in(tmp_path, monitor())[0]
    assert found.finding == "deadlock"
    assert found.text == (
        "Deadlock at 100 ms, for 800 ms: `borrower` slept in `Condition.wait` in `take` "
        "(shelf.py:15) until its time-out of 899 ms while it had a lock for which `returner` "
        "in `give_back` (shelf.py:35) waited, who could not wake it meanwhile: 800 ms lost in "
        "1 wait. Release the lock before waiting, or wait in a condition of that lock."
    )


def tried(ns):
    """Two threads try a lock for so long, eight times each, and skip what it is for."""
    trace = TraceBuilder(argv="cache.py", signals=SIGNALS)
    site, at = "/app/cache.py:9 refresh", MS
    lock = trace.lock("Lock", site)
    threads = [trace.thread(f"refresh-{n}").native(0) for n in range(2)]
    for _ in range(8):
        for thread in threads:
            thread.lock_wait(at, "Lock", lock=lock, site=site, acquired=False).native(at + ns)
        at += ns + 100 * MS
    for thread in threads:
        thread.end(at)
    return trace.ended(at + MS)


@pytest.mark.parametrize(("ns", "found"), [(50 * MS, []), (250 * MS, ["wait in vain"])])
def test_a_lock_that_is_tried_for_a_moment(tmp_path, ns, found):
    assert kinds(tmp_path, tried(ns)) == found


def test_a_sleeper_that_was_woken(tmp_path):
    assert "deadlock" not in kinds(tmp_path, monitor(timed_out=False))


def test_a_job_that_waits_for_what_nobody_puts(tmp_path):
    """It began just after the wait for it, and another one ended meanwhile; what its waiter
    did is not what it waits for."""
    trace = TraceBuilder(argv="batch.py", signals=SIGNALS)
    main, merge = trace.thread("MainThread").native(0), "/app/batch.py:17 merge"
    first, second = trace.thread("batch_0").native(0), trace.thread("batch_1").native(0)
    wait = "/app/batch.py:22 run_batch"
    load, sums = main.submits(MS), main.submits(2 * MS)
    result, parts = trace.lock("futures.wait", wait), trace.lock("Queue.get", merge)
    main.lock_wait(3 * MS, "futures.wait", lock=result, site=wait, acquired=False)
    first.runs(3 * MS + 1, "load", "/app/batch.py:9 load", by=load)
    second.runs(3 * MS + 2, "merge", merge, by=sums)
    second.lock_wait(4 * MS, "Queue.get", lock=parts, site=merge)
    first.release(5 * MS, parts, to=second)
    second.native(5 * MS).lock_wait(6 * MS, "Queue.get", lock=parts, site=merge)
    idle = "/usr/lib/python3.13/concurrent/futures/thread.py:89 _worker"
    jobs = trace.lock("executor idle", idle)
    first.lock_wait(6 * MS, "executor idle", lock=jobs, site=idle, acquired=False)
    end = 903 * MS
    main.native(end).release(end + MS, parts, to=second)
    second.native(end + MS)
    for thread in (first, second, main):
        thread.end(end + 5 * MS)
    (found,) = find_in(tmp_path, trace.ended(end + 6 * MS))
    assert (
        "the longest was for `merge` (batch.py:17), which `batch_1` runs, which spent 99 % of "
        "that time waiting for `Queue.get` in `merge` (batch.py:17)"
    ) in found.text


@pytest.mark.parametrize(
    ("looks", "found"),
    [
        pytest.param(1, ["wait in vain"], id="it gave up once"),
        pytest.param(8, [], id="it looks again and again"),
    ],
)
def test_who_waits_again_after_a_time_out_looks_again(tmp_path, looks, found):
    """`while not condition.wait_for(changed, 0.25)`: each wait is one of its own."""
    trace = TraceBuilder(argv="serve.py", signals=SIGNALS)
    main, every = trace.thread("MainThread"), 2_000 * MS // looks
    site = "/app/serve.py:9 serve"
    changed = trace.lock("Condition.wait", site)
    for n in range(looks):
        main.lock_wait(
            n * every, "Condition.wait", lock=changed, site=site, acquired=False
        ).native((n + 1) * every - MS // 10)
    main.end(looks * every)
    assert kinds(tmp_path, trace.ended(looks * every + MS)) == found
