"""The path to the end of the program: who did what for which its first thread waited."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS
from viewer.analysis.causes import spent as spending
from viewer.analysis.causes.path import RunPath
from viewer.analysis.causes.spent import Calls, Spent, spent
from viewer.trace.columns import OFF_CPU, PREEMPTED
from viewer.trace.model import build_model
from viewer.trace.reader import read_trace

MAIN, WORK = "/app/a.py:9 main", "/app/a.py:3 work"


def pieces(tmp_path, trace):
    file = tmp_path / "a.pftrace"
    file.write_bytes(trace.ended(200 * MS).data())
    path = RunPath.of(build_model(read_trace(file)))
    names = path.model.thread_names
    start = path.model.start_ns
    return [(names[of], (a - start) // MS, (b - start) // MS) for of, a, b, _ in path.pieces]


def test_the_end_of_a_thread_then_what_it_waited_for(tmp_path):
    """main joins worker, which waits for an item of feeder, which sleeps."""
    trace = TraceBuilder(argv="a.py", signals=SIGNALS)
    main = trace.thread("MainThread").native(0)
    feeder = trace.thread("feeder").native(0)
    worker = trace.thread("worker").native(0)
    items, end = trace.lock("Queue.get", WORK), trace.lock("Thread.join", MAIN)
    main.lock_wait(10 * MS, "Thread.join", lock=end, owner=worker, site=MAIN, stack=MAIN)
    worker.lock_wait(10 * MS, "Queue.get", lock=items, site=WORK, stack=WORK)
    feeder.sleep(20 * MS, site=WORK).native(60 * MS)
    feeder.release(70 * MS, items, to=worker)
    worker.native(70 * MS).io(80 * MS, "os.fsync", site=WORK).native(120 * MS)
    worker.release(150 * MS, end, to=main).end(150 * MS)
    feeder.end(90 * MS)
    main.native(150 * MS).end(160 * MS)
    assert pieces(tmp_path, trace) == [
        ("MainThread", 150, 160),
        ("worker", 120, 150),
        ("worker", 80, 120),
        ("worker", 70, 80),
        ("feeder", 60, 70),
        ("feeder", 20, 60),
        ("feeder", 10, 20),
        ("MainThread", 0, 10),
    ]


def test_what_an_idle_thread_did_before_it_was_asked_is_no_part(tmp_path):
    """The server polled before it was told to stop; main was asleep then."""
    trace = TraceBuilder(argv="a.py", signals=SIGNALS)
    main, server = trace.thread("MainThread").native(0), trace.thread("server").native(0)
    server.io(MS, "select.poll.poll", site=WORK).native(120 * MS)
    main.sleep(10 * MS, site=MAIN).native(100 * MS)
    stopped = trace.lock("Event.wait", MAIN)
    main.lock_wait(110 * MS, "Event.wait", lock=stopped, site=MAIN, stack=MAIN)
    server.release(140 * MS, stopped, to=main).end(150 * MS)
    main.native(140 * MS).end(160 * MS)
    assert pieces(tmp_path, trace) == [
        ("MainThread", 140, 160),
        ("server", 120, 140),
        ("server", 110, 120),
        ("MainThread", 100, 110),
        ("MainThread", 10, 100),
        ("MainThread", 0, 10),
    ]


def test_a_wait_that_nobody_ended_is_its_own(tmp_path):
    trace = TraceBuilder(argv="a.py", signals=SIGNALS)
    main, end = trace.thread("MainThread").native(0), trace.lock("Event.wait", MAIN)
    main.lock_wait(10 * MS, "Event.wait", lock=end, site=MAIN, acquired=False)
    main.native(110 * MS).end(120 * MS)
    assert pieces(tmp_path, trace) == [
        ("MainThread", 110, 120),
        ("MainThread", 10, 110),
        ("MainThread", 0, 10),
    ]


def test_what_the_time_of_a_large_trace_went_to_is_not_summed(tmp_path, monkeypatch):
    trace = TraceBuilder(argv="a.py", signals=SIGNALS)
    trace.thread("MainThread").running(0).sleep(10 * MS, site=MAIN).running(90 * MS).end(
        99 * MS
    )
    file = tmp_path / "a.pftrace"
    file.write_bytes(trace.ended(100 * MS).data())
    model = build_model(read_trace(file))
    monkeypatch.setattr(spending, "_MOST_ROWS", 3)
    assert spent(model)
    monkeypatch.setattr(spending, "_MOST_ROWS", 2)
    assert spent(model) == ()


def test_what_the_time_went_to(tmp_path):
    """Collections are no computing."""
    trace = TraceBuilder(argv="a.py", signals=SIGNALS)
    main = trace.thread("MainThread").running(0)
    trace.gc(10 * MS, 40 * MS, main.tid, 0, 0)
    main.preempted(45 * MS).running(50 * MS).sleep(60 * MS, site=MAIN).running(160 * MS)
    main.io(161 * MS, "os.fsync", site=WORK).running(171 * MS).end(180 * MS)
    file = tmp_path / "a.pftrace"
    file.write_bytes(trace.ended(200 * MS).data())
    model = build_model(read_trace(file))
    assert spent(model) == (
        Spent(
            100 * MS,
            "asleep",
            "sleep",
            MAIN,
            Calls(1, 100 * MS, "MainThread", False, (), 100 * MS),
        ),
        Spent(35 * MS, "computing", "", ""),
        Spent(30 * MS, "collecting garbage", "", ""),
        Spent(
            10 * MS,
            "in",
            "os.fsync",
            WORK,
            Calls(1, 10 * MS, "MainThread", False, (), 10 * MS),
        ),
        Spent(5 * MS, "time off the CPU", "", ""),
    )
    assert RunPath.of(model).ns_without((PREEMPTED, OFF_CPU)) == 175 * MS


@pytest.mark.parametrize("worker_ms", [4, 15])
def test_how_often_it_slept_and_who_computed_meanwhile(tmp_path, worker_ms):
    """Two sleeps of 60 ms: another thread computed for a tenth of that, or for more."""
    trace = TraceBuilder(argv="a.py", signals=SIGNALS)
    main, other = trace.thread("MainThread").running(0), trace.thread("other").native(0)
    other.sleep(0, site=WORK).native(20 * MS)
    other.sleep((20 + worker_ms) * MS, site=WORK).native(190 * MS).end(190 * MS)
    main.sleep(10 * MS, site=MAIN).running(70 * MS)
    main.sleep(80 * MS, site=MAIN).running(140 * MS).end(150 * MS)
    file = tmp_path / "a.pftrace"
    file.write_bytes(trace.ended(200 * MS).data())
    slept = spent(build_model(read_trace(file)))[0]
    assert slept.calls == Calls(2, 60 * MS, "MainThread", worker_ms < 12, (), 60 * MS)


def test_who_was_woken_waits_for_the_kernel_only(tmp_path):
    trace = TraceBuilder(argv="a.py", signals=SIGNALS)
    main, worker = trace.thread("MainThread").native(0), trace.thread("worker").native(0)
    items = trace.lock("Queue.get", MAIN)
    main.lock_wait(10 * MS, "Queue.get", lock=items, site=MAIN, stack=MAIN)
    worker.io(0, "os.fsync", site=WORK).native(60 * MS)
    worker.release(100 * MS, items, to=main).end(190 * MS)
    main.native(130 * MS).end(140 * MS)
    file = tmp_path / "a.pftrace"
    file.write_bytes(trace.ended(200 * MS).data())
    found = {one.did: one.ns for one in spent(build_model(read_trace(file)))}
    assert found == {
        "computing without the GIL": 60 * MS,
        "in": 50 * MS,
        "time off the CPU": 30 * MS,
    }


def test_what_the_recorder_imports_is_not_the_programs(tmp_path):
    trace = TraceBuilder(argv="a.py", signals=SIGNALS)
    main = trace.thread("MainThread").native(0)
    main.io(10 * MS, "os.listdir", site="/venv/x-packages/tracer/launch.py:94 finish_at_exit")
    main.native(60 * MS).io(70 * MS, "os.listdir", site=MAIN).native(100 * MS).end(110 * MS)
    file = tmp_path / "a.pftrace"
    file.write_bytes(trace.ended(200 * MS).data())
    found = spent(build_model(read_trace(file)))
    assert {(one.ns, one.site) for one in found} == {(30 * MS, MAIN), (30 * MS, "")}
