"""Findings over several processes: what is reported, what nearly is, what is all right."""

import pytest

from tests.support.builder.family import Family
from tests.support.finding import MS, Service
from viewer.analysis.findings import Facts, Finding, find
from viewer.trace.model import build_model
from viewer.trace.reader import read_trace

S = 1_000 * MS


def find_in(tmp_path, family: Family) -> tuple[Finding, ...]:
    return find(Facts(build_model(read_trace(family.write(tmp_path)))))


def service(*work_ms: int, life_ms: int = 2_000, elsewhere: int = -1) -> Family:
    """Workers that compute so long, in all, and accept; `elsewhere` waits at another line."""
    family = Family("/app/serve.py")
    main = family.first.thread("MainThread", 100).running(0)
    main.io(MS, "select.select", site="/app/serve.py:50 supervise")
    for n, ms in enumerate(work_ms):
        child = family.fork(main, n * 1_000, 101 + n)
        thread = family.main(child)
        line = 99 if n == elsewhere else 9
        thread.running(MS)
        thread.io(MS + ms * MS // 2, "socket.accept", site=f"/app/serve.py:{line} serve")
        thread.running(life_ms * MS - ms * MS // 2).end(life_ms * MS)
        child.ended(life_ms * MS + MS)
    main.running((life_ms + 2) * MS).end((life_ms + 3) * MS)
    family.first.ended((life_ms + 4) * MS)
    return family


def test_one_worker_does_all(tmp_path):
    (found,) = find_in(tmp_path, service(1_400, 40, 30, 30))
    assert found.finding == "uneven workers"
    assert found.text == (
        "Uneven workers: `child 1` does 93 % of the work of 4 workers of `serve.py`: 1.40 s "
        "of 1.50 s; the others wait for requests. See how requests are distributed: few "
        "connections that are kept alive, or one worker that accepts them all."
    )
    assert found.severity_ns == 1_400 * MS - 375 * MS
    assert (found.evidence.pid, found.evidence.tid) == (101, 101)


@pytest.mark.parametrize(
    "work",
    [
        (800, 200, 200, 200),  # 57 %
        (1_000, 260),  # 79 %, less than four times the other
        (450, 10, 10, 10),  # half a second is not reached
        (1_400,),
        (500, 480, 510, 520),
    ],
)
def test_work_that_is_shared(tmp_path, work):
    assert find_in(tmp_path, service(*work)) == ()


def test_a_worker_that_could_do_more(tmp_path):
    """It does all the work, but has time left: more workers are not needed, nor missed."""
    assert find_in(tmp_path, service(600, 10, 10, life_ms=3_000)) == ()
    assert find_in(tmp_path, service(1_000, 10, 10, life_ms=3_000)) != ()


def test_workers_of_two_kinds(tmp_path):
    """A helper that waits for its own work is not a worker without requests."""
    assert find_in(tmp_path, service(1_400, 40, elsewhere=1)) == ()


def pool(
    *,
    workers: int,
    jobs: int,
    ran_ms: float,
    every_ms: float,
    sent_ms: float = 0,
    back_ms: float = 0.01,
    size_bytes: int = 100,
    submit_all: bool = False,
    preempted: bool = False,
) -> Family:
    """Jobs in turn, one begun every so often; carried for `sent_ms` there, `back_ms` back.

    Each is submitted when it is sent, or all at once. `preempted`: the workers have no CPU.
    """
    family = Family("/app/batch.py")
    main = family.first.thread("MainThread", 100).running(0).native(MS)
    children = [family.fork(main, n * 1_000, 101 + n) for n in range(workers)]
    for child in children:
        family.main(child).running(n_ns := MS)
        if preempted:
            family.main(child).preempted(n_ns + 1)
    begin = 10 * MS
    last = 0
    for n in range(jobs):
        start = begin + round((n * every_ms + sent_ms) * MS)
        submit = begin if submit_all else begin + round(n * every_ms * MS)
        end = start + round(ran_ms * MS)
        job = family.job(5, "resize", main, submit, "/app/batch.py:8 main")
        job.sent(main, submit, size_bytes)
        job.run(children[n % workers], start, end, size_bytes=10)
        job.received(main, end + round(back_ms * MS))
        last = max(last, end + round(back_ms * MS))
    for child in children:
        family.main(child).end(last + n_ns)
        child.ended(last + 2 * MS)
    main.end(last + 3 * MS)
    family.first.ended(last + 4 * MS)
    return family


def test_pickling(tmp_path):
    """Each job carries 40 MB; that takes longer than the job."""
    family = pool(
        workers=2,
        jobs=10,
        ran_ms=29,
        every_ms=100,
        sent_ms=51,
        back_ms=20,
        size_bytes=40_000_000,
    )  # fmt: skip
    (found,) = find_in(tmp_path, family)
    assert found.finding == "pickling"
    assert found.text == (
        "Pickling: 10 jobs of `resize` (batch.py:8) in a pool of processes carried 40.0 MB "
        "each; that took 608 ms, 68 % of their time. Give them names of files or shared "
        "memory, or let them make the data and return less."
    )
    # The first job of each worker may have waited for its start: only the way back counts.
    assert found.severity_ns == (8 * 51 + 10 * 20) * MS


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"size_bytes": 900_000}, False),  # less than a megabyte
        ({"ran_ms": 180, "every_ms": 300}, False),  # less than a third of the time
        ({"jobs": 2}, False),  # a fifth of a second is not lost
        ({}, True),
    ],
)
def test_nearly_pickling(tmp_path, change, expected):
    usual = {
        "workers": 2, "jobs": 10, "ran_ms": 29, "every_ms": 100, "sent_ms": 51,
        "back_ms": 20, "size_bytes": 2_000_000,
    }  # fmt: skip
    kinds = [one.finding for one in find_in(tmp_path, pool(**usual | change))]
    assert ("pickling" in kinds) is expected


