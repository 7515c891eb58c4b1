"""Convoys: threads that queue for one lock and pass one at a time, or one that always does."""

import pytest

from tests.support.builder.samples import SampleBuilder
from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds

TAKES = "/app/convoy.py:7 work"


def convoy(
    rounds, hold_ns=5 * MS, workers=3, inside="sleep", free=0, free_ns=MS // 100, late_ns=-1
):
    """Workers take one lock in turn; each waits from its own release until its turn. `inside`
    `os.write` another thread goes on so long before the end of each."""
    trace = TraceBuilder(argv="convoy.py", signals=SIGNALS)
    reader = trace.thread("sink").native(0) if late_ns >= 0 else None
    lock = trace.lock("Lock", TAKES)
    threads = [trace.thread(f"worker-{n}") for n in range(workers)]
    at = 10_000
    for thread in threads:
        thread.native(0)
    for thread in threads[1:]:
        thread.lock_wait(at, "Lock", lock=lock, site=TAKES, owner=threads[0])
    waiting = workers - 1
    for n in range(rounds):
        thread, following = threads[n % workers], threads[(n + 1) % workers]
        end = at + hold_ns
        thread.running(at)
        if inside == "sleep":
            thread.sleep(at + 1_000, site="/app/convoy.py:9 write").running(end - 1_000)
        elif inside == "os.write":
            thread.io(at + 1_000, inside, site=TAKES).running(end - 1_000)
            if reader is not None:
                reader.sleep(at, site="/app/sink.py:3 post").native(end - late_ns - 2_000)
        elif inside == "preempted":
            thread.preempted(at + 1_000, holding_gil=True).running(end - 1_000)
        lock.hold(at, end, thread, TAKES)
        thread.release(end, lock, to=following if waiting else None)
        thread.sleep(end, site="/app/convoy.py:5 prepare")
        waiting -= 1
        if n < rounds - workers:
            thread.lock_wait(end + 1_000, "Lock", lock=lock, site=TAKES, owner=following)
            waiting += 1
        at = end
    for _ in range(free):  # nobody waits for these
        lock.hold(at, at + free_ns, threads[0], TAKES)
        at += free_ns * 10
    for thread in threads:
        thread.end(at + MS)
    return trace.ended(at + 2 * MS)


def test_convoy(tmp_path):
    """Three workers behind one lock that is held while its holder sleeps."""
    (found,) = find_in(tmp_path, convoy(30))
    assert found.finding == "lock convoy"
    assert found.text == (
        "Lock convoy: 3 threads `worker-N` queue for the Lock at convoy.py:7 and pass one at "
        "a time: 29 waits, 285 ms summed over all of them, 9.83 ms on average; its holders "
        "spend 99 % of the time they hold it in `sleep` (convoy.py:9)."
    )
    assert found.severity_ns == 285 * MS - 27 * 1_000
    assert found.evidence.lock == 1
    assert found.evidence.site == TAKES
    assert found.evidence.track.startswith("worker-")


def test_convoy_of_computing_holders(tmp_path):
    """Where holders compute, only the samples of the holds show in what."""
    trace = convoy(30, inside="running")
    samples = SampleBuilder(trace)
    worker = _thread(trace, 0)
    top = ("work", "/app/convoy.py", 7)
    samples.add(worker, MS, top, ("rank", "/app/convoy.py", 3), times=7)
    samples.add(
        worker, 2 * MS, top, ("rank", "/app/convoy.py", 3),
        ("rank.<locals>.<lambda>", "/app/convoy.py", 2), times=2,
    )  # fmt: skip
    samples.add(worker, 2 * MS, top, ("key", "/app/convoy.py", 1), times=3)
    samples.add(worker, 7 * MS, top, ("prepare", "/app/convoy.py", 5), times=90)
    (found,) = find_in(tmp_path, trace)
    assert found.text.endswith(
        "; its holders spend 100 % of the time they hold it computing in `rank` (convoy.py:3, "
        "75 % of 12 CPU samples) and `key` (convoy.py:1, 25 %)."
    )


@pytest.mark.parametrize(("late_ns", "is_known"), [(0, True), (2 * MS, False), (-1, False)])
def test_convoy_behind_whoever_reads_what_is_written(tmp_path, late_ns, is_known):
    (found,) = find_in(tmp_path, convoy(30, 20 * MS, inside="os.write", late_ns=late_ns))
    told = (
        "in `os.write` (convoy.py:7). `sink` goes on just before each of these ends, so most "
        "likely it reads that; it spent 99 % of that time asleep in `post` (sink.py:3)."
    )
    assert found.text.endswith(told) is is_known
    assert found.next_step.startswith("Let the reader") is is_known


