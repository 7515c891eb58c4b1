"""Families of processes that several tests share."""

from tests.support.builder.family import Family

MS = 1_000_000


def service() -> Family:
    """A server with two workers, of which one is killed; the other starts a script."""
    family = Family("/app/serve.py --port 1")
    main = family.first.thread("MainThread", 100).running(0)
    first = family.fork(main, 10 * MS, 101, name="worker 1", started=12 * MS)
    second = family.fork(main, 20 * MS, 102, started=22 * MS)
    family.main(first).running(12 * MS).native(40 * MS).end(90 * MS)
    family.main(second).running(22 * MS)
    script = family.fork(
        family.main(second), 30 * MS, 103, origin="spawn", argv="/app/job.py", started=45 * MS
    )
    family.main(script).running(45 * MS).end(70 * MS)
    script.ended(71 * MS)
    family.ended(family.main(second), script, 75 * MS, status=3)
    family.main(second).end(80 * MS)
    second.ended(81 * MS)
    family.ended(main, second, 85 * MS, status=0)
    family.ended(main, first, 95 * MS, signal=9)
    main.end(100 * MS)
    family.first.ended(101 * MS)
    return family


def pool() -> Family:
    """Two workers run three jobs; the third fails."""
    family = Family("/app/batch.py")
    main = family.first.thread("MainThread", 100).running(0)
    manager = family.first.thread("QueueManagerThread", 110)
    workers = [family.fork(main, MS, 101, name="one"), family.fork(main, MS, 102, name="two")]
    for worker in workers:
        family.main(worker).running(MS)
    jobs = [
        family.job(5, "resize", main, n * MS, "/app/batch.py:8 main").sent(main, n * MS, 1000)
        for n in (2, 3, 4)
    ]
    jobs[0].run(workers[0], 10 * MS, 40 * MS).received(manager, 45 * MS)
    jobs[1].run(workers[1], 12 * MS, 22 * MS).received(manager, 23 * MS)
    jobs[2].run(workers[1], 30 * MS, 50 * MS, exception="ValueError").received(
        manager, 51 * MS
    )
    for worker in workers:
        family.main(worker).end(60 * MS)
        worker.ended(61 * MS)
    main.end(70 * MS)
    family.first.ended(71 * MS)
    return family
