"""Thread-pool starvation: whose jobs wait behind whose, and when that is no fault."""

import pytest

from tests.support.builder.family import Family
from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds
from viewer.analysis.findings import Evidence, Facts, Finding, find
from viewer.analysis.findings.pools import jobs
from viewer.trace.model import build_model
from viewer.trace.reader import read_trace

REPORT = ("report", "/app/jobs.py:3 report")
LOOK_UP = ("look_up", "/app/jobs.py:8 look_up")


RUN_JOB = ("run_job", "/usr/lib/python3/site-packages/apscheduler/base.py:106 run_job")
SHUTDOWN = "executor shutdown"


def pool(
    slow_ns=400 * MS,
    state="sleep",
    same_caller=False,
    waiting=LOOK_UP,
    workers=2,
    slow=REPORT,
    collects="",
    collects_ns=60 * MS,
    free=0,
):
    """Workers take two rounds of `report`; then come calls that were made at 50 ms."""
    trace = TraceBuilder(argv="jobs.py", signals=SIGNALS)
    main, web = trace.thread("MainThread").native(0), trace.thread("web").native(0)
    threads = [trace.thread(f"pool_{n}") for n in range(workers)]
    queue, look = trace.lock("executor idle", ""), LOOK_UP
    limit = trace.lock(state, "/app/jobs.py:2")
    end = 2 * slow_ns + 10 * MS
    for n, worker in enumerate(threads):
        for turn in range(2):
            at = turn * slow_ns + n + 10
            worker.runs(at, *slow, by=main.submits(5))
            if state == "sleep":
                worker.sleep(at, site="/app/jobs.py:4 report")
            elif state in ("Semaphore", "Lock"):  # the first worker has it, then each other
                if n:
                    worker.lock_wait(at, state, lock=limit, site="/app/jobs.py:3 report")
                if n == 0 or turn:
                    worker.sleep(
                        at + (n > 0) * slow_ns * 9 // 10, site="/app/jobs.py:4 report"
                    )
            else:
                worker.native(at)
        caller = main if same_caller else web
        worker.runs(2 * slow_ns + n + 10, *waiting, by=caller.submits(50 * MS + n))
        worker.native(2 * slow_ns + n + 10).end(end + n)
    for n in range(free):
        spare = trace.thread(f"pool_{workers + n}").runs(6, *look, by=main.submits(5))
        spare.native(6).lock_wait(7, "executor idle", lock=queue).native(end).end(end + 1)
    if collects:
        main.lock_wait(
            collects_ns, collects, lock=trace.lock(collects, "/app/jobs.py:20 main")
        )
    last = max(end, collects_ns + 100 * MS)
    main.end(last)
    web.end(end)
    return trace.ended(last + MS)


def twisted(name):
    """Two workers, each with a queue of its own, take two rounds of four calls in turn."""
    trace = TraceBuilder(argv="jobs.py", signals=SIGNALS)
    main = trace.thread("MainThread").native(0)
    for n in range(2):
        worker, at = trace.thread(f"{name}-{n}"), 10 + n
        for calls in range(5):
            worker.runs(at, *(LOOK_UP if calls == 4 else REPORT), by=main.submits(5 + n))
            worker.sleep(at, site="/app/jobs.py:4 report")
            at += 300 * MS
        queue = trace.lock("executor idle", "")
        worker.lock_wait(at, "executor idle", lock=queue).native(at + MS).end(at + 2 * MS)
    main.end(at)
    return trace.ended(at + 3 * MS)


def test_workers_of_one_pool_with_a_queue_each(tmp_path):
    """Twisted's. Others with a queue each are pools of one."""
    (found, *more) = find_in(tmp_path, twisted("PoolThread-twisted.internet.reactor"))
    assert found.text.startswith(
        "Thread-pool starvation: all 2 workers of `PoolThread-twisted.internet.reactor` are "
        "busy with `report` (jobs.py:3)"
    )
    assert not more
    apart = [found.text for found in find_in(tmp_path, twisted("own"))]
    assert len(apart) == 2
    assert all("the only worker of `own` is busy" in text for text in apart)


def test_calls_behind_another_callers_jobs(tmp_path):
    (found,) = find_in(tmp_path, pool())
    assert found.finding == "thread-pool starvation"
    assert found.text == (
        "Thread-pool starvation: all 2 workers of `pool` are busy with `report` (jobs.py:3), "
        "100 % of that time asleep in `report` (jobs.py:4). Meanwhile 2 calls of `look_up` "
        "(jobs.py:8), submitted by `web`, waited for a worker, 1.50 s in total, the longest "
        "750 ms (at 50.0 ms). Run `report` in a pool of its own, or give this one more "
        "workers."
    )
    assert 1_500 * MS < found.severity_ns <= 1_500 * MS + 20
    assert found.evidence.duration_ns == 750 * MS + 10


