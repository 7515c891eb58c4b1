"""Leaked, orphaned and restless tasks; pools; the GIL and the collector. And clean ones."""

import pytest

from tests.support.builder.samples import SampleBuilder
from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, Service, find_in, kinds
from tracer import schema as s

SITE = "/app/leak.py:9 call"
AWAITS = "/app/leak.py:11 call"


def leak(
    count=160,
    every_ns=4 * MS,
    stays=lambda n: n % 2 == 0,
    what="future",
    burst=False,
    end=None,
    created="",
):
    """A task every few ms; those that stay are cancelled at the end, others end soon."""
    trace = TraceBuilder(argv="leak.py", signals=SIGNALS)
    loop = trace.loop(trace.thread("MainThread"))
    main = loop.task("main", site="/app/leak.py:20 main")
    main.ready(0).running(1)
    over = end or (count * every_ns + 10 * MS)
    for n in range(count):
        at = n * every_ns + 1_000 if not burst else n * 1_000 + 1_000
        task = loop.task("call", site=SITE, parent=main.id)
        stack = {s.ARG_STACK: created} if created else {}
        task.ready(at, by=main, **stack).running(at + 100_000)
        task.awaits(at + 200_000, what, site=AWAITS)
        if stays(n):
            task.ready(over, by=main).running(over).done(over, s.CANCELLED)
        else:
            task.ready(at + MS, waker="timer").running(at + MS).done(at + MS)
    main.done(over + MS)
    return trace.ended(over + 2 * MS)


def test_the_line_that_creates_what_leaks(tmp_path):
    """That of the stack that created most of the tasks, if the trace has it."""
    made = "/lib/python3.13/asyncio/tasks.py:410 create_task\n/app/leak.py:23 main"
    (found,) = find_in(tmp_path, leak(created=made))
    assert "of 160 created by `main` (leak.py:23). The old" in found.text


def two_creators(stays_of_first):
    """`accept` and, each time, three `check`s, whose calls are answered 3 ms later."""
    trace = TraceBuilder(argv="leak.py", signals=SIGNALS)
    loop = trace.loop(trace.thread("MainThread"))
    main = loop.task("main", site="/app/leak.py:20 main")
    main.ready(0).running(1)
    over = 180 * 4 * MS + 100 * MS
    for n in range(180):
        for k in range(4):
            at = n * 4 * MS + 1_000 + k * 10_000
            line = 33 if k else 31
            stack = f"/app/leak.py:{line} create\n/app/leak.py:23 main"
            task = loop.task("call", site=SITE, parent=main.id)
            task.ready(at, by=main, **{s.ARG_STACK: stack}).running(at + 1_000)
            task.awaits(at + 2_000, "future", site=AWAITS)
            if not k and stays_of_first(n):
                task.ready(over, by=main).running(over).done(over, s.CANCELLED)
            else:
                # The checks are seen at every other mark only.
                end = at + (3 * MS if n % 45 else 90 * MS)
                task.ready(end, waker="timer").running(end).done(end)
    main.done(over + MS)
    return trace.ended(over + 2 * MS)


def test_one_of_two_creators_leaks(tmp_path):
    """Calls of another place that are answered do not hide it, and are not counted."""
    (found,) = find_in(tmp_path, two_creators(lambda n: n % 2 == 0))
    assert found.finding == "task leak"
    assert "of 180 created by `main` (leak.py:31)" in found.text
    assert kinds(tmp_path, two_creators(lambda n: False)) == []


def test_task_leak(tmp_path):
    """Every second task waits for ever: reported with the line and the numbers."""
    (found,) = find_in(tmp_path, leak())
    assert found.finding == "task leak"
    assert found.text == (
        "Tasks of `call` (leak.py:9) pile up: 40 were alive half-way, 81 at the end, of 160 "
        "created by `main` (leak.py:20). The old ones, the oldest for 650 ms, never return "
        "from `await future` (leak.py:11): nothing wakes them, and they have no timeout."
    )
    assert found.evidence.task == 2
    assert found.evidence.start_ns == 1_000_000_000 + 201_000
    assert found.evidence.duration_ns == 650 * MS - 201_000
    assert found.evidence.site == AWAITS


