"""Waits for a message from another process, and for a job: who wrote or submitted it."""

from pathlib import Path

import pytest

from tests.support.builder.family import START_NS
from tests.support.explaining import answer, parent, parts, path, told
from tests.support.stories.waits import MS
from tracer import schema as s
from viewer.analysis.causes.part import Kind
from viewer.trace.model import build_model
from viewer.trace.reader import read_trace

READ = "/app/service.py:30 main"
WRITE = "/app/w.py:5 work"
LIBRARY = "/usr/lib/python3.13/multiprocessing"
FEEDS = f"{LIBRARY}/queues.py:9 Queue._feed"


def test_a_message(tmp_path: Path) -> None:
    """The wait is what the writer did until it wrote, then the way of the message."""
    family, main = parent()
    child = family.fork(main, 10 * MS, 101, name="worker 1")
    other = family.main(child)
    main.io(20 * MS, "os.read", site=READ).running(70 * MS).end(80 * MS)
    other.running(10 * MS).io(15 * MS, "socket.recv", site="/app/w.py:4 work")
    other.running(60 * MS).end(90 * MS)
    family.message(other, 65 * MS, main, 20 * MS, 71 * MS, site=WRITE)
    family.ended(main, child, 80 * MS, status=0)
    family.first.ended(81 * MS)
    child.ended(91 * MS)
    found, text = told(tmp_path, family)
    assert parts(found.causes) == [
        (Kind.WRITER, "MainThread [worker 1]", 45),
        (Kind.MESSAGE, "", 5),
    ]
    assert parts(found.causes[0].parts) == [
        (Kind.IO, "socket.recv", 40),
        (Kind.COMPUTING, "", 5),
    ]
    assert text == (
        "Thread `MainThread [service.py]` was in `os.read` (service.py:30) for 50.0 ms, "
        "starting at 20.0 ms. For 45.0 ms of that there was nothing to read until "
        "`MainThread [worker 1]` wrote it (w.py:5), which spent 40.0 ms in `socket.recv` "
        "(w.py:4) and 5.00 ms computing; for 5.00 ms what was written was on its way."
    )
    assert path(found)[:4] == [
        "`MainThread [service.py]` was in `os.read` (service.py:30)",
        "`MainThread [worker 1]` wrote to it (w.py:5)",
        "`MainThread [worker 1]` ran",
        "`MainThread [worker 1]` was in `socket.recv` (w.py:4)",
    ]


def test_what_comes_before_is_not_for_it(tmp_path: Path) -> None:
    """Another call, before the thread began to read."""
    family, main = parent()
    child = family.fork(main, 10 * MS, 101, name="worker 1")
    other = family.main(child).running(10 * MS).end(90 * MS)
    main.io(20 * MS, "os.fsync", site=READ).running(60 * MS)
    main.io(62 * MS, "os.read", site=READ).running(70 * MS).end(80 * MS)
    family.message(other, 65 * MS, main, 61 * MS, 71 * MS, site=WRITE)
    family.first.ended(81 * MS)
    child.ended(91 * MS)
    found, _ = told(tmp_path, family)
    assert (found.subject, parts(found.causes)) == ("os.fsync", [(Kind.CALL, "", 40)])


def test_what_comes_after_is_not_for_it(tmp_path: Path) -> None:
    """Another call, between the poll that found something and the read."""
    family, main = parent()
    child = family.fork(main, 10 * MS, 101, name="worker 1")
    other = family.main(child).running(10 * MS).end(90 * MS)
    main.io(20 * MS, "select.poll", site=READ).running(30 * MS)
    main.io(32 * MS, "os.fsync", site=READ).running(70 * MS).end(80 * MS)
    family.message(other, 29 * MS, main, 20 * MS, 71 * MS, site=WRITE)
    family.first.ended(81 * MS)
    child.ended(91 * MS)
    found, _ = told(tmp_path, family)
    assert (found.subject, parts(found.causes)) == ("os.fsync", [(Kind.CALL, "", 38)])


