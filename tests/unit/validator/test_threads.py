"""The validator's rules for thread lanes and locks, each broken once."""

from collections.abc import Callable

import pytest

from tests.support.builder.threads import Lock, Thread
from tests.support.builder.trace import TraceBuilder
from tests.support.stories.waits import MS, THREAD_STORIES, gil_hog, lock_convoy, pool
from tests.support.validator.rules import validate
from tracer import schema as s

ALL = "tasks,threads,gc,gil,locks,io,sched"


def story(signals: str = ALL) -> tuple[TraceBuilder, Thread, Thread, Lock]:
    trace = TraceBuilder(signals=signals)
    lock = trace.lock("Lock", "app.py:1 f")
    return trace, trace.thread("MainThread"), trace.thread("worker"), lock


@pytest.mark.parametrize("story", THREAD_STORIES)
def test_good_stories_pass(story: Callable[[], TraceBuilder]) -> None:
    """Each shared story is valid, in chunks too."""
    assert validate(story().data(chunk_events=4)).events > 0


def test_summary_of_threads() -> None:
    """The states of each thread, in order, with times and arguments of both ends."""
    threads = validate(gil_hog().data()).lanes
    main = threads[600, 600]
    assert (main.name, threads[600, 601].name) == ("MainThread", "compress")
    assert main.states[:4] == ["running", "io: select.epoll.poll", "GIL wait", "running"]
    assert main.wall_ns["GIL wait"] == 200 * MS + 20_000 + 105 * MS
    assert main.slices[2].args == {"holder": 601, "holder_name": "compress"}
    assert threads[600, 601].slices[2].args == {"holding_gil": 1}


def test_summary_of_locks() -> None:
    """Who held each lock, in order; arguments of a wait's END are its own."""
    summary = validate(lock_convoy().data())
    lock = summary.locks[700, 1]
    assert (lock.kind, lock.holders) == ("Lock", ["flush", "worker-1", "worker-2"])
    waits = [each for each in summary.lanes[700, 702].slices if each.category == s.CAT_LOCK]
    assert [each.args[s.ARG_ACQUIRED] for each in waits] == [0, 1]
    assert summary.flows == 2


def test_open_states_at_a_kill() -> None:
    """What is open at the end has no end, and excludes others from its begin on."""
    trace, main, worker, _ = story()
    worker.gil_wait(0).running(5).gil_wait(10)
    main.running(10)
    lanes = validate(trace.data()).lanes
    assert [lanes[100, tid].slices[-1].end_ns for tid in (100, 101)] == [None, None]
    worker.running(20).end(30)
    with pytest.raises(AssertionError, match="two threads have the GIL"):
        validate(trace.data())


def test_gap_while_events_were_dropped() -> None:
    """A lane may be interrupted where its process dropped events, and only there."""

    def interrupted(since: int, at: int) -> bytes:
        trace, main, _, _ = story()
        main.running(0).end(50).running(90).end(100)
        trace.instant(
            trace.tracer, at, s.EVENTS_DROPPED, s.CAT_TRACER,
            count=3, since_ns=trace.start_ns + since,
        )  # fmt: skip
        return trace.ended(200, dropped=3).data()

    assert validate(interrupted(50, 85)).dropped == 3
    for since, at in ((10, 40), (90, 95)):
        with pytest.raises(AssertionError, match="a gap of 40 ns"):
            validate(interrupted(since, at))


def test_gap_after_the_signal_was_disabled() -> None:
    """Once the recorder gave the signal up, nothing is promised any more."""
    trace, main, worker, _ = story()
    main.running(0).end(50)
    trace.instant(trace.tracer, 50, s.HOOK_DISABLED, s.CAT_TRACER, hook="gil", reason="?")
    main.lock_wait(60, "Lock", lock=1).end(70)
    worker.running(65).end(80)
    assert validate(trace.ended(90).data()).events


def test_collection_without_a_lane() -> None:
    """Without the signal gil a collection stands on the thread by itself."""
    trace, main, _, _ = story("tasks,gc")
    main.gc(10, 20)
    assert validate(trace.ended(30).data()).lanes == {}


def gap(main: Thread, _worker: Thread, _lock: Lock) -> None:
    main.running(0).end(10).native(11).end(20)