def test_convoy_past_which_one_runs(tmp_path):
    """Who takes the lock again before the others wake up does not wait; they do."""
    assert kinds(tmp_path, convoy(30, free=70, free_ns=MS // 5)) == ["lock convoy"]


def _thread(trace, number):
    """Enough of a thread for samples."""
    from tests.support.builder.threads import Thread

    return Thread(trace, 0, trace.pid + number, f"worker-{number}")


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"rounds": 10}, id="few waits"),
        pytest.param({"rounds": 30, "hold_ns": MS // 2}, id="little waiting"),
        pytest.param({"rounds": 30, "inside": "preempted"}, id="the holder is preempted"),
        pytest.param({"rounds": 30, "free": 70}, id="most need not wait"),
    ],
)
def test_no_convoy(tmp_path, story):
    """What is rare, short, or the kernel's doing is no convoy."""
    assert kinds(tmp_path, convoy(**story)) == []


@pytest.mark.parametrize(
    ("story", "found"),
    [
        ({"hold_ns": 60 * MS}, ["lock convoy"]),
        ({"hold_ns": 5 * MS}, []),
        ({"hold_ns": 60 * MS, "inside": "preempted"}, []),
    ],
    ids=["kept for long now and then", "for moments", "the kernel took the holder away"],
)
def test_a_lock_that_is_mostly_quick(tmp_path, story, found):
    """Hundreds of quick uses do not excuse those few in which all others wait for long."""
    assert kinds(tmp_path, convoy(12, free=400, **story)) == found


POLLS, BEATS = "/app/consumer.py:12 consume", "/app/consumer.py:7 heartbeat"


def alone(rounds=4, hold_ns=300 * MS, own_ns=100 * MS, inside="sleep", pause_ns=20 * MS):
    """One thread waits for a lock that another one keeps again and again; it `asks`: it sleeps
    again and again meanwhile."""
    trace = TraceBuilder(argv="consumer.py", signals=SIGNALS)
    lock = trace.lock("Lock", POLLS)
    main, beat = trace.thread("MainThread").native(0), trace.thread("heartbeat").native(0)
    at = MS
    for _ in range(rounds):
        end = at + hold_ns
        main.running(at)
        if inside == "sleep":
            main.sleep(at + 1_000, site="/app/consumer.py:20 store").running(end - 1_000)
        if inside == "asks":
            for asked in range(at + 1_000, end - pause_ns, pause_ns):
                main.sleep(asked, site="/app/consumer.py:20 store").running(
                    asked + pause_ns - 1_000
                )
        lock.hold(at, end, main, POLLS)
        beat.lock_wait(at + MS, "Lock", lock=lock, site=BEATS, owner=main)
        main.release(end, lock, to=beat)
        beat.native(end)
        main.native(end + 1_000)
        at = end + own_ns
    for thread in (main, beat):
        thread.end(at + MS)
    return trace.ended(at + 2 * MS)


def test_one_thread_waits_again_and_again(tmp_path):
    (found,) = find_in(tmp_path, alone())
    assert found.finding == "lock convoy"
    assert found.text == (
        "Lock convoy: `heartbeat` waits again and again for the Lock at consumer.py:7, "
        "which `MainThread` (consumer.py:12) has: 4 waits, 1.20 s in total, half of its "
        "working time or more, 299 ms on average; its holders spend 99 % of the time they "
        "hold it in `sleep` (consumer.py:20)."
    )


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"rounds": 2}, id="twice"),
        pytest.param({"hold_ns": 120 * MS}, id="little is lost"),
        pytest.param({"own_ns": 400 * MS}, id="it does other things for longer"),
        pytest.param({"inside": "running"}, id="the holder computes"),
    ],
)
def test_one_thread_may_wait(tmp_path, story):
    assert kinds(tmp_path, alone(**story)) == []


def test_who_has_the_lock_asks_for_something(tmp_path):
    """It may be what the waiter would bring; once is enough."""
    (found,) = find_in(tmp_path, alone(rounds=1, hold_ns=900 * MS, inside="asks"))
    assert found.text == (
        "Lock convoy: `heartbeat` waits for the Lock at consumer.py:7, which `MainThread` "
        "(consumer.py:12) has: 1 wait, 899 ms in total, half of its working time or more, 899 "
        "ms on average; its holders spend 98 % of the time they hold it in `sleep` "
        "(consumer.py:20)."
    )
    assert "Wait with a `Condition` on this lock" in found.next_step


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"hold_ns": 400 * MS}, id="little is lost"),
        pytest.param({"hold_ns": 900 * MS, "pause_ns": 400 * MS}, id="it sleeps twice"),
    ],
)
def test_who_has_the_lock_may_sleep(tmp_path, story):
    assert kinds(tmp_path, alone(rounds=1, inside="asks", **story)) == []