def paused(until):
    """Of eight times thirty tasks, those from the sixtieth on end soon, until …"""
    return leak(count=240, stays=lambda n: n % 2 == 0 and not 60 <= n < until)


def test_a_leak_that_pauses(tmp_path):
    """In six of eight parts there are more and more; in five it is no leak."""
    assert kinds(tmp_path, paused(120)) == ["task leak"]
    assert kinds(tmp_path, paused(150)) == []


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"stays": lambda n: False}, id="all end"),
        pytest.param({"count": 80}, id="few"),
        pytest.param({"what": "sleep"}, id="timers end by themselves"),
        pytest.param({"what": "socket"}, id="idle clients"),
        pytest.param({"what": "request (aiohttp)"}, id="idle clients of a library"),
        pytest.param(
            {"stays": lambda n: True, "burst": True, "end": 900 * MS}, id="a fan-out"
        ),
        pytest.param({"stays": lambda n: n < 80}, id="a level that is kept"),
        pytest.param({"stays": lambda n: n >= 100, "count": 200}, id="young ones only"),
    ],
)
def test_no_task_leak(tmp_path, story):
    """Growth that stops, that would end by itself, or that happens all at once."""
    assert kinds(tmp_path, leak(**story)) == []


def orphan(
    how=None, lasts=2_000 * MS, what="future", creator_ends=True, ended=True,
    site="/app/orphan.py:5 flush",
):  # fmt: skip
    """A task of a creator that is done; `how` it ends, None still pending."""
    trace = TraceBuilder(argv="orphan.py", signals=SIGNALS)
    loop = trace.loop(trace.thread("MainThread"))
    main = loop.task("main", site="/app/orphan.py:20 main").ready(0).running(1)
    task = loop.task("flush", site=site, parent=main.id)
    task.ready(2, by=main).running(10).awaits(20, what, site="/app/orphan.py:6 flush")
    if creator_ends:
        main.done(100)
    if how is not None:
        if how not in (s.DESTROYED, s.LOOP_CLOSED):
            task.ready(lasts - 10, waker="timer").running(lasts - 5)
        task.done(lasts, how)
    return trace.ended(lasts + MS) if ended else trace


def forgotten():
    """A task that is collected while its loop goes on."""
    trace = TraceBuilder(argv="orphan.py", signals=SIGNALS)
    loop = trace.loop(trace.thread("MainThread"))
    main = loop.task("main", site="/app/orphan.py:20 main").ready(0).running(1)
    task = loop.task("flush", site="/app/orphan.py:5 flush", parent=main.id)
    task.ready(2, by=main)
    main.awaits(5, "sleep")
    loop.step(main, 1, 5)
    task.running(6).awaits(9, "future", site="/app/orphan.py:6 flush")
    loop.step(task, 6, 9)
    task.done(5 * MS, s.DESTROYED)
    main.ready(6 * MS, waker="timer").running(6 * MS + 1).done(6 * MS + 5)
    loop.step(main, 6 * MS + 1, 6 * MS + 5)
    return trace.ended(7 * MS)


def test_destroyed_task(tmp_path):
    """A task that was collected while pending."""
    (found,) = find_in(tmp_path, forgotten())
    assert found.finding == "orphaned task"
    assert found.text == (
        "`flush` (orphan.py:5): 1 orphaned task, garbage-collected while pending: nobody "
        "kept a reference; the longest was stuck in `await future` (orphan.py:6) for 5.00 ms; "
        "created by `main` (orphan.py:20)."
    )
    assert found.severity_ns == 5 * MS - 2
    assert found.evidence.task == 2


def test_task_of_a_loop_that_was_closed(tmp_path):
    (found,) = find_in(tmp_path, orphan(s.LOOP_CLOSED, 5 * MS))
    assert found.finding == "orphaned task"
    assert "1 orphaned task, still pending when the loop was closed; the longest" in found.text
    assert found.severity_ns == 0


def test_what_a_library_leaves_behind_at_the_end(tmp_path):
    """Nobody can do anything about it; one left long before is told."""
    library = "/venv/lib/python3.13/site-packages/kernel/stream.py:194 flush"
    assert kinds(tmp_path, orphan(s.LOOP_CLOSED, 5 * MS, site=library)) == []
    assert kinds(tmp_path, orphan(site=library)) == ["orphaned task"]


