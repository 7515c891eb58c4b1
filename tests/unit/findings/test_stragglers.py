"""Jobs that are far slower than their like, while somebody waits for them alone."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in
from tracer import schema as s

PROBE = ("probe", "/app/status.py:9 probe")


def batch(slow_ns=900 * MS, usual_ns=30 * MS, jobs=6, waits=True, state="io", slow=1):
    """One job for each worker; the last ones take longer, and `MainThread` waits."""
    trace = TraceBuilder(argv="status.py", signals=SIGNALS)
    main = trace.thread("MainThread").native(0)
    idle = trace.lock("executor idle", "")
    submits = [main.submits(n + 1) for n in range(jobs)]
    for n, submit in enumerate(submits):
        ns = slow_ns if n >= jobs - slow else usual_ns
        worker = trace.thread(f"probe_{n}").runs(100, *PROBE, by=submit)
        if state == "io":
            worker.io(100, "socket.recv", site="/app/status.py:12 probe")
        else:
            worker.native(100)
        worker.native(100 + ns).lock_wait(101 + ns, "executor idle", lock=idle)
        worker.native(slow_ns + 10 * MS).end(slow_ns + 11 * MS)
    if waits:
        lock = trace.lock("Future.result", "/app/status.py:22 page")
        main.lock_wait(MS, "Future.result", lock=lock, site="/app/status.py:22 page")
    main.native(slow_ns + MS).end(slow_ns + 12 * MS)
    return trace.ended(slow_ns + 13 * MS)


def test_everybody_waits_for_the_slowest(tmp_path):
    (found,) = find_in(tmp_path, batch())
    assert found.finding == "slow answer"
    assert found.text == (
        "Slow answer: `MainThread` in `page` (status.py:22) waited 870 ms in `Future.result` "
        "(at 30.0 ms) for the last one alone, `probe` (status.py:9) on `probe_5`, 99 % of "
        "that time in `socket.recv` in `probe` (status.py:12); the others took 30.0 ms, "
        "typically. Give what it waits for a time-out, or go on without the last ones."
    )


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"slow_ns": 480 * MS}, id="little is lost"),
        pytest.param({"usual_ns": 100 * MS}, id="it takes nine times as long"),
        pytest.param({"jobs": 3}, id="two others"),
        pytest.param({"waits": False}, id="nobody waits"),
        pytest.param({"slow": 3}, id="three of six are slow"),
    ],
)
def test_no_straggler(tmp_path, story):
    assert "last one alone" not in " ".join(
        one.text for one in find_in(tmp_path, batch(**story))
    )


def test_the_last_job_has_more_to_do(tmp_path):
    (found,) = find_in(tmp_path, batch(state="native"))
    assert found.finding == "uneven workers"
    assert found.text.startswith(
        "Uneven workers: `probe` (status.py:9) on `probe_5` took 900 ms, 5 others like it "
        "30.0 ms, typically. `MainThread` in `page` (status.py:22) waited 870 ms in "
        "`Future.result` (at 30.0 ms) for this one alone, 100 % of that time computing "
        "without the GIL. Share"
    )


@pytest.mark.parametrize(
    "story", [{"slow_ns": 520 * MS}, {"jobs": 4}, {"waits": False}, {"usual_ns": 100 * MS}]
)
def test_jobs_that_have_as_much_to_do(tmp_path, story):
    assert not find_in(tmp_path, batch(state="native", **story))


def threads(slow_ns=900 * MS, others=5, names=("node-{}",)):
    """`MainThread` starts threads and joins one after the other."""
    trace = TraceBuilder(argv="status.py", signals=SIGNALS)
    main = trace.thread("MainThread").native(0)
    nodes = [trace.thread(names[n % len(names)].format(n)) for n in range(others + 1)]
    for n, node in enumerate(nodes):
        start = trace.instant(main.track, n + 1, s.THREAD_START, s.CAT_THREAD)
        node.io(n + 100, "socket.recv", site="/app/status.py:12 ask")
        assert node.state is not None
        trace.arrow(start, node.state)
        end = slow_ns if n == others else 30 * MS
        node.native(end + n).end(end + n + 10)
    main.lock_wait(
        40 * MS, "Thread.join", lock=9, owner=nodes[-1], site="/app/status.py:22 page"
    )
    main.native(slow_ns + others + 20).end(slow_ns + MS)
    return trace.ended(slow_ns + 2 * MS)


def test_threads_of_which_one_is_slow(tmp_path):
    (found,) = find_in(tmp_path, threads())
    assert (
        "Slow answer: `MainThread` in `page` (status.py:22) waited 870 ms in `Thread.join` "
        "(at 30.0 ms) for the last one alone, `node-5`"
    ) in found.text


@pytest.mark.parametrize(
    "story", [{"slow_ns": 480 * MS}, {"others": 2}, {"names": ("node-{}", "other-{}")}]
)
def test_no_thread_is_slower_than_its_like(tmp_path, story):
    assert "last one alone" not in " ".join(
        f.text for f in find_in(tmp_path, threads(**story))
    )


def tasks(slow_ns=900 * MS, others=5, awaits="socket"):
    """`main` gathers what it created."""
    trace = TraceBuilder(argv="status.py", signals=SIGNALS)
    thread = trace.thread("MainThread").native(0)
    loop = trace.loop(thread)
    main = loop.task("main", site="/app/status.py:30 main").ready(0).running(0)
    main.awaits(1, "gather", site="/app/status.py:33 main")
    for n in range(others + 1):
        task = loop.task("fetch", site="/app/status.py:9 fetch", parent=main.id)
        task.ready(2 + n).running(10 + n)
        task.awaits(20 + n, awaits, site="/app/status.py:12 fetch")
        end = slow_ns if n == others else 30 * MS + n
        task.ready(end, waker="io").running(end).done(end + 1)
    main.ready(slow_ns + 10, waker="io").running(slow_ns + 11).done(slow_ns + 20)
    thread.end(slow_ns + MS)
    return trace.ended(slow_ns + 2 * MS)


def test_tasks_of_which_one_is_slow(tmp_path):
    (found,) = find_in(tmp_path, tasks())
    assert (
        "Slow answer: `main` in `main` (status.py:33) waited 870 ms in `gather` (at 30.0 ms) "
        "for the last one alone, `fetch`"
    ) in found.text


@pytest.mark.parametrize("story", [{"slow_ns": 480 * MS}, {"others": 2}])
def test_no_task_is_slower_than_its_like(tmp_path, story):
    assert "last one alone" not in " ".join(f.text for f in find_in(tmp_path, tasks(**story)))


def batches(slow_ns=400 * MS, usual_ns=20 * MS, times=4, others=4):
    """`main` gathers equal tasks, again and again; one of each batch is slow."""
    trace = TraceBuilder(argv="crawl.py", signals=SIGNALS)
    thread = trace.thread("MainThread").native(0)
    loop, at = trace.loop(thread), 0
    main = loop.task("main", site="/app/crawl.py:9 main").ready(0).running(0)
    for _ in range(times):
        made = [
            loop.task("fetch", site="/app/crawl.py:4 fetch", parent=main.id)
            for _ in range(others + 1)
        ]
        main.awaits(at + 10, "gather", site="/app/crawl.py:12 main")
        for n, task in enumerate(made):
            ns = usual_ns if n else slow_ns
            task.ready(at + 10 + n).running(at + 20 + n)
            task.awaits(at + 30 + n, "socket", site="/app/crawl.py:5 fetch")
            task.ready(at + ns + n, waker="io").running(at + ns + n).done(at + ns + n + 1)
        at += slow_ns + MS
        main.ready(at, waker="io").running(at)
    main.done(at + 1)
    thread.end(at + MS)
    return trace.ended(at + MS)


def test_each_batch_waits_for_its_slowest(tmp_path):
    (found,) = find_in(tmp_path, batches())
    assert found.finding == "slow answer"
    assert "for the last one alone, `fetch`" in found.text
    assert ": 4 such waits, 1.52 s in total" in found.text


def test_batches_whose_slowest_takes_six_times_as_long(tmp_path):
    """It comes again in each batch, so that less is enough than for one alone."""
    (found,) = find_in(tmp_path, batches(usual_ns=60 * MS))
    assert found.finding == "slow answer"
    assert ": 4 such waits, 1.36 s in total. Do not wait for the slowest" in found.text


@pytest.mark.parametrize("story", [{"times": 2}, {"slow_ns": 220 * MS}, {"usual_ns": 90 * MS}])
def test_batches_of_equal_ones(tmp_path, story):
    assert not find_in(tmp_path, batches(**story))


def consumer(stop=True, awaits="wait"):
    """`consume` waits for the next item, and for the order to stop; the last one is late."""
    trace = TraceBuilder(argv="service.py", signals=SIGNALS)
    thread = trace.thread("MainThread").native(0)
    loop, end = trace.loop(thread), 1000 * MS
    main = loop.task("consume", site="/app/service.py:9 consume").ready(0).running(0)
    if stop:
        order = loop.task("Event.wait", site="/app/service.py:10 consume", parent=main.id)
        order.ready(1).running(2).awaits(3, "Event.wait", site="/app/service.py:10 consume")
    for n in range(6):
        at, until = n * 20 * MS + 10, end if n == 5 else (n + 1) * 20 * MS
        main.awaits(at, awaits, site="/app/service.py:14 consume")
        task = loop.task("Queue.get", site="/app/service.py:13 consume", parent=main.id)
        task.ready(at + 1).running(at + 2)
        task.awaits(at + 3, "Queue.get", site="/app/service.py:13 consume")
        task.ready(until, waker="io").running(until).done(until + 1)
        main.ready(until + 2, waker="io").running(until + 3)
    main.done(end + 10)
    if stop:
        order.ready(end + 11, waker="io").running(end + 12).done(end + 13)
    thread.end(end + MS)
    return trace.ended(end + 2 * MS)


def test_whoever_waits_for_an_order_besides_has_no_late_answer(tmp_path):
    said = [" ".join(one.text for one in find_in(tmp_path, consumer(stop))) for stop in (0, 1)]
    assert ["last one alone" in text for text in said] == [False, False]
    (found,) = find_in(tmp_path, consumer(awaits="gather"))
    assert "last one alone" in found.text