def test_workers_idle_while_jobs_wait(tmp_path):
    """Four workers, all jobs submitted at once, one sent every 50 ms."""
    family = pool(workers=4, jobs=20, ran_ms=60, every_ms=50, submit_all=True)
    (found,) = find_in(tmp_path, family)
    assert found.finding == "idle workers"
    assert found.text.startswith(
        "Idle workers: 4 workers of a pool of processes waited for `batch.py` to send them "
        "jobs; "
    )
    assert found.text.endswith("they may wait for the GIL.")


def test_workers_that_have_no_cpu(tmp_path):
    family = pool(workers=4, jobs=20, ran_ms=60, every_ms=50, submit_all=True, preempted=True)
    assert "idle workers" not in [one.finding for one in find_in(tmp_path, family)]


@pytest.mark.parametrize("preempted", [False, True])
def test_replaced_workers_that_have_no_cpu(tmp_path, preempted):
    """Each lives for a fifth of the time: what one lacked alone is little of it."""
    family = Family("/app/batch.py")
    main = family.first.thread("MainThread", 100).running(0).native(MS)
    jobs = [family.job(5, "resize", main, 2 * MS, "/app/batch.py:8 main") for _ in range(40)]
    for worker in range(10):
        start = 10 * MS + worker // 2 * 440 * MS
        child = family.fork(main, start - MS, 101 + worker)
        family.main(child).running(start - MS + 1)
        if preempted:
            family.main(child).preempted(start)
        for n in range(4):
            at = start + n * 110 * MS
            jobs[worker * 4 + n].run(child, at, at + 60 * MS, size_bytes=10)
            jobs[worker * 4 + n].received(main, at + 61 * MS)
        family.main(child).end(start + 437 * MS)
        child.ended(start + 438 * MS)
    main.end(2300 * MS)
    family.first.ended(2301 * MS)
    found = [one.finding for one in find_in(tmp_path, family)]
    assert ("idle workers" in found) is not preempted


def test_jobs_that_are_too_small(tmp_path):
    family = pool(workers=2, jobs=400, ran_ms=0.1, every_ms=1, submit_all=True)
    (found,) = find_in(tmp_path, family)
    assert found.text.endswith(
        "Such a job runs for 100 µs only: give each more to do (`chunksize`)."
    )


def test_busy_workers(tmp_path):
    """Jobs wait since all workers are busy, as they should be."""
    assert (
        find_in(tmp_path, pool(workers=2, jobs=30, ran_ms=99, every_ms=50, submit_all=True))
        == ()
    )


def test_pool_too_large(tmp_path):
    """Eight workers, work for 1.3 of them."""
    family = pool(workers=8, jobs=40, ran_ms=65, every_ms=50)
    (found,) = find_in(tmp_path, family)
    assert (found.finding, found.severity_ns) == ("pool too large", 0)
    assert found.text == (
        "Pool too large: a pool of 8 processes has work for 1.3 (40 jobs, 2.60 s in all, "
        "within 2.02 s). Fewer need less memory and would do as well."
    )


def replaced(ends_ms: int = 0) -> Family:
    """One worker at a time, which ends after five jobs; the next one begins 100 ms later. Jobs
    wait for it, or the last of each worker's is over only then."""
    family = Family("/app/batch.py")
    main = family.first.thread("MainThread", 100).running(0)
    at = MS
    for n in range(8):
        child = family.fork(main, at, 101 + n, name=f"Worker-{n + 1}")
        thread = family.main(child)
        for k in range(5):
            asked = at - 100 * MS if n and not k else at + k * 50 * MS
            job = family.job(77, "resize", main, asked, "/app/batch.py:8 main")
            job.sent(main, asked, 100)
            job.run(child, at + (k * 50 + 1) * MS, at + (k * 50 + 50) * MS)
        at += 250 * MS
        thread.native(at - 240 * MS).end(at + ends_ms * MS)
        child.ended(at + (ends_ms + 1) * MS)
        at += 100 * MS
    main.end(at + MS)
    family.first.ended(at + 2 * MS)
    return family


@pytest.mark.parametrize("ends_ms", [0, 60])
def test_workers_that_are_replaced(tmp_path, ends_ms):
    """Eight of them are no pool of eight, and one that leaves is not idle."""
    assert find_in(tmp_path, replaced(ends_ms)) == ()


