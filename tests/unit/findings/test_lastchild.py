"""The last of equal children, which waits or has more to do, and the last job of a pool whose
other workers are done."""

import pytest

from tests.support.builder.family import Family
from tests.support.builder.samples import SampleBuilder
from tests.support.finding import MS
from viewer.analysis.findings import Facts, find
from viewer.trace.model import build_model
from viewer.trace.reader import read_trace

REAP, WORK, MAP = "/app/run.py:11 reap", "/app/run.py:4 work", "/app/run.py:20 main"


def told(tmp_path, family):
    return find(Facts(build_model(read_trace(family.write(tmp_path)))))


def children(
    ns=1_000 * MS, others=3, does="sleep", waits="os.waitpid", apart=MS, usual=50 * MS
):
    """The first of the children ends last; their parent waits for it."""
    family = Family("run.py")
    main = family.first.thread("MainThread").native(0)
    for n in range(others + 1):
        start = MS + n * apart
        child = family.fork(main, at=start, pid=101 + n, name=f"job-{n}")
        thread, end = family.main(child).native(start + MS), start + (usual if n else ns)
        if does == "sleep":
            thread.sleep(start + 2 * MS, site=WORK).native(end - MS)
        elif does != "computes":
            thread.io(start + 2 * MS, does, site=WORK).native(end - MS)
        thread.end(end)
        child.ended(end)
    over = MS + ns + MS
    main.io(20 * MS, waits, site=REAP).native(over).end(over + MS)
    family.first.ended(max(over, MS + others * apart + 60 * MS) + 2 * MS)
    return family


def test_the_last_child(tmp_path):
    (found,) = told(tmp_path, children())
    assert found.finding == "slow answer"
    assert found.text == (
        "In `run.py`: Slow answer: `MainThread` in `reap` (run.py:11) waited 947 ms in "
        "`os.waitpid` (at 54.0 ms) for the last child alone, `job-0`, 99 % of that time "
        "asleep in `work` (run.py:4); 3 others had ended after 50.0 ms, typically. Give what "
        "it waits for a time-out, or go on without the last one."
    )
    assert found.evidence.site == REAP


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"ns": 500 * MS}, id="not long"),
        pytest.param({"others": 2}, id="few"),
        pytest.param({"does": "computes"}, id="it has more to do"),
        pytest.param({"does": "socket.accept"}, id="it waits for clients"),
        pytest.param({"waits": "socket.recv"}, id="the parent does something else"),
        pytest.param({"apart": 260 * MS}, id="the others began later"),
        pytest.param({"usual": 200 * MS}, id="the others took long, too"),
    ],
)
def test_children_that_are_no_fault(tmp_path, story):
    assert "slow answer" not in [one.finding for one in told(tmp_path, children(**story))]


RUN = ("BaseProcess.run", "/usr/lib/python3.13/multiprocessing/process.py", 108)
BEGIN = ("BaseProcess._bootstrap", "/usr/lib/python3.13/multiprocessing/process.py", 314)
STACK = "/usr/lib/python3.13/multiprocessing/{}".format


def partitions(
    ns=1_000 * MS,
    others=3,
    targets=("work",),
    waits=0,
    sampled=True,
    usual=50 * MS,
    apart=False,
):
    """The first of the children computes longest; the others read from a pipe, too."""
    family = Family("run.py")
    main = family.first.thread("MainThread").native(0)
    for n in range(others + 1):
        target, start = targets[n % len(targets)], MS + n * MS
        there = f"/app/run.py:{n if apart else 8} start"
        child = family.fork(main, at=start, pid=101 + n, name=f"part-{n}", site=there)
        thread, end = family.main(child).native(start + MS), start + (usual if n else ns)
        if n:
            frames = [f"/app/run.py:4 {target}", STACK("process.py:108 BaseProcess.run")]
            frames.append(STACK("process.py:314 BaseProcess._bootstrap"))
            stack = "\n".join(frames)
            thread.io(start + 2 * MS, "os.read", site=frames[0], stack=stack)
            thread.native(start + 3 * MS)
        else:
            samples = SampleBuilder(child)
            for at in range(100 if sampled else 0):
                crunch = ("crunch", "/app/run.py", 9)
                samples.add(
                    thread,
                    start + 2 * MS + at * MS,
                    BEGIN,
                    RUN,
                    (target, "/app/run.py", 4),
                    crunch,
                )
            if waits:
                thread.sleep(start + 100 * MS, site=WORK).native(start + 100 * MS + waits)
        thread.end(end)
        child.ended(end)
    over = MS + ns + MS
    main.io(20 * MS, "os.waitpid", site=REAP).native(over).end(over + MS)
    family.first.ended(max(over, MS + others * MS + 60 * MS) + 2 * MS)
    return family