def test_task_that_a_loop_leaves_behind(tmp_path):
    """It is collected when the loop has ended: somebody may have kept it until then."""
    (found,) = find_in(tmp_path, orphan(s.DESTROYED, 5 * MS))
    assert found.finding == "orphaned task"
    assert "1 orphaned task, still pending when the loop had ended; the longest" in found.text
    assert found.severity_ns == 0


def test_left_over_task(tmp_path):
    """One that waits for a future at the program's end, long after its creator ended."""
    (found,) = find_in(tmp_path, orphan())
    assert found.finding == "orphaned task"
    assert (
        "1 orphaned task, still pending when the program ended, long after its creator had"
        in found.text
    )


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"how": s.CANCELLED}, id="cancelled"),
        pytest.param({"how": s.DONE}, id="done"),
        pytest.param({"lasts": 900 * MS}, id="not long"),
        pytest.param({"what": "Queue.get"}, id="a consumer"),
        pytest.param({"creator_ends": False}, id="its creator lives"),
    ],
)
def test_no_orphan(tmp_path, story):
    """Pending is not forgotten."""
    assert kinds(tmp_path, orphan(**story)) == []


def hogging(
    own_ns=20 * MS, preempted_ns=0, turns=5, victim_keeps=0, threads=1, away_ns=0, asleep=False
):
    """`compress` has the GIL, the victims wait for it, turn by turn; then the kernel keeps the
    processor from them for a time, or they sleep."""
    trace = TraceBuilder(argv="hog.py", signals=SIGNALS)
    hog = trace.thread("compress").native(0)
    victims = [trace.thread(f"responder-{n}").native(0) for n in range(threads)]
    at = 10_000
    samples = SampleBuilder(trace)
    for _ in range(turns):
        hog.running(at)
        for victim in victims:
            victim.gil_wait(at + 1_000, holder=hog)
        samples.add(hog, at, ("compress", "/app/hog.py", 7))
        at += own_ns
        if preempted_ns:
            hog.preempted(at, holding_gil=True)
            at += preempted_ns
        hog.gil_wait(at, holder=victims[0])
        for victim in victims:
            victim.running(at).preempted(at + victim_keeps + 1_000)
            at += victim_keeps + 1_000
    hog.native(at)
    for victim in victims if away_ns else ():
        if asleep:
            victim.sleep(at, site="/app/hog.py:30 respond")
        else:
            victim.preempted(at)
    at += away_ns
    hog.end(at + 1_000)
    for victim in victims:
        victim.end(at + 1_000)
    return trace.ended(at + 2_000)


@pytest.mark.parametrize(("asleep", "found"), [(False, ["GIL hog"]), (True, [])])
def test_what_the_kernel_took_is_no_part_of_a_victims_life(tmp_path, asleep, found):
    """It wants to run for a tenth of its life, or would if the kernel had let it."""
    trace = hogging(turns=5, away_ns=1_000 * MS, asleep=asleep)
    assert [kind for kind in kinds(tmp_path, trace) if kind == "GIL hog"] == found


def test_gil_hog(tmp_path):
    """A thread that has the GIL for 20 ms at a time."""
    (found,) = find_in(tmp_path, hogging())
    assert found.finding == "GIL hog"
    assert found.text == (
        "`compress` hogs the GIL: `responder-0` waited 100 ms for it (99 % of the time it "
        "wanted to run), the longest 20.0 ms; `compress` computes in `compress` (hog.py:7, "
        "100 % of 5 CPU samples)."
    )
    assert found.severity_ns == 5 * (20 * MS - 1_000)
    assert found.evidence.track == "responder-0"


def test_hog_that_is_preempted_too(tmp_path):
    """Preemption of the hog is mentioned, not counted."""
    (found,) = find_in(tmp_path, hogging(preempted_ns=10 * MS))
    assert found.severity_ns == 5 * (20 * MS - 1_000)
    assert "(not counted: 50.0 ms while the kernel had preempted it)" in found.text


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"own_ns": 3 * MS}, id="little"),
        pytest.param({"own_ns": MS // 2, "turns": 200}, id="short turns"),
        pytest.param({"own_ns": 2 * MS, "preempted_ns": 30 * MS}, id="preempted"),
        pytest.param({"victim_keeps": 20 * MS}, id="they take turns"),
    ],
)
def test_no_gil_hog(tmp_path, story):
    """Turns are no hogging, nor is what the kernel does."""
    assert kinds(tmp_path, hogging(**story)) == []


