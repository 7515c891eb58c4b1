"""Programs that look like a fault and are none; each beside the fault that it looks like."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds
from tracer import schema as s

TAKES = "/app/a.py:7 work"
BESIDE = f"{TAKES}\n/app/a.py:20 main"
INSIDE = "/app/a.py:3 helper\n/app/a.py:8 work\n/app/a.py:20 main"
KILLED = {"is_open": True, "ended": False}


def waiting_for_its_own(
    *, acquired=False, release_by=None, is_open=False, ended=True, stack="", is_main=False
):
    """`worker` has a lock and waits for it: until `release_by` gave it back, then again."""
    trace = TraceBuilder(argv="a.py", signals=SIGNALS)
    lock = trace.lock("Lock", TAKES)
    other = trace.thread("other", trace.pid + 50).native(0)
    worker = trace.thread("worker", trace.pid if is_main else trace.pid + 1).running(0)
    at = MS
    if release_by == "other":
        worker.lock_wait(at, "Lock", lock=lock, site=TAKES, owner=worker)
        lock.hold(at, at + 60 * MS, worker, TAKES)
        at += 60 * MS
        other.release(at, lock, to=worker)
        worker.running(at)
    at += MS
    worker.lock_wait(
        at, "Lock", lock=lock, site=TAKES, owner=worker, owner_site=TAKES, acquired=acquired,
        stack=stack,
    )  # fmt: skip
    if not is_open:
        lock.hold(at, at + 200 * MS, worker, TAKES)
        worker.running(at + 200 * MS).end(at + 210 * MS)
    else:
        trace.begin(lock.track, at, worker.name, s.CAT_HOLD,
                    lock=lock.id, kind="Lock", owner=worker.tid, site=TAKES)  # fmt: skip
    other.end(at + 220 * MS)
    if not ended:
        trace.instant(trace.tracer, at + 230 * MS, "note", "tracer", reason="alive")
        return trace
    return trace.ended(at + 230 * MS)


@pytest.mark.parametrize(
    ("story", "found"),
    [
        pytest.param({}, ["deadlock"], id="a time-out ended it"),
        pytest.param(KILLED, ["deadlock"], id="until it was killed"),
        pytest.param({"acquired": True}, [], id="it got the lock"),
        pytest.param({"release_by": "other"}, [], id="another has released it before"),
        pytest.param({"is_open": True}, [], id="the program ended without it"),
        pytest.param({"stack": INSIDE}, ["deadlock"], id="in a function that it calls"),
        pytest.param({"stack": BESIDE}, [], id="in the function that acquired it"),
        pytest.param(KILLED | {"stack": BESIDE}, [], id="the same, until it was killed"),
        pytest.param(
            KILLED | {"stack": BESIDE, "is_main": True}, ["deadlock"], id="the main thread"
        ),
        pytest.param({"stack": BESIDE, "is_main": True}, [], id="the main thread, for a time"),
    ],
)
def test_waiting_for_its_own_lock(tmp_path, story, found):
    """A lock may be a signal: who waits for it then waits for another's release."""
    assert kinds(tmp_path, waiting_for_its_own(**story)) == found


