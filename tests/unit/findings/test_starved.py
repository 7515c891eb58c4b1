"""Workers that wait for the one process that makes all their work."""

from pathlib import Path

import pytest

from tests.support.builder.family import Family
from tests.support.finding import MS
from viewer.analysis.findings import Facts, Finding, find
from viewer.trace.model import build_model
from viewer.trace.reader import read_trace

GET = "/app/work.py:20 work"
PUT = "/app/work.py:9 main"
ROUNDS = 8


def found(
    tmp_path: Path,
    *,
    makes_ms: int = 100,
    works_ms: int = 50,
    workers: int = 2,
    rounds: int = ROUNDS,
    sleeps: int = 0,
    jobs: int = 0,
) -> list[Finding]:
    """In each round the first process makes an item for each worker, in `makes_ms` in all, and
    writes all of them at once; then they work, while it makes the next ones. `jobs`: by how
    many of them, the last ones, a job of a pool was run before."""
    family = Family("/app/work.py")
    main = family.first.thread("MainThread", 100).running(0)
    children = [family.fork(main, n * MS, 101 + n, name=f"worker {n}") for n in range(workers)]
    mains = [family.main(child) for child in children]
    free = [5 * MS] * workers
    for worker in mains:
        worker.running(4 * MS)
    for child in children[workers - jobs :]:
        job = family.job(1, "parse", main, at=5 * MS, site=PUT)
        job.run(child, 6 * MS, 8 * MS)
        job.received(main, 9 * MS)
    now = 10 * MS
    for _ in range(rounds):
        if sleeps:
            main.sleep(now).running(now + makes_ms * MS)
        now += makes_ms * MS
        for n, worker in enumerate(mains):
            if free[n] < now:
                worker.io(free[n], "os.read", site=GET).running(now + MS)
                family.message(main, now, worker, free[n], now + MS, site=PUT)
            free[n] = max(free[n], now + MS) + works_ms * MS
    end = max(now, *free) + MS
    main.running(now + MS).end(end)
    for child, worker in zip(children, mains, strict=True):
        worker.end(end)
        child.ended(end)
    family.first.ended(end + MS)
    return [
        one
        for one in find(Facts(build_model(read_trace(family.write(tmp_path)))))
        if one.finding == "idle workers"
    ]


def test_workers_wait_for_what_one_process_makes(tmp_path: Path) -> None:
    (finding,) = found(tmp_path, rounds=20)
    assert finding.text == (
        "Idle workers: none of 2 processes like `worker 0` had anything to do for 1.04 s of "
        "2.01 s. `work.py` (work.py:9) makes all that they get, 100 % of that time computing. "
        "Let the workers make it themselves, from less (a name, a range), or use fewer of "
        "them."
    )
    assert finding.severity_ns == 1_036 * MS
    assert (finding.evidence.pid, finding.evidence.site) == (100, PUT)


@pytest.mark.parametrize(
    "how",
    [
        {"works_ms": 5},  # an eighth of the time that making it takes: a helper
        {"works_ms": 90},  # they have work most of the time
        {"sleeps": 1},  # it has nothing for them either
        {"workers": 1},
        {"rounds": 5, "makes_ms": 90},  # less than half a second
        {"workers": 3, "jobs": 1},  # the others of a pool have not had one yet
        {"jobs": 2},
    ],
)
def test_workers_that_are_all_right(tmp_path: Path, how: dict[str, int]) -> None:
    assert found(tmp_path, **{"rounds": 20, **how}) == []