def test_the_first_of_two_ends_a_wait(tmp_path: Path) -> None:
    """Both were there when the thread went on."""
    family, main = parent()
    child = family.fork(main, 10 * MS, 101, name="worker 1")
    other = family.main(child).running(10 * MS).end(90 * MS)
    main.io(20 * MS, "select.poll", site=READ).running(70 * MS).end(80 * MS)
    family.message(other, 65 * MS, main, 20 * MS, 71 * MS, site=WRITE)
    family.message(other, 68 * MS, main, 20 * MS, 72 * MS, site="/app/w.py:6 work")
    family.first.ended(81 * MS)
    child.ended(91 * MS)
    found, text = told(tmp_path, family)
    assert [part[0] for part in parts(found.causes)] == [Kind.WRITER, Kind.MESSAGE]
    assert "(w.py:5)" in text
    assert "w.py:6" not in text


def fed(tmp_path: Path, wrote_before: int, put: str = "") -> list[tuple[Kind, str, float]]:
    """A child's queue has a thread, which is woken by who puts something there; `put` is the
    stack of that, if it is known."""
    family, main = parent()
    child = family.fork(main, 10 * MS, 101, name="worker 1")
    putter, feeder = family.main(child), child.thread("QueueFeederThread", 102)
    lock = child.lock("Condition.wait", FEEDS)
    feeder.lock_wait(11 * MS, "Condition.wait", lock=lock, site=FEEDS)
    putter.running(10 * MS).io(12 * MS, "socket.recv", site="/app/w.py:4 work")
    putter.running(55 * MS).release(60 * MS, lock, feeder, site=WRITE)
    putter.sleep(61 * MS).end(90 * MS)
    feeder.running(62 * MS).end(70 * MS)
    main.io(20 * MS, "os.read", site=READ).running(68 * MS).end(80 * MS)
    since = {s.ARG_SINCE: START_NS + wrote_before} if wrote_before else {}
    where = {s.ARG_STACK: put} if put else {s.ARG_SITE: FEEDS}
    family.message(feeder, 66 * MS, main, 20 * MS, 69 * MS, **where, **since)
    family.ended(main, child, 80 * MS, status=0)
    family.first.ended(81 * MS)
    child.ended(91 * MS)
    found, text = told(tmp_path, family)
    assert ("(w.py:7)" in text) == bool(put)
    return parts(found.causes)


def test_who_put_it_into_the_queue(tmp_path: Path) -> None:
    assert fed(tmp_path, 30 * MS) == [
        (Kind.WRITER, "MainThread [worker 1]", 40),
        (Kind.MESSAGE, "", 8),
    ]


PUT = "/usr/lib/python3.13/multiprocessing/queues.py:88 Queue.put\n/app/w.py:7 work"


def test_where_it_was_put_into_the_queue(tmp_path: Path) -> None:
    """By whoever woke the queue's thread; and without that, the line is known."""
    assert fed(tmp_path, 30 * MS, PUT)[0] == (Kind.WRITER, "MainThread [worker 1]", 40)
    assert fed(tmp_path, 63 * MS, PUT)[0][1] == "QueueFeederThread [worker 1]"


def test_not_who_put_the_one_before(tmp_path: Path) -> None:
    """The queue's thread has written another message since it was woken."""
    assert fed(tmp_path, 63 * MS) == [
        (Kind.WRITER, "QueueFeederThread [worker 1]", 46),
        (Kind.MESSAGE, "", 2),
    ]


def test_idle_worker(tmp_path: Path) -> None:
    """It waits for its turn to read, then for a job; not for what it reads otherwise."""
    family, main = parent()
    child = family.fork(main, 10 * MS, 101, name="worker 1")
    worker = family.main(child)
    stack = f"{LIBRARY}/queues.py:9 Queue.get\n{LIBRARY}/process.py:9 Process.run\n{READ}"
    worker.running(10 * MS).io(
        12 * MS, "os.open", site=READ, stack=f"{LIBRARY}/x.py:9 f\n{READ}"
    )
    worker.io(20 * MS, "os.read", site=READ, stack=stack)
    job = family.job(7, "work", main, 50 * MS, WRITE)
    worker.running(61 * MS).end(90 * MS)
    job.sent(main, 55 * MS, 100).run(child, 62 * MS, 70 * MS).received(main, 75 * MS)
    main.sleep(48 * MS - 1).running(49 * MS).end(92 * MS)
    child.ended(91 * MS)
    family.first.ended(93 * MS)
    model = build_model(read_trace(family.write(tmp_path)))
    causes = {
        problem.worst.subject: parts(problem.worst.causes)
        for problem in answer(model).problems
        if problem.worst.waiter.process == 1
    }
    assert causes == {
        "os.read": [(Kind.SUBMITTER, "MainThread [service.py]", 30), (Kind.QUEUED, "", 11)],
        "os.open": [(Kind.IO, "", 8)],
    }