def queue_for(waits, wait_ns, *, handed=False, every_ns=0):
    """Two threads wait for what a third has; that one gives it back, or another thread."""
    trace = TraceBuilder(argv="a.py", signals=SIGNALS)
    lock = trace.lock("Lock", TAKES)
    holder, other = trace.thread("holder").native(0), trace.thread("other").native(0)
    waiters = [trace.thread(f"waiter-{n}").native(0) for n in range(2)]
    at = MS
    for n in range(waits):
        waiter = waiters[n % 2]
        waiter.lock_wait(at, "Lock", lock=lock, site=TAKES, owner=holder)
        lock.hold(at, at + wait_ns, holder, TAKES)
        at += wait_ns
        (other if handed else holder).release(at, lock, to=waiter)
        waiter.native(at)
        lock.hold(at, at + MS // 100, waiter, TAKES)
        at += MS // 100 + every_ns
    for thread in (holder, other, *waiters):
        thread.end(at + MS)
    return trace.ended(at + 2 * MS)


@pytest.mark.parametrize(
    ("story", "found"),
    [
        pytest.param((3, 500 * MS), ["lock convoy"], id="three waits of half a second"),
        pytest.param((40, 5 * MS), ["lock convoy"], id="many short ones"),
        pytest.param((91, MS), [], id="91 waits of a millisecond"),
        pytest.param((3, 100 * MS), [], id="few that lose little"),
    ],
)
def test_convoys_by_time_lost(tmp_path, story, found):
    """The time that is lost makes a convoy, not the number of waits."""
    assert kinds(tmp_path, queue_for(*story)) == found


def test_a_lock_that_is_handed_over(tmp_path):
    """Taken in one thread and released in another: its owner keeps nobody waiting."""
    assert kinds(tmp_path, queue_for(40, 5 * MS, handed=True)) == []


def crowd(life_ns, every_ns, threads=40):
    """Threads that wait for locks for nine tenths of their lives."""
    trace = TraceBuilder(argv="crowd.py", signals=SIGNALS)
    for n in range(threads):
        lock = trace.lock("Lock", f"/app/crowd.py:{n} work")
        worker, at = trace.thread(f"Thread-{n}"), n * every_ns
        worker.lock_wait(at, "Lock", lock=lock, site=TAKES)
        worker.sleep(at + life_ns * 9 // 10, site=TAKES).end(at + life_ns)
    return trace.ended(threads * every_ns + life_ns)


@pytest.mark.parametrize(
    ("story", "found"),
    [
        pytest.param((100 * MS, 0), ["too many workers"], id="a pool"),
        pytest.param((100 * MS, MS), ["too many workers"], id="a pool that fills"),
        pytest.param((100 * MS, 100 * MS), [], id="one after the other"),
        pytest.param((100 * MS, 20 * MS), [], id="one for each request"),
    ],
)
def test_threads_that_are_no_pool(tmp_path, story, found):
    """Only threads that are there at the same time can stand in each other's way."""
    assert kinds(tmp_path, crowd(*story)) == found


def collecting(*, others_wait, taken_ns=0, times=10):
    """Collections of 10 ms, one in 12 ms; another thread works, or waits for the GIL. Of each
    the kernel takes some."""
    trace = TraceBuilder(argv="gc.py", signals=SIGNALS)
    parser, other = trace.thread("parser").running(0), trace.thread("other").native(0)
    for n in range(times):
        at = n * 12 * MS + MS
        trace.gc(at, at + 10 * MS, parser.tid, 0, 0)
        if taken_ns:
            parser.preempted(at + MS).running(at + MS + taken_ns)
        if others_wait:
            other.gil_wait(at, holder=parser).native(at + 10 * MS)
    parser.end(times * 12 * MS)
    other.end(times * 12 * MS)
    return trace.ended(times * 12 * MS + MS)


def test_collections_that_nobody_waits_for(tmp_path):
    """A thread pays for its own garbage; it is a fault when others pay."""
    assert kinds(tmp_path, collecting(others_wait=False)) == []
    assert "GC in the hot path" not in kinds(tmp_path, collecting(others_wait=True, times=9))
    assert "GC in the hot path" in kinds(tmp_path, collecting(others_wait=True))


@pytest.mark.parametrize(
    ("pause_ns", "found"), [(140 * MS, ["GC in the hot path"]), (170 * MS, [])]
)
def test_collections_that_the_end_of_the_program_waits_for(tmp_path, pause_ns, found):
    """Ten collections of 50 ms are a quarter of all, or less."""
    trace = TraceBuilder(argv="gc.py", signals=SIGNALS)
    main, at = trace.thread("MainThread").running(0), 0
    for _ in range(11):
        trace.gc(at, at + 50 * MS, main.tid, 0, 0)
        main.running(at + 50 * MS)
        at += 50 * MS + pause_ns
    main.end(at)
    said = find_in(tmp_path, trace.ended(at + MS))
    assert [one.finding for one in said] == found
    for one in said:
        assert "; the end of the program waited 550 ms for them" in one.text
        assert one.severity_ns == 550 * MS


@pytest.mark.parametrize(
    ("taken_ns", "said"),
    [
        (0, "10 collections, 100 ms in total, the longest 10.0 ms (at 1.00 ms); "),
        (
            4 * MS,
            "20 collections, 120 ms in total, the longest 6.00 ms (at 1.00 ms) (not counted: "
            "80.0 ms while the kernel or other threads had stopped them); ",
        ),
    ],
)
def test_what_the_kernel_took_from_collections_is_said(tmp_path, taken_ns, said):
    found = find_in(
        tmp_path,
        collecting(others_wait=True, taken_ns=taken_ns, times=20 if taken_ns else 10),
    )
    (text,) = (one.text for one in found if one.finding == "GC in the hot path")
    assert said in text


def progress(every_ns, taken_ns=0):
    """A thread that wakes now and then and waits 5 ms each time for one that computes, and
    longer where the kernel takes the processor from that one."""
    trace = TraceBuilder(argv="cpu.py", signals=SIGNALS)
    busy, waker = trace.thread("busy").running(0), trace.thread("progress").native(0)
    at = MS
    for _ in range(30):
        waker.gil_wait(at, holder=busy)
        busy.running(at)
        if taken_ns:
            busy.preempted(at, holding_gil=True).running(at + taken_ns)
        at += taken_ns + 5 * MS
        busy.gil_wait(at, holder=waker)
        waker.running(at)
        at += MS // 100
        busy.running(at)
        waker.sleep(at, site=TAKES)
        at += every_ns
    busy.end(at)
    waker.end(at)
    return trace.ended(at)


def test_a_thread_that_seldom_needs_the_gil(tmp_path):
    """It loses a twentieth of its life: nobody complains. A third: somebody does."""
    assert kinds(tmp_path, progress(100 * MS)) == []
    assert kinds(tmp_path, progress(10 * MS)) == ["GIL hog"]


def test_what_the_kernel_took_is_no_part_of_its_life(tmp_path):
    """5 ms of 45, where the machine ran something else for 20 more."""
    assert kinds(tmp_path, progress(40 * MS, taken_ns=20 * MS)) == ["GIL hog"]
    assert kinds(tmp_path, progress(100 * MS, taken_ns=20 * MS)) == []


def connections(ends):
    """A client every 4 ms waits for an event until the shutdown."""
    trace = TraceBuilder(argv="net.py", signals=SIGNALS)
    loop = trace.loop(trace.thread("MainThread"))
    main = loop.task("main", site="/app/net.py:20 main").ready(0).running(1)
    for n in range(160):
        task = loop.task("client", site="/app/net.py:9 client", parent=main.id)
        at = n * 4 * MS + 1_000
        task.ready(at, by=main).running(at + 100_000)
        task.awaits(at + 200_000, "Event", site="/app/net.py:11 client")
        task.ready(700 * MS, by=main).running(700 * MS).done(700 * MS, ends)
    main.done(701 * MS)
    return trace.ended(702 * MS)


def test_tasks_that_return_at_the_shutdown(tmp_path):
    """Who is woken at last was not forgotten; who is cancelled was."""
    assert kinds(tmp_path, connections(s.DONE)) == []
    assert kinds(tmp_path, connections(s.CANCELLED)) == ["task leak"]


def one_connection(every_ns):
    """Six tasks share a connection: each asks for 2 ms, then does something else."""
    trace = TraceBuilder(argv="one.py", signals=SIGNALS)
    loop = trace.loop(trace.thread("MainThread"))
    site = "/app/one.py:6 ask"
    lock = trace.lock("asyncio.Lock", site)
    tasks = [loop.task("ask", site=site).ready(0) for _ in range(6)]
    for turn in range(30):
        begin = turn * every_ns + MS
        gives = None  # the state in which the one before gives the lock back
        for n, task in enumerate(tasks):
            at = begin + n * 2 * MS
            if turn:
                task.ready(begin, waker="timer")
            if n:
                task.running(begin)
                owner = tasks[n - 1]
                task.awaits(
                    begin + 1, "Lock", lock=lock.id, site=site,
                    owner_task=owner.id, owner_name=owner.name, owner_site=site,
                )  # fmt: skip
                task.ready(at, by=gives, waker_task=owner.id)
            task.running(at).awaits(at + MS // 100, "socket", site=site)
            lock.hold(at, at + 2 * MS, task, site)
            gives = task.ready(at + 2 * MS, waker="io").running(at + 2 * MS).state
            task.awaits(at + 2 * MS + 1, "sleep", site=site)
    end = 30 * every_ns + 20 * MS
    for task in tasks:
        task.ready(end, waker="timer").running(end).done(end)
    return trace.ended(end + MS)


def test_a_lock_that_seldom_makes_anybody_wait(tmp_path):
    """A tenth of the waiters' lives is the least that is worth a word."""
    assert kinds(tmp_path, one_connection(200 * MS)) == []
    assert kinds(tmp_path, one_connection(20 * MS)) == ["lock held across await"]