def nested(main: Thread, _worker: Thread, _lock: Lock) -> None:
    main.running(0)
    main.state = None
    main.native(5).end(6).end(10)


def collection_across_states(main: Thread, _worker: Thread, _lock: Lock) -> None:
    main.running(0)
    main.trace.begin(main.track, 5, "GC gen0", s.CAT_GC, generation=0)
    main.gil_wait(10).end(20)
    main.trace.end(main.track, 30)


def unknown_state(main: Thread, _worker: Thread, _lock: Lock) -> None:
    main.enter(0, "thinking", s.CAT_THREAD).end(10)


def nameless_call(main: Thread, _worker: Thread, _lock: Lock) -> None:
    main.io(0, "").end(10)


def call_without_prefix(main: Thread, _worker: Thread, _lock: Lock) -> None:
    main.enter(0, "socket.recv", s.CAT_IO).end(10)


def state_on_another_track(main: Thread, _worker: Thread, lock: Lock) -> None:
    main.trace.begin(lock.track, 0, s.RUNNING, s.CAT_THREAD)
    main.trace.end(lock.track, 10)


def two_run(main: Thread, worker: Thread, _lock: Lock) -> None:
    main.running(0).end(11)
    worker.gil_wait(0).running(10).end(20)


def preempted_holder(main: Thread, worker: Thread, _lock: Lock) -> None:
    main.running(0).preempted(5, holding_gil=True).running(20).end(30)
    worker.gil_wait(0).running(10).end(11)


def reading_holder(main: Thread, worker: Thread, _lock: Lock) -> None:
    main.running(0).io(5, "FileIO.read", holding_gil=True).running(20).end(30)
    worker.off_cpu(0).off_cpu(19, holding_gil=True).end(21)


def waiting_holder(main: Thread, _worker: Thread, _lock: Lock) -> None:
    main.enter(0, s.GIL_WAIT, s.CAT_GIL, {s.ARG_HOLDING_GIL: True}).end(10)


def wait_without_lock(main: Thread, _worker: Thread, _lock: Lock) -> None:
    args: dict[str, int | str | bool | float] = {s.ARG_SITE: "a:1 f"}
    name = s.LOCK_WAIT_PREFIX + "Lock"
    main.enter(0, name, s.CAT_LOCK, args, {s.ARG_ACQUIRED: True}).end(10)


def wait_without_outcome(main: Thread, _worker: Thread, lock: Lock) -> None:
    main.lock_wait(0, "Lock", lock=lock)
    main.at_end = {}
    main.end(10)


def owner_by_name(main: Thread, _worker: Thread, lock: Lock) -> None:
    main.lock_wait(0, "Lock", lock=lock)
    main.at_end = {s.ARG_ACQUIRED: True, s.ARG_OWNER: "worker"}
    main.end(10)


def two_hold(main: Thread, worker: Thread, lock: Lock) -> None:
    lock.hold(0, 11, main)
    lock.hold(10, 20, worker)


def nobody_holds(main: Thread, _worker: Thread, lock: Lock) -> None:
    del lock.hold(0, 10, main).args[s.ARG_OWNER]


def hold_without_kind(main: Thread, _worker: Thread, lock: Lock) -> None:
    del lock.hold(0, 10, main).args[s.ARG_KIND]


def hold_elsewhere(main: Thread, _worker: Thread, _lock: Lock) -> None:
    track = main.trace.track("a lock")
    Lock(main.trace, track, 9, "Lock").hold(0, 10, main)


def lock_with_two_tracks(main: Thread, _worker: Thread, lock: Lock) -> None:
    lock.hold(0, 10, main)
    main.trace.lock("Lock", "b:2 g", lock.id).hold(20, 30, main)


def two_locks_on_a_track(main: Thread, _worker: Thread, lock: Lock) -> None:
    lock.hold(0, 10, main)
    Lock(main.trace, lock.track, 9, "Lock").hold(20, 30, main)


def released_to_itself(main: Thread, _worker: Thread, lock: Lock) -> None:
    main.running(0).lock_wait(5, "Lock", lock=lock).release(10, lock, to=main)
    main.running(10).end(20)


def released_to_a_runner(main: Thread, worker: Thread, lock: Lock) -> None:
    worker.native(0)
    main.running(0).release(10, lock, to=worker)
    worker.io(10, "socket.recv").end(20)
    main.end(20)


