"""Shapes of families: many children, many jobs."""

from tests.support.builder.family import Family

MS = 1_000_000
_OF_CHILD, _OF_JOB = 9, 10  # events


def children(events: int) -> Family:
    """One child after the other, each waited for at one line; pids come again."""
    family = Family("/app/serve.py")
    main = family.first.thread("MainThread", 100).running(0)
    for n in range(max(events // _OF_CHILD, 1)):
        at = (n * 10 + 1) * MS
        child = family.fork(main, at, 101 + n % 7)
        main.io(at + MS, "os.waitpid", site="/app/serve.py:9 main")
        family.main(child).running(at).end(at + 5 * MS)
        child.ended(at + 6 * MS)
        main.running(at + 8 * MS)
        family.ended(main, child, at + 8 * MS, status=0)
    end = (events * 10 + 10) * MS
    main.end(end)
    family.first.ended(end)
    return family


def siblings(events: int) -> Family:
    """Children that live at one time and do the same."""
    family = Family("/app/serve.py")
    main = family.first.thread("MainThread", 100).running(0)
    many = max(events // _OF_CHILD, 1)
    born = [family.fork(main, n * 1_000 + 1, 101 + n) for n in range(many)]
    main.io(MS, "os.waitpid", site="/app/serve.py:9 main")
    for n, child in enumerate(born):
        thread = family.main(child).running(MS)
        thread.io((100 + n) * MS, "socket.accept", site="/app/serve.py:20 serve")
        thread.running(900 * MS).end(901 * MS)
        child.ended(902 * MS)
        family.ended(main, child, (910 + n) * MS, status=0)
    end = (1_000 + many) * MS
    main.running(end).end(end + MS)
    family.first.ended(end + MS)
    return family


def jobs(events: int) -> Family:
    """Three workers, jobs one after the other, each result read by one thread."""
    family = Family("/app/batch.py")
    main = family.first.thread("MainThread", 100).running(0).native(MS)
    manager = family.first.thread("QueueManagerThread", 99).native(MS)
    workers = [family.fork(main, n * 1_000 + 1, 101 + n) for n in range(3)]
    for worker in workers:
        family.main(worker).running(MS)
    many = max(events // _OF_JOB, 1)
    for n in range(many):
        at = (n * 10 + 10) * MS
        job = family.job(5, "resize", main, 10 * MS + n, "/app/batch.py:8 main")
        job.run(workers[n % 3], at, at + 4 * MS)
        manager.io(at + MS, "select.poll.poll").native(at + 5 * MS)
        job.received(manager, at + 5 * MS)
    end = (many * 10 + 20) * MS
    for worker in workers:
        family.main(worker).end(end)
        worker.ended(end)
    main.end(end)
    manager.end(end)
    family.first.ended(end)
    return family