@pytest.mark.parametrize("subject", ["socket", "future"])
def test_a_task_that_reads(tmp_path: Path, subject: str) -> None:
    """The callback that woke it had read what the child wrote."""
    family, main = parent()
    child = family.fork(main, 2 * MS, 101, name="worker 1")
    family.main(child).running(2 * MS).end(90 * MS)
    loop = family.first.loop(main)
    task = loop.task("serve", site="/app/service.py:12 serve")
    task.ready(0).running(0).awaits(2 * MS, subject, site="/app/service.py:13 serve")
    loop.step(task, 0, 2 * MS)
    loop.select(2 * MS, 80 * MS)
    reads = loop.callback("_read_ready", "/lib/selector_events.py:9 f", 80 * MS, 82 * MS)
    family.message(family.main(child), 70 * MS, main, 2 * MS, 81 * MS, site=WRITE)
    task.ready(81 * MS + 1_000, by=reads, waker="io").running(83 * MS).done(84 * MS)
    loop.step(task, 83 * MS, 84 * MS)
    main.end(85 * MS)
    family.first.ended(86 * MS)
    child.ended(91 * MS)
    found, _ = told(tmp_path, family)
    assert found.subject == subject
    assert parts(found.causes) == [
        (Kind.WRITER, "MainThread [worker 1]", 68),
        (Kind.MESSAGE, "", 11.001),
    ]
    assert path(found)[:3] == [
        f"`serve` #1 awaited `{subject}` (service.py:13)",
        "callback `_read_ready` (selector_events.py:9) ran",
        "`MainThread [worker 1]` wrote to it (w.py:5)",
    ]


def test_what_a_callback_read_before_is_not_for_it(tmp_path: Path) -> None:
    """Another callback reads what the child wrote; this one reads what a stranger did."""
    family, main = parent()
    child = family.fork(main, 2 * MS, 101, name="worker 1")
    family.main(child).running(2 * MS).end(90 * MS)
    loop = family.first.loop(main)
    task = loop.task("serve", site="/app/service.py:12 serve")
    task.ready(0).running(0).awaits(2 * MS, "socket", site="/app/service.py:13 serve")
    loop.step(task, 0, 2 * MS)
    loop.select(2 * MS, 78 * MS)
    loop.callback("_other", "/lib/selector_events.py:8 _other", 78 * MS, 80 * MS)
    loop.callback("_read_ready", "/lib/selector_events.py:9 _read_ready", 80 * MS, 82 * MS)
    family.message(family.main(child), 70 * MS, main, 2 * MS, 79 * MS, site=WRITE)
    task.ready(81 * MS, waker="io").running(83 * MS).done(84 * MS)
    loop.step(task, 83 * MS, 84 * MS)
    main.end(85 * MS)
    family.first.ended(86 * MS)
    child.ended(91 * MS)
    found, _ = told(tmp_path, family)
    assert parts(found.causes) == [(Kind.IO, "", 76), (Kind.UNSEEN, "", 3)]


def test_each_read_at_one_line_has_its_own_writer(tmp_path: Path) -> None:
    """What a thread did while it was waited for: its second read waited for the second
    message, not for the first."""
    family, main = parent()
    child = family.fork(main, MS, 101, name="worker 1")
    other = family.main(child).running(MS)
    for begin in (2, 20):
        other.io(begin * MS, "os.read", site="/app/w.py:4 work").running((begin + 8) * MS)
        sent = (begin + 6) * MS
        family.message(main, sent, other, begin * MS, (begin + 7) * MS, site=READ)
    other.end(60 * MS)
    main.running(15 * MS).io(19 * MS, "os.read", site=READ).running(55 * MS)
    family.message(other, 49 * MS, main, 19 * MS, 54 * MS, site=WRITE)
    main.end(70 * MS)
    family.first.ended(71 * MS)
    child.ended(61 * MS)
    found, _ = told(tmp_path, family)
    (read,) = (part for part in found.causes[0].parts if part.kind is Kind.IO)
    assert parts(read.parts) == [
        (Kind.WRITER, "MainThread [service.py]", 6),
        (Kind.MESSAGE, "", 2),
    ]