def test_the_last_child_has_more_to_do(tmp_path):
    (found,) = uneven(tmp_path, partitions())
    assert found.severity_ns == 947 * MS
    assert found.text == (
        "Uneven workers: `part-0` in `work` took 1.00 s, 3 others like it 50.0 ms, typically. "
        "`MainThread` in `reap` (run.py:11) waited 947 ms in `os.waitpid` (at 54.0 ms) for "
        "this one alone, 100 % of that time computing without the GIL in `crunch` (run.py:9, "
        "100 % of 49 CPU samples). Share the work out in smaller pieces, or let all take the "
        "next one from one queue."
    )
    assert found.evidence.site == REAP


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"ns": 540 * MS}, id="not long"),
        pytest.param({"others": 2}, id="few"),
        pytest.param({"usual": 260 * MS}, id="the others took long, too"),
        pytest.param({"waits": 300 * MS}, id="it waits"),
        pytest.param(
            {"targets": ("serve", "work", "work", "work")}, id="it does something else"
        ),
        pytest.param({"sampled": False}, id="what it runs is not known"),
        pytest.param({"apart": True}, id="they were begun at several lines"),
    ],
)
def test_children_that_are_even(tmp_path, story):
    assert uneven(tmp_path, partitions(**story)) == []


def pool(last_ns=1_000 * MS, usual=100 * MS, count=4, same=True, awaited=True, workers=4):
    """The first job of a pool takes longest; `MainThread` waits for all."""
    family = Family("run.py")
    main = family.first.thread("MainThread").native(0)
    forked = [
        family.fork(main, at=MS, pid=101 + n, name=f"worker-{n}", site=MAP)
        for n in range(workers)
    ]
    jobs, ends = [], []
    for n in range(count):
        name = "render" if same or not n else "copy"
        jobs.append(family.job(1, name, main, at=10 * MS + n, site=MAP))
    for n, job in enumerate(jobs):
        start = 20 * MS + n // workers * usual
        end = start + (usual if n else last_ns)
        job.run(forked[n % workers], start, end)
        ends.append(end)
    over = max(ends) + MS
    for child in forked:
        family.main(child).native(2 * MS).end(over)
        child.ended(over)
    lock = family.first.lock("AsyncResult.get", MAP)
    reader = family.first.thread("reader").native(0)
    if awaited:
        main.lock_wait(30 * MS, "AsyncResult.get", lock=lock, site=MAP)
        reader.release(over, lock, to=main)
    main.native(over)
    for job in jobs:
        job.received(reader, over)
    main.end(over + MS)
    reader.end(over + MS)
    family.first.ended(over + 2 * MS)
    return family


def uneven(tmp_path, family):
    return [one for one in told(tmp_path, family) if one.finding == "uneven workers"]


def test_the_last_job_of_a_pool(tmp_path):
    (found,) = uneven(tmp_path, pool())
    assert found.severity_ns == 900 * MS
    assert found.text == (
        "Uneven workers: the last job of `render` (run.py:20) on `worker-0` took 1.00 s, the "
        "others 100 ms, typically. For 900 ms of the 1.00 s that all 4 took (at 120 ms) 3 "
        "other workers had nothing to do; it spent 100 % of that time computing without the "
        "GIL. Begin with the long ones, split them, or give the pool smaller chunks "
        "(`chunksize=1`)."
    )


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"last_ns": 550 * MS}, id="not long"),
        pytest.param({"count": 3}, id="few"),
        pytest.param({"same": False}, id="other jobs"),
        pytest.param({"awaited": False}, id="nobody waits"),
        pytest.param({"workers": 1}, id="one worker"),
        pytest.param({"usual": 300 * MS}, id="the others took long, too"),
        pytest.param({"count": 40, "last_ns": 1_600 * MS}, id="most of the batch was even"),
    ],
)
def test_pools_that_are_even(tmp_path, story):
    assert uneven(tmp_path, pool(**story)) == []
