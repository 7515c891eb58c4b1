"""Threads that compute at the same time share one GIL; those that take turns seldom do not."""

import pytest

from tests.support.builder.samples import SampleBuilder
from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds


def equals(
    threads=3,
    rounds=20,
    turn_ns=10 * MS,
    preempted=False,
    collects=False,
    waits=True,
    starts_ns=0,
    idle=0,
    second_ns=0,
    taken_ns=0,
):
    """Threads have the GIL in turns and wait for it in between; MainThread wants it little.
    Before, it may have run alone; some of the threads may have little to do."""
    trace = TraceBuilder(argv="score.py", signals=SIGNALS)
    main, at = trace.thread("MainThread").running(0).native(starts_ns), starts_ns
    workers = [trace.thread(f"score-{n}").native(at) for n in range(threads)]
    samples = SampleBuilder(trace)
    if starts_ns:
        samples.add(main, 1, ("<module>", "<frozen importlib._bootstrap>", 1), times=200)
    for n in range(idle):
        trace.thread(f"score-{threads + n}").running(at).native(at + MS).end(at + MS)
        at += MS
    for n in range(rounds * threads):
        worker = workers[n % threads]
        worker.running(at)
        if preempted:
            worker.preempted(at + MS, holding_gil=True)
        else:
            samples.add(worker, at, ("score", "/app/score.py", 7))
        if collects:
            trace.gc(at + 1, at + turn_ns - 1, worker.tid, 2, 0, "/app/score.py:9 finish")
        if n % threads == 1:
            main.gil_wait(at, holder=worker)
        at += second_ns if n % threads == 1 and second_ns else turn_ns
        if waits:
            worker.gil_wait(at, holder=workers[(n + 1) % threads])
        else:
            worker.native(at)
        if n % threads == 1:
            main.running(at).native(at + 1_000)
            at += 1_000
    if taken_ns:
        for worker in workers:
            worker.preempted(at)
        at += taken_ns
    for thread in (main, *workers):
        thread.native(at).end(at + MS)
    return trace.ended(at + 2 * MS)


def test_equal_threads(tmp_path):
    """Three threads have the GIL for a third of the time each."""
    (found,) = find_in(tmp_path, equals())
    assert found.finding == "GIL saturated"
    assert found.text == (
        "GIL saturated: 3 threads `score-N` compute at the same time in `score` (score.py:7, "
        "100 % of 60 CPU samples) and share one GIL: they ran for 600 ms and waited 1.17 s "
        "for it, so they do the work of one thread. `MainThread` waited 200 ms for it, 99 % "
        "of the time it wanted to run. Compute in processes (`ProcessPoolExecutor`), or in "
        "fewer threads."
    )
    assert found.evidence.track == "MainThread"


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"threads": 1}, id="one"),
        pytest.param({"threads": 2, "rounds": 10}, id="little"),
        pytest.param({"threads": 14, "rounds": 2}, id="many little ones that meet"),
        pytest.param({"preempted": True}, id="the kernel has the CPU"),
    ],
)
def test_no_saturation(tmp_path, story):
    assert "GIL saturated" not in kinds(tmp_path, equals(**story))


def test_a_thread_for_each_request(tmp_path):
    """Each computes for a moment only, but all of them at the same time."""
    (found,) = find_in(tmp_path, equals(threads=60, rounds=1))
    assert found.text.startswith(
        "GIL saturated: 60 threads `score-N` compute at the same time in `score` (score.py:7"
    )


def test_a_thread_for_each_request_in_turn(tmp_path):
    """Most of the time one is there, and nobody else wants the GIL."""
    assert kinds(tmp_path, equals(threads=60, rounds=1, waits=False)) == []


def test_threads_that_collect_garbage(tmp_path):
    """Equal threads that only collect compute nothing: it is told once, for all of them."""
    (found,) = find_in(tmp_path, equals(collects=True))
    assert found.finding == "GC in the hot path"
    assert "`gc.collect()` called in `finish` (score.py:9) began all of them" in found.text
    assert "2 other threads like it do the same" in found.text


def test_what_ran_alone_at_the_start_does_not_hide_the_threads(tmp_path):
    """A service imports for seconds before it has something to do."""
    (found,) = find_in(tmp_path, equals(starts_ns=3_000 * MS))
    assert found.finding == "GIL saturated"
    assert "3 threads `score-N` compute at the same time in `score` (score.py:7" in found.text
    assert "they ran for 600 ms and waited 1.17 s for it" in found.text
    assert "`MainThread` waited 200 ms for it, " in found.text


def test_who_has_little_to_do_is_not_one_of_them(tmp_path):
    (found,) = find_in(tmp_path, equals(idle=2))
    assert found.text.startswith("GIL saturated: 3 threads `score-N` compute")


@pytest.mark.parametrize(("second_ns", "found"), [(5 * MS, ["GIL saturated"]), (MS, [])])
def test_threads_of_which_one_waits_less(tmp_path, second_ns, found):
    """It waits for a fifth of its time, and the other for most of it."""
    saw = kinds(tmp_path, equals(threads=2, rounds=22, turn_ns=20 * MS, second_ns=second_ns))
    assert [kind for kind in saw if kind == "GIL saturated"] == found


@pytest.mark.parametrize(
    ("threads", "taken_ns", "found"),
    [
        pytest.param(2, 300 * MS, ["GIL saturated"], id="half as much"),
        pytest.param(2, 10 * MS, [], id="little less"),
        pytest.param(3, 300 * MS, [], id="they hardly ran"),
        pytest.param(2, 2_000 * MS, ["GIL saturated"], id="a tenth"),
    ],
)
def test_threads_that_the_kernel_gave_less(tmp_path, threads, taken_ns, found):
    """What they lost counts against what they got of a processor."""
    story = {"threads": threads, "rounds": {2: 15, 3: 6}[threads], "taken_ns": taken_ns}
    assert kinds(tmp_path, equals(**story)) == found
