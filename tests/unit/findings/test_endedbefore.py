"""Waits in vain for what a thread, or a pool of processes, did that had ended."""

import pytest

from tests.support.builder.family import Family
from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in
from tracer import schema as s

INIT = "/app/export.py:13 Exporter.__init__"
START = {s.ARG_SITE: INIT, s.ARG_STACK: INIT}
FLUSH = "/app/export.py:27 Exporter.flush"
RUN = "/app/export.py:16 Exporter.run"


def flush(worker=RUN, ends=100, spare="", waits_at=FLUSH):
    """MainThread waits for 1.2 s; workers sleep in their function until they end."""
    trace = TraceBuilder(argv="export.py", signals=SIGNALS)
    main = trace.thread("MainThread").native(0)
    for name, frame, end in (("exporter", worker, ends), ("spare", spare, 2_000)):
        if frame:
            thread, stack = trace.thread(name), f"/lib/python3.13/threading.py:9 run\n{frame}"
            begun = trace.instant(main.track, 0, s.THREAD_START, s.CAT_THREAD, **START)
            trace.arrow(begun, trace.instant(thread.track, 0, s.THREAD_STARTED, s.CAT_THREAD))
            thread.io(MS, "socket.recv", site=frame, stack=stack).native(end * MS - MS)
            thread.end(end * MS)
    lock = trace.lock("Condition.wait", waits_at)
    main.lock_wait(200 * MS, "Condition.wait", lock=lock, site=waits_at, acquired=False)
    main.native(1_400 * MS).end(2_001 * MS)
    return trace.ended(2_002 * MS)


def said(tmp_path, **story):
    (found,) = find_in(tmp_path, flush(**story))
    assert found.finding == "wait in vain"
    return found.text


def test_the_worker_of_its_class_had_ended(tmp_path):
    text = said(tmp_path)
    assert "); `exporter` had ended (at 100 ms), the last thread in `Exporter.run` (" in text


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"worker": "/app/export.py:40 Sender.run"}, id="another class"),
        pytest.param({"worker": "/app/other.py:16 Exporter.run"}, id="another file"),
        pytest.param({"worker": "/app/export.py:16 run", "waits_at": FLUSH[:-14] + "flush"},
                     id="functions"),
        pytest.param({"ends": 1_900}, id="it lives"),
        pytest.param({"spare": "/app/export.py:18 Exporter.run"}, id="another one lives"),
    ],
)  # fmt: skip
def test_who_may_have_nothing_to_do_with_it(tmp_path, story):
    assert "had ended" not in said(tmp_path, **story)


def sends(ends=100, how=s.CANCELLED, another=False):
    """`stop` sends to a channel, as before, to its time-out; whoever received had ended."""
    trace = TraceBuilder(argv="chat.py", signals=SIGNALS)
    thread = trace.thread("MainThread").native(0)
    loop = trace.loop(thread)
    sender = loop.task("session", site="/app/chat.py:9 session").ready(0).running(0)
    sender.awaits(1, "sleep", site="/app/chat.py:10 session")
    pumps = [loop.task("pump", site="/app/chat.py:20 pump") for _ in range(1 + another)]
    for n, pump in enumerate(pumps):
        pump.ready(2 + n).running(2 + n)
        pump.awaits(MS + n, "MemoryObjectStream.receive", site="/app/chat.py:21 pump", lock=5)
    sender.ready(50 * MS, waker="timer").running(50 * MS)
    for n, pump in enumerate(pumps):
        pump.ready(50 * MS + n, by=sender)
    sender.awaits(51 * MS, "sleep", site="/app/chat.py:10 session")
    for n, pump in enumerate(pumps):
        pump.running(51 * MS + n).awaits(52 * MS + n, "sleep", site="/app/chat.py:22 pump")
    sender.ready(99 * MS, waker="timer").running(99 * MS)
    sender.awaits(
        100 * MS,
        "MemoryObjectStream.send",
        site="/app/chat.py:30 stop",
        lock=6,
        acquired=False,
    )
    for n, pump in enumerate(pumps):
        end = (ends if not n else 900) * MS
        pump.ready(end, waker="timer").running(end).done(end, how)
    sender.ready(1_100 * MS, waker="timer", via="Timeout._on_timeout").running(1_100 * MS)
    sender.done(1_101 * MS)
    thread.end(1_102 * MS)
    return trace.ended(1_103 * MS)


@pytest.mark.parametrize(
    ("how", "text"), [(s.CANCELLED, "was cancelled"), (s.DONE, "had ended")]
)
def test_who_had_received(tmp_path, how, text):
    (found,) = find_in(tmp_path, sends(how=how))
    assert f"; `pump`, which had got what it sent, {text} (at 100 ms). Look" in found.text


def joins(ends=100, how=s.CANCELLED, another=False):
    """`run_tool` puts an item into a queue, for which somebody waits for a moment, and waits
    until all are done, to its time-out; whoever took it had ended. `another`: as does one more
    consumer, who lives."""
    trace = TraceBuilder(argv="tools.py", signals=SIGNALS)
    thread = trace.thread("MainThread").native(0)
    loop = trace.loop(thread)
    run = loop.task("run_tool", site="/app/tools.py:9 run_tool").ready(0).running(0)
    run.awaits(1, "sleep", site="/app/tools.py:10 run_tool")
    takers = [
        loop.task("consume", site="/app/tools.py:20 consume") for _ in range(1 + another)
    ]
    for n, taker in enumerate(takers):
        taker.ready(2 + n).running(2 + n)
        taker.awaits(MS + n, "Queue.get", site="/app/tools.py:21 consume", lock=5)
    run.ready(2 * MS, waker="timer").running(2 * MS)
    for n, taker in enumerate(takers):
        taker.ready(2 * MS + n, by=run)
    run.awaits(50 * MS, "Queue.join", site="/app/tools.py:12 run_tool", lock=6, acquired=False)
    for n, taker in enumerate(takers):
        taker.running(51 * MS + n).awaits(
            52 * MS + n, "sleep", site="/app/tools.py:22 consume"
        )
        end = (ends if not n else 900) * MS
        taker.ready(end, waker="timer").running(end).done(end, how)
    run.ready(1_100 * MS, waker="timer", via="Timeout._on_timeout").running(1_100 * MS)
    run.done(1_101 * MS)
    thread.end(1_102 * MS)
    return trace.ended(1_103 * MS)