@pytest.mark.parametrize(
    "change",
    [
        {"ran_ms": 140},  # work for 2.8: a third of the workers
        {"jobs": 31},  # hardly four for each: perhaps the last batch
        {"workers": 3},
        {"every_ms": 20, "ran_ms": 25},  # shorter than a second
    ],
)
def test_pool_large_enough(tmp_path, change):
    usual = {"workers": 8, "jobs": 40, "ran_ms": 65, "every_ms": 50}
    assert find_in(tmp_path, pool(**usual | change)) == ()


def hogs(count: int) -> Family:
    """In each child a thread computes for 300 ms while the main thread wants the GIL."""
    family = Family("/app/serve.py")
    main = family.first.thread("MainThread", 100).running(0)
    main.io(MS, "select.select", site="/app/serve.py:50 supervise")
    for n in range(count):
        child = family.fork(main, n * 1_000, 101 + 10 * n, name=f"worker {n}")
        thread, hog = family.main(child), child.thread("hog", 105 + 10 * n)
        hog.running(MS)
        thread.gil_wait(MS, hog).running((400 + n) * MS)
        hog.native((400 + n) * MS).end(900 * MS)
        thread.end(900 * MS)
        child.ended(901 * MS)
    main.running(910 * MS).end(911 * MS)
    family.first.ended(912 * MS)
    return family


def test_a_finding_names_its_process(tmp_path):
    (found,) = find_in(tmp_path, hogs(1))
    assert found.text.startswith("In `worker 0`: `hog` ")


def test_the_same_in_several_processes_is_said_once(tmp_path):
    (found,) = find_in(tmp_path, hogs(3))
    assert found.text.startswith("In `worker 2`, and 2 other processes: `hog` ")
    assert found.severity_ns == (399 + 400 + 401) * MS


def test_each_process_has_its_own_numbers(tmp_path):
    """The worse of two workers is described, by its own steps alone; the loss is of both."""
    family = Family("/app/serve.py")
    main = family.first.thread("MainThread", 100).running(0)
    main.io(MS, "select.select", site="/app/serve.py:50 supervise")
    for n, step_ms in enumerate((30, 40)):
        worker = family.fork(main, 0, 101 + n, name=f"worker {n}")
        Service(worker=(worker, family.main(worker))).blocks(4, step_ms * MS)
    main.running(7_000 * MS).end(7_001 * MS)
    family.first.ended(7_002 * MS)
    (found,) = find_in(tmp_path, family)
    assert found.text == (
        "In `worker 1`, and 1 other process: `hog` (service.py:10) blocks the event loop for "
        "up to 40.0 ms (at 0); 4 of its steps took more than 20.0 ms while others "
        "waited, 160 ms in total; it "
        "spends 100 % of that time computing; 1 ready task waited behind it, 157 ms in total."
    )
    assert found.severity_ns == (40 + 3 * 39 + 30 + 3 * 29) * MS


def one_each(count=10, lived_ns=400 * MS, ran_ns=20 * MS, ended=True, jobs_each=1):
    """A pool starts a process for each job; it ends after that, if not `ended` at the end."""
    family = Family("/app/shrink.py")
    main = family.first.thread("MainThread", 100).native(0)
    end = count * lived_ns + MS
    for n in range(count):
        at = n * lived_ns + MS
        child = family.fork(main, at, 101 + n, name=f"S-{n}", site="/app/shrink.py:9 main")
        for k in range(jobs_each):
            job = family.job(1, "shrink", main, at, "/app/shrink.py:3 shrink")
            begun = at + lived_ns // 2 + k * 2 * ran_ns
            job.run(child, begun, begun + ran_ns)
        last = at + lived_ns - MS if ended else end
        family.main(child).native(at + MS).end(last)
        child.ended(last)
    main.end(end + MS)
    family.first.ended(end + 2 * MS)
    return family


def own_processes(tmp_path, family):
    found = find_in(tmp_path, family)
    return [one.text for one in found if "a process of its own" in one.text]


def test_processes_that_begin_quickly(tmp_path):
    """Half a second is lost in all."""
    assert own_processes(tmp_path, one_each(lived_ns=75 * MS))


def test_a_process_for_each_job(tmp_path):
    (text,) = own_processes(tmp_path, one_each())
    assert text.startswith(
        "Idle workers: each of 10 jobs of `shrink` (shrink.py:3) had a process of its own, "
    )
    assert "the jobs ran for 200 ms of" in text
    assert "max_tasks_per_child" in text


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"count": 7}, id="few"),
        pytest.param({"ran_ns": 180 * MS}, id="the jobs are long"),
        pytest.param({"lived_ns": 65 * MS}, id="they start quickly"),
        pytest.param({"jobs_each": 2}, id="two jobs each"),
        pytest.param({"ended": False}, id="a pool that fills"),
    ],
)
def test_processes_that_do_more(tmp_path, story):
    assert own_processes(tmp_path, one_each(**story)) == []