def test_what_the_workers_do_does_not_matter_to_others(tmp_path):
    """Calls of another kind wait behind computing, too."""
    assert kinds(tmp_path, pool(state="native")) == ["thread-pool starvation"]


def test_workers_that_wait_for_a_permit(tmp_path):
    """A limit is meant; that calls which need no permit wait behind it is not."""
    first, *_ = find_in(tmp_path, pool(state="Semaphore", workers=4))
    assert first.text.startswith(
        "Thread-pool starvation: all 4 workers of `pool` are busy with `report` (jobs.py:3), "
        "71 % of that time waiting for a `Semaphore` (jobs.py:3), 29 % in `sleep` "
        "(jobs.py:4). Meanwhile 4 calls of `look_up`"
    )
    assert not first.behind


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"state": "Lock"}, id="a lock"),
        pytest.param({"state": "Semaphore", "workers": 2}, id="few wait for it"),
        pytest.param({"state": "Semaphore", "waiting": REPORT}, id="all need it"),
    ],
)
def test_workers_that_wait_for_a_cause(tmp_path, story):
    """What they wait for comes before the calls that wait for them."""
    found = find_in(tmp_path, pool(**{"workers": 4} | story))
    (starved,) = [one for one in found if one.finding == "thread-pool starvation"]
    assert starved.behind


def test_the_same_function_for_many_callers(tmp_path):
    """Requests that all sleep in the pool: more workers would help."""
    (found,) = find_in(tmp_path, pool(waiting=REPORT))
    assert found.finding == "thread-pool starvation"
    assert found.text.endswith("A larger pool would serve them sooner.")


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"slow_ns": 140 * MS}, id="not long"),
        pytest.param({"same_caller": True, "collects": SHUTDOWN}, id="a batch of one caller"),
        pytest.param(
            {"same_caller": True, "collects": "futures.wait"},
            id="a batch, the first ones first",
        ),
        pytest.param(
            {"same_caller": True, "collects": "futures.as_completed"}, id="a batch as it ends"
        ),
        pytest.param({"waiting": REPORT, "state": "native"}, id="they compute"),
        pytest.param({"free": 1}, id="one is free, but gets no CPU"),
    ],
)
def test_a_pool_at_work(tmp_path, story):
    assert kinds(tmp_path, pool(**story)) == []


def test_a_scheduler_hands_on_what_others_ask_for(tmp_path):
    """It submits all jobs, but waits for none of them."""
    (found,) = find_in(tmp_path, pool(same_caller=True))
    assert found.finding == "thread-pool starvation"
    assert "2 calls of `look_up` (jobs.py:8), submitted by `MainThread`, waited" in found.text


def test_a_scheduler_that_ends_waits_for_threads(tmp_path):
    """What it waits for when its jobs are over are no results."""
    over = {"same_caller": True, "collects": SHUTDOWN, "collects_ns": 811 * MS}
    (found,) = find_in(tmp_path, pool(**over))
    assert found.finding == "thread-pool starvation"


def test_a_librarys_job_has_the_name_of_what_it_blocks_in(tmp_path):
    (found,) = find_in(tmp_path, pool(slow=RUN_JOB, waiting=RUN_JOB))
    assert found.text.startswith(
        "Thread-pool starvation: all 2 workers of `pool` are busy with `report` (jobs.py:4), "
    )
    assert "2 calls of `run_job` (apscheduler/base.py:106), submitted by `web`" in found.text


@pytest.mark.parametrize(
    ("state", "found"), [("native", []), ("sleep", ["thread-pool starvation"])]
)
def test_workers_that_share_a_saturated_gil(tmp_path, monkeypatch, state, found):
    """They compute: then the GIL is the fault; asleep they are not."""
    saturated = Finding("GIL saturated", 1, "", Evidence(0, 1, "pool_0", pid=100))
    monkeypatch.setattr(jobs, "gil_saturated", lambda _facts: iter([saturated]))
    assert kinds(tmp_path, pool(state=state)) == found