def test_who_took_what_is_never_done(tmp_path):
    (found,) = find_in(tmp_path, joins())
    assert "; `consume`, which had got what it sent, was cancelled (at 100 ms). " in found.text


@pytest.mark.parametrize("made", [sends, joins])
@pytest.mark.parametrize(
    "story",
    [pytest.param({"ends": 300}, id="it went on"), pytest.param({"another": True}, id="two")],
)
def test_who_may_still_take_it(tmp_path, made, story):
    assert "which had got" not in " ".join(
        one.text for one in find_in(tmp_path, made(**story))
    )


COLLECT = "/app/pages.py:19 collect"
PYTHON, EXPORT = "/usr/lib/python3.13/", "/app/pages.py:23 export"
WAITS = f"{PYTHON}multiprocessing/pool.py:768 ApplyResult.get\n{EXPORT}"
ENDS = f"{PYTHON}multiprocessing/pool.py:690 Pool._terminate_pool\n/app/pages.py:17 on_hangup"


def waits_for_a_pool(terminates=True, inside=True):
    """`export` waits for a result, a signal handler ends the pool, and the wait goes on."""
    trace = TraceBuilder(argv="pages.py", signals=SIGNALS)
    main, result = trace.thread("MainThread").native(0), trace.lock("AsyncResult.get", EXPORT)
    for since, until in ((10 * MS, 300 * MS), (306 * MS, 1_800 * MS)):
        main.lock_wait(
            since, "AsyncResult.get", lock=result, site=EXPORT, acquired=False, stack=WAITS
        )
        main.native(until)
        if since == 10 * MS:
            stack = ENDS if terminates else "/app/pages.py:17 on_hangup"
            stack += f"\n{WAITS}" if inside else f"\n{EXPORT}"
            main.io(301 * MS, "os.write", site="/app/pages.py:17 on_hangup", stack=stack)
            main.native(305 * MS)
    main.end(1_810 * MS)
    return trace.ended(1_811 * MS)


def test_a_signal_handler_ends_the_pool(tmp_path):
    (found,) = find_in(tmp_path, waits_for_a_pool())
    assert found.finding == "wait in vain"
    assert found.text == (
        "Waited in vain: `MainThread` in `export` (pages.py:23) gave up 1 wait in "
        "`AsyncResult.get`, 1.79 s (at 10.0 ms); the pool had "
        "been terminated in `on_hangup` (pages.py:17) (at 301 ms). Look at what should have "
        "ended it, and whether it was ever started."
    )


@pytest.mark.parametrize(
    ("story", "said"),
    [
        ({"terminates": False}, "gave up 1 wait in `AsyncResult.get`"),
        ({"inside": False}, "gave up 2 waits in `AsyncResult.get`"),
    ],
)
def test_what_ran_between_two_waits(tmp_path, story, said):
    (found,) = find_in(tmp_path, waits_for_a_pool(**story))
    assert said in found.text
    assert ("terminated" in found.text) == story.get("terminates", True)


def used_up(ends=200, others=0):
    """`collect` has the results of two jobs, and waits in vain for the third one; the worker
    had ended, or ends late. `others`: workers that live on."""
    family = Family("/app/pages.py")
    main = family.first.thread("MainThread", 100).native(0)
    workers = [(101, ends), *((102 + n, 2_000) for n in range(others))]
    for pid, until in workers:
        child = family.fork(main, (pid - 100) * MS, pid, name=f"Worker-{pid - 100}")
        family.main(child).native(10 * MS).end((until - 1) * MS)
        at = 20 + pid - 101
        job = family.job(1, "page", main, at * MS, COLLECT)
        job.run(child, (at + 10) * MS, (at + 20) * MS).received(main, (at + 30) * MS)
        child.ended(until * MS)
        if until < 2_000:
            family.ended(main, child, until * MS + 1, status=0)
    lock = family.first.lock("Future.result", COLLECT)
    for since, until, acquired in ((60, 80, True), (210, 1_710, False)):
        main.lock_wait(since * MS, "Future.result", lock=lock, site=COLLECT, acquired=acquired)
        main.native(until * MS)
    main.end(1_720 * MS)
    family.first.ended(1_721 * MS)
    return family


def test_the_last_worker_had_ended(tmp_path):
    (found,) = find_in(tmp_path, used_up())
    assert found.finding == "wait in vain"
    assert (
        "gave up 1 wait in `Future.result`, 1.50 s (at 210 ms); "
        "`Worker-1`, the last process of its pool, had ended (at 200 ms), and no other one "
        "was started."
    ) in found.text


@pytest.mark.parametrize("story", [{"ends": 1_600}, {"others": 1}])
def test_a_worker_is_left(tmp_path, story):
    assert "last process of its pool" not in " ".join(
        one.text for one in find_in(tmp_path, used_up(**story))
    )