def released_later(main: Thread, worker: Thread, lock: Lock) -> None:
    worker.lock_wait(0, "Lock", lock=lock).gil_wait(10)
    main.running(0).release(9, lock, to=worker)
    worker.sleep(11).end(20)
    main.end(20)


def test_released_while_the_waiter_asks_for_the_gil() -> None:
    """A wait that a signal interrupted: the release's flow ends after the wait for the GIL."""
    trace, main, worker, lock = story()
    worker.lock_wait(0, "Lock", lock=lock, acquired=True).gil_wait(10)
    main.running(0).release(12, lock, to=worker).end(15)
    worker.running(15).end(20)
    validate(trace.ended(1_000).data())


def released_to_a_task(main: Thread, _worker: Thread, lock: Lock) -> None:
    main.running(0).release(5, lock, to=main)
    flow = main.granted.pop()
    event = main.trace.instant(main.trace.tracer, 6, s.NOTE, s.CAT_TRACER)
    event.ends_flows.append(flow)
    main.end(10)


@pytest.mark.parametrize(
    ("breaks", "match"),
    [
        (gap, "a gap of 1 ns between 'running'"),
        (nested, "a thread's state inside another slice"),
        (collection_across_states, "a thread's state inside another slice"),
        (unknown_state, "no state of a thread"),
        (nameless_call, "no state of a thread"),
        (call_without_prefix, "no state of a thread"),
        (state_on_another_track, "on a track that is no thread's"),
        (two_run, "two threads have the GIL"),
        (preempted_holder, "two threads have the GIL"),
        (reading_holder, "two threads have the GIL"),
        (waiting_holder, "cannot hold the GIL"),
        (wait_without_lock, "a lock wait without lock"),
        (wait_without_outcome, "a lock wait without acquired"),
        (owner_by_name, "owner is wrong"),
        (two_hold, "a hold inside another slice"),
        (nobody_holds, "nobody's hold"),
        (hold_without_kind, "a hold without kind"),
        (hold_elsewhere, "not below Locks"),
        (lock_with_two_tracks, "lock 1 on a second track"),
        (two_locks_on_a_track, "locks 1 and 9 on one track"),
        (released_to_itself, "a release to its own thread"),
        (released_to_a_runner, "follows no lock wait"),
        (released_later, "follows no lock wait"),
        (released_to_a_task, "a release to what is no state"),
    ],
)
def test_broken(breaks: Callable[[Thread, Thread, Lock], None], match: str) -> None:
    """Each rule that is broken is named."""
    trace, main, worker, lock = story()
    breaks(main, worker, lock)
    with pytest.raises(AssertionError, match=match):
        validate(trace.ended(1_000).data())


@pytest.mark.parametrize(
    ("signals", "state", "match"),
    [
        ("tasks,gc,locks,io", Thread.running, "without the signal gil"),
        ("tasks,gc,locks,io", Thread.gil_wait, "without the signal gil"),
        ("tasks,gc,gil,locks,io", Thread.preempted, "without the signal sched"),
        ("tasks,gc,gil,locks,io", Thread.off_cpu, "without the signal sched"),
    ],
)
def test_states_need_their_signal(
    signals: str, state: Callable[[Thread, int], Thread], match: str
) -> None:
    """What no hook of the recording can see is not believed."""
    trace, main, _, _ = story(signals)
    state(main, 0).end(10)
    with pytest.raises(AssertionError, match=match):
        validate(trace.ended(20).data())


def test_waits_alone_may_have_gaps() -> None:
    """Without the signal gil a lane is its waits, which do not overlap."""
    trace, main, _, lock = story("tasks,gc,locks,io")
    main.sleep(0).end(5).lock_wait(7, "Lock", lock=lock).end(9)
    assert validate(trace.data()).lanes[100, 100].states == ["sleep", "lock wait: Lock"]
    main.sleep(20)
    main.state = None
    main.sleep(22).end(24).end(30)
    with pytest.raises(AssertionError, match="a thread's state inside another slice"):
        validate(trace.data())


def test_a_wait_on_hold_of_the_idle_pool() -> None:
    """Waits for a signal have no owner and no hold, and are legal."""
    summary = validate(pool().data())
    assert summary.locks == {}
    assert "lock wait: SimpleQueue.get" in summary.lanes[800, 801].states
