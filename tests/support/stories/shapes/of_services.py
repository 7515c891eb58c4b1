"""Shapes of services: what many requests, jobs and connections leave in a trace."""

from tests.support.builder.family import Family
from tests.support.builder.trace import TraceBuilder
from tests.support.stories.shapes.sizes import MS, US, shaped
from tracer import schema as s


def patient_task(events: int) -> TraceBuilder:
    """One task reads from one connection all the time."""
    trace = shaped()
    loop = trace.loop(trace.thread("MainThread").running(0))
    task = loop.task("read", site="/app/read.py:3 read").ready(0)
    at = 0
    for _ in range(events // 8):
        loop.step(task, at + US, at + 3 * US)
        task.running(at + US).awaits(at + 3 * US, "socket", site="/app/read.py:4 read")
        task.ready(at + 900 * US, waker="io")
        at += MS
    return trace.ended(at + MS)


def wide_gather(events: int) -> TraceBuilder:
    """One task makes very many, and awaits them all."""
    trace = shaped()
    loop = trace.loop(trace.thread("MainThread").running(0))
    main = loop.task("main", site="/app/gather.py:9 main").ready(0).running(0)
    children = [
        loop.task("fetch", site="/app/gather.py:3 fetch", parent=main.id).ready(n, by=main)
        for n in range(events // 12)
    ]
    at = len(children)
    loop.step(main, 0, at)
    main.awaits(at, "gather", site="/app/gather.py:10 main")
    for child in children:
        loop.step(child, at, at + US)
        child.running(at).awaits(at + US, "socket", site="/app/gather.py:4 fetch")
        at += US
    for child in children:
        child.ready(at, waker="io").running(at)
        loop.step(child, at, at + US)
        if child is children[-1]:
            main.ready(at, by=child)
        child.done(at + US)
        at += US
    loop.step(main, at, at + US)
    main.running(at).done(at + US)
    return trace.ended(at + MS)


def failing_tasks(events: int) -> TraceBuilder:
    """Each request fails, after a wait at one of many lines."""
    trace = shaped()
    loop = trace.loop(trace.thread("MainThread").running(0))
    at = 0
    for n in range(events // 12):
        task = loop.task("serve", site="/app/fail.py:3 serve").ready(at)
        loop.step(task, at, at + US)
        task.running(at).awaits(at + US, "socket", site=f"/app/fail.py:{n % 999} serve")
        task.ready(at + MS, waker="io").running(at + MS)
        loop.step(task, at + MS, at + MS + US)
        task.done(at + MS + US, s.FAILED_PREFIX + f"Error{n % 300}")
        at += 2 * MS
    return trace.ended(at + MS)


def callbacks(events: int) -> TraceBuilder:
    """Each callback is another function, and schedules the next one."""
    trace = shaped()
    loop = trace.loop(trace.thread("MainThread").running(0))
    at, before = 0, None
    for n in range(events // 3):
        loop.callback(f"call_{n}", f"/app/calls.py:{n} call_{n}", at, at + 2 * US, by=before)
        before = loop.wakes(at + US)
        at += 3 * US
    return trace.ended(at + MS)


def thread_jobs(events: int) -> TraceBuilder:
    """Workers of an executor run short jobs, and one thread waits for each."""
    trace = shaped()
    main = trace.thread("MainThread").running(0)
    workers = [trace.thread(f"ThreadPoolExecutor-0_{n}") for n in range(8)]
    idle, result = (trace.lock("SimpleQueue.get", "/app/jobs.py:1 f", n) for n in (801, 802))
    for worker in workers:
        worker.lock_wait(0, "executor idle", lock=idle)
    at = US
    for n in range(events // 14):
        worker = workers[n % 8]
        submitted = main.submits(at)
        main.release(at, idle, to=worker)
        main.lock_wait(at, "Future.result", lock=result, site="/app/jobs.py:9 main")
        worker.running(at + US).runs(at + US, "job", "/app/jobs.py:3 job", by=submitted)
        worker.io(at + 2 * US, "FileIO.read", site="/app/jobs.py:4 job")
        worker.release(at + 8 * US, result, to=main)
        worker.lock_wait(at + 8 * US, "executor idle", lock=idle)
        main.running(at + 9 * US)
        at += 10 * US
    return trace.ended(at + MS)


def unbegun_jobs(events: int) -> TraceBuilder:
    """Jobs pile up before an executor whose workers are busy to the end."""
    trace = shaped()
    main = trace.thread("MainThread").native(0)
    workers = [trace.thread(f"ThreadPoolExecutor-0_{n}") for n in range(4)]
    for worker in workers:
        worker.native(US).runs(US, "job", "/app/jobs.py:3 job", by=main.submits(0))
        worker.sleep(2 * US, site="/app/jobs.py:4 job")
    for n in range(events):
        main.submits(n * 10 * US)
    return trace.ended(events * 10 * US + MS)


def unbegun_processes(events: int) -> Family:
    """The same, before a pool of processes."""
    family = Family("/app/batch.py")
    main = family.first.thread("MainThread", 100).running(0)
    worker = family.fork(main, 1, 101)
    family.main(worker).running(MS)
    for n in range(events):
        family.job(5, f"resize_{n % 50}", main, MS + n * US, "/app/batch.py:8 main")
    end = events * US + 900 * MS
    worker.ended(end)
    main.end(end)
    family.first.ended(end)
    return family


def call_sites(events: int) -> TraceBuilder:
    """Calls and waits at very many lines, by some threads in turn."""
    trace = shaped()
    line = [trace.thread(f"worker-{n}") for n in range(20)]
    lock = trace.lock("Lock", "/app/lock.py:3 work")
    at = 0
    for n in range(events // 8):
        worker, other = line[n % 20], line[(n + 1) % 20]
        worker.io(at, "socket.recv", site=f"/app/sites.py:{n} call_{n}", size_bytes=9)
        other.lock_wait(
            at, "Lock", lock=lock, owner=worker, site=f"/app/sites.py:{n} take_{n}"
        )
        lock.hold(at, at + 8 * MS, worker, site=f"/app/sites.py:{n} have_{n}")
        at += 9 * MS
        worker.native(at)
    return trace.ended(at + MS)


def timeouts(events: int) -> TraceBuilder:
    """Waits of threads and tasks that end in vain, each in a function of its own."""
    trace = shaped()
    main = trace.thread("MainThread").running(0)
    loop = trace.loop(main)
    threads = [trace.thread(f"poller-{n}") for n in range(9)]
    at = 0
    for n in range(events // 12):
        thread = threads[n % 9]
        thread.lock_wait(
            at, "Event.wait", lock=n + 1000, site=f"/app/vain.py:{n} wait_{n}", acquired=False
        )
        task = loop.task("ask", site="/app/ask.py:3 ask").ready(at)
        loop.step(task, at, at + US)
        task.running(at).awaits(
            at + US, "Event", lock=n + 10**7, site=f"/app/ask.py:{n} ask", acquired=False
        )
        task.ready(at + 90 * MS, waker="timer").running(at + 90 * MS)
        loop.step(task, at + 90 * MS, at + 90 * MS + US)
        task.done(at + 90 * MS + US, s.CANCELLED)
        thread.native(at + 90 * MS)
        at += 100 * MS
    return trace.ended(at + MS)


def queues(events: int) -> TraceBuilder:
    """Tasks hand items on, each pair through a queue of its own."""
    trace = shaped()
    loop = trace.loop(trace.thread("MainThread").running(0))
    pairs = max(events // 90, 1)
    tasks = [
        loop.task(name, site=f"/app/queue.py:3 {name}").ready(n)
        for n in range(pairs)
        for name in ("produce", "consume")
    ]
    at = len(tasks)
    for _ in range(5):
        for n in range(pairs):
            one, other = tasks[2 * n], tasks[2 * n + 1]
            loop.step(other, at, at + US)
            other.running(at)
            other.awaits(at + US, "Queue.get", lock=n + 1, site="/app/queue.py:9 consume")
            loop.step(one, at + US, at + 2 * US)
            one.running(at + US)
            other.ready(at + 2 * US, by=one)
            one.awaits(at + 2 * US, "sleep", site="/app/queue.py:4 produce")
            one.ready(at + 3 * US, waker="timer")
            at += 3 * US
    return trace.ended(at + MS)


def processes(events: int) -> Family:
    """Two hundred processes, each with threads that wait for each other."""
    family = Family("/app/serve.py")
    main = family.first.thread("MainThread", 100).running(0)
    many = min(200, max(events // 100, 1))
    born = [family.fork(main, n * 1_000 + 1, 101 + n) for n in range(many)]
    for child in born:
        thread, helper = family.main(child).native(MS), child.thread("helper").native(MS)
        lock = child.lock("Lock", "/app/serve.py:2 serve", 1)
        at = 2 * MS
        for n in range(events // many // 10):
            thread.io(at, "socket.recv", site=f"/app/serve.py:{n % 50} serve")
            thread.lock_wait(at + MS, "Lock", lock=lock, owner=helper)
            lock.hold(at, at + 2 * MS, helper)
            helper.release(at + 2 * MS, lock, to=thread)
            thread.native(at + 2 * MS)
            at += 3 * MS
        thread.end(at)
        helper.end(at)
        child.ended(at + MS)
    main.end(at + 2 * MS)
    family.first.ended(at + 2 * MS)
    return family


def waiters(events: int) -> TraceBuilder:
    """Ten thousand threads or fewer wait for jobs that one gives them."""
    trace = shaped()
    many = min(10_000, max(events // 40, 2))
    main = trace.thread("MainThread").native(0)
    threads = [trace.thread(f"Thread-{n} (work)") for n in range(many)]
    jobs = trace.lock("Queue.get", "/app/work.py:3 work")
    for thread in threads:
        thread.lock_wait(0, "Queue.get", lock=jobs, site="/app/work.py:4 work")
    at = US
    for n in range(events // 6):
        thread = threads[n % many]
        main.release(at, jobs, to=thread)
        thread.running(at + US)
        thread.lock_wait(at + 50 * US, "Queue.get", lock=jobs, site="/app/work.py:4 work")
        at += 60 * US
    return trace.ended(at + MS)