def collecting(runs, ns, every_ns, preempted=False, called_at="", freed=1_000):
    """Collections inside the steps of `hog`, with one victim that is ready meanwhile."""
    service = Service()
    for n in range(runs):
        if n:
            service.rest(n * every_ns)
        start = service.step(ns + 2 * MS)
        if preempted:
            service.thread.preempted(start + MS, holding_gil=True).running(start + MS + ns)
        tid = service.thread.tid
        service.trace.gc(start + MS, start + MS + ns, tid, 2, freed, called_at)
    return service


def test_collections(tmp_path):
    """Ten collections of 10 ms in 300 ms, all inside one coroutine, the samples show where."""
    service = collecting(10, 10 * MS, 30 * MS)
    samples = SampleBuilder(service.trace)
    top = ("main", "/app/service.py", 30)
    samples.add(service.thread, 2 * MS, top, ("parse", "/app/text.py", 5), times=5)
    (found,) = find_in(tmp_path, service.end())
    assert found.finding == "GC in the hot path"
    assert found.text == (
        "Garbage collection takes 82 % of the running time of `MainThread`: 10 collections, "
        "100 ms in total, the longest 10.0 ms (at 1.00 ms); 100 % of that time it interrupted "
        "`hog` (service.py:10); the objects made in `parse` (text.py:5, 100 % of 5 CPU "
        "samples) trigger it; it freed 10,000 objects in reference cycles; 1 ready task "
        "waited behind it, 100 ms in total."
    )


def test_collections_that_find_no_garbage(tmp_path):
    (found,) = find_in(tmp_path, collecting(10, 10 * MS, 30 * MS, freed=0).end())
    assert "in reference cycles" not in found.text
    assert found.next_step.startswith("Next to nothing of what it looks at is garbage")


def test_collections_that_were_called_for(tmp_path):
    """Whoever calls gc.collect() made no objects that trigger it."""
    service = collecting(10, 10 * MS, 30 * MS, called_at="/app/cleanup.py:7 sweep")
    samples = SampleBuilder(service.trace)
    samples.add(service.thread, 2 * MS, ("sweep", "/app/cleanup.py", 7), times=5)
    (found,) = find_in(tmp_path, service.end())
    assert found.text == (
        "Garbage collection takes 82 % of the running time of `MainThread`: 10 collections, "
        "100 ms in total, the longest 10.0 ms (at 1.00 ms); 100 % of that time it interrupted "
        "`hog` (service.py:10); `gc.collect()` called in `sweep` (cleanup.py:7) began all of "
        "them; it freed 10,000 objects in reference cycles; 1 ready task waited behind it, "
        "100 ms in total."
    )


def test_one_long_pause(tmp_path):
    """A pause of 80 ms with a task ready, in a run of ten seconds."""
    service = collecting(1, 80 * MS, 1)
    service.thread.running(service.now)
    service.now += 10_000 * MS
    (found,) = find_in(tmp_path, service.end())
    assert found.finding == "GC in the hot path"
    assert "takes 1 % of the running time" in found.text


@pytest.mark.parametrize(
    "story",
    [
        pytest.param((4, 10 * MS, 30 * MS), id="little"),
        pytest.param((10, 10 * MS, 30 * MS, True), id="preempted meanwhile"),
    ],
)
def test_no_collections(tmp_path, story):
    """Few, or long by the kernel's doing only."""
    assert kinds(tmp_path, collecting(*story).end()) == []


def test_seldom_collections(tmp_path):
    """100 ms of pauses in ten seconds of work are the normal price."""
    service = collecting(10, 10 * MS, 30 * MS)
    service.thread.running(service.now)
    service.now += 10_000 * MS
    assert kinds(tmp_path, service.end()) == []


def test_a_collection_before_a_fork(tmp_path):
    """What is called once or twice at a start or an end is no hot path."""
    service = collecting(2, 60 * MS, 200 * MS, called_at="/app/cleanup.py:7 fork")
    assert "GC in the hot path" not in kinds(tmp_path, service.end())
