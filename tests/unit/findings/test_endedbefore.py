"""Waits in vain for what a thread that had ended did."""

import pytest

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


@pytest.mark.parametrize(
    "story",
    [pytest.param({"ends": 300}, id="it went on"), pytest.param({"another": True}, id="two")],
)
def test_who_may_still_receive(tmp_path, story):
    assert "which had got" not in " ".join(
        one.text for one in find_in(tmp_path, sends(**story))
    )


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


@pytest.mark.parametrize(
    "story",
    [pytest.param({"ends": 300}, id="it went on"), pytest.param({"another": True}, id="two")],
)
def test_who_may_still_mark_it_as_done(tmp_path, story):
    assert "which had got" not in " ".join(
        one.text for one in find_in(tmp_path, joins(**story))
    )