def shared_processes(slow_ns=300 * MS, workers=1, own_pool=False, hands_on="", third=False):
    """A pool of processes runs slow jobs of one thread, and quick ones of another; this may be
    the pool's own, and a third thread, too, may have quick ones."""
    family = Family("/app/render.py")
    main = family.first.thread("MainThread", 100).native(0)
    web = family.first.thread("web", 150).native(0)
    api = family.first.thread("api", 160).native(0)
    children = [
        family.fork(main, MS, 201 + n, name=f"Worker-{n + 1}") for n in range(workers + 1)
    ]
    for n in range(3):
        for thread, name in ((main, "render"), (web, "thumbnail")):
            site = f"/app/render.py:{4 if name == 'render' else 9} {name}"
            is_slow = name == "render"
            pool = 1 if is_slow or not own_pool else 2
            child = children[0 if pool == 1 else 1]
            by = api if third and n and not is_slow else thread
            job = family.job(pool, name, by, (10 + n) * MS, site)
            start = 20 * MS + n * slow_ns + (0 if is_slow else slow_ns - 10 * MS)
            end = start + (slow_ns - 20 * MS if is_slow else MS)
            job.run(child, start, end)
            family.main(child).sleep(start, site=site).native(end)
            if hands_on == "sends":
                job.sent(web, (10 + n) * MS + 1, 100)
            elif hands_on == "reads":
                job.received(web, end + MS)
    end = 4 * slow_ns + 100 * MS
    for child in children:
        family.main(child).native(end - 2 * MS).end(end)
        child.ended(end)
    main.end(end)
    web.end(end)
    api.end(end)
    family.first.ended(end + MS)
    return family


def test_a_pool_of_processes_that_slow_jobs_have(tmp_path):
    family = shared_processes()
    found = find(Facts(build_model(read_trace(family.write(tmp_path)))))
    (one,) = [each for each in found if each.finding == "thread-pool starvation"]
    assert "Process-pool starvation: the only worker of `Worker-N` is busy with" in one.text
    assert "Meanwhile 3 calls of `thumbnail`" in one.text


def test_pools_of_processes_of_their_own(tmp_path):
    family = shared_processes(own_pool=True)
    found = find(Facts(build_model(read_trace(family.write(tmp_path)))))
    assert "thread-pool starvation" not in [each.finding for each in found]


@pytest.mark.parametrize("hands_on", ["sends", "reads"])
@pytest.mark.parametrize("third", [False, True])
def test_a_thread_of_the_pool_hands_on(tmp_path, hands_on, third):
    """It is no caller: with a single one, all jobs are his."""
    family = shared_processes(hands_on=hands_on, third=third)
    found = find(Facts(build_model(read_trace(family.write(tmp_path)))))
    assert ("thread-pool starvation" in [each.finding for each in found]) == third


def with_helpers(*entries, dispatch=""):
    """A library runs jobs whose functions, at these lines, call a helper that blocks."""
    trace = TraceBuilder(argv="jobs.py", signals=SIGNALS)
    main, web = trace.thread("MainThread").native(0), trace.thread("web").native(0)
    worker, at = trace.thread("pool_0"), 10
    for n, entry in enumerate(entries):
        worker.runs(at, *RUN_JOB, by=main.submits(5 + n))
        frames = ["/app/ask.py:7 ask", f"/app/jobs.py:{entry}", dispatch, RUN_JOB[1]]
        stack = "\n".join(frame for frame in frames if frame)
        worker.io(at, "socket.recv", site="/app/ask.py:7 ask", stack=stack)
        at += 400 * MS
    worker.runs(at, *LOOK_UP, by=web.submits(50 * MS)).native(at).end(at + MS)
    main.end(at)
    web.end(at)
    return trace.ended(at + MS)


@pytest.mark.parametrize(
    ("story", "name"),
    [
        pytest.param({}, "settle` (jobs.py:20)", id="what the library called"),
        pytest.param(
            {"dispatch": "/app/app.py:9 app"}, "settle` (jobs.py:20)", id="not what all are in"
        ),
    ],
)
def test_a_librarys_job_has_the_name_of_its_function(tmp_path, story, name):
    """At whatever lines it blocks: it is one function, which waits behind itself."""
    (found,) = find_in(tmp_path, with_helpers("20 settle", "21 settle", "30 charge", **story))
    assert f"the only worker of `pool` is busy with `{name}, 100 % of that time in " in (
        found.text
    )
    assert "in `socket.recv` in `ask` (ask.py:7). Meanwhile 1 call of `look_up`" in found.text
    assert found.behind == "/app/ask.py:7 ask"


def test_a_librarys_only_job_has_the_name_of_what_it_blocks_in(tmp_path):
    """What all jobs are in tells nothing: it may be a dispatcher."""
    (found,) = find_in(tmp_path, with_helpers("20 settle", "21 settle"))
    assert "the only worker of `pool` is busy with `ask` (ask.py:7), " in found.text


def test_what_the_workers_did_is_of_all_waits(tmp_path):
    """The longest wait alone would know of one job."""
    (found,) = find_in(tmp_path, with_helpers("20 settle", "30 charge"))
    assert "100 % of that time in `socket.recv` in `ask` (ask.py:7)" in found.text
