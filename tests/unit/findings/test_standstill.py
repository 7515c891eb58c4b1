"""Tasks that all wait for room in queues."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds

FEED, GIVE = "/app/pipe.py:12 feed", "/app/pipe.py:8 worker"


def pipeline(
    what="MemoryChannel.send", ns=800 * MS, other="", queues=2, given_up=True, nursery=True
):
    """`feed` waits for room for jobs, two workers for room for results."""
    trace = TraceBuilder(argv="pipe.py", signals=SIGNALS)
    thread = trace.thread("MainThread").native(0)
    loop, end = trace.loop(thread), 10 * MS + ns
    main = loop.task("main", site="/app/pipe.py:20 main")
    what_for = "nursery" if nursery else "sleep"
    main.ready(0).running(0)
    jobs, results = trace.lock(what, FEED), trace.lock(what, GIVE)
    tasks = [
        loop.task(name, name=name, site=f"/app/pipe.py:3 {name}", parent=main.id)
        for name in ("feed", "worker", "worker")
    ]
    for n, task in enumerate(tasks):
        lock = results if n and queues == 2 else jobs
        site = GIVE if n else FEED
        task.ready(n + 1, by=main).running(3 * MS + n)
        task.awaits(10 * MS + n, what, acquired=not given_up, lock=lock.id, site=site)
    main.awaits(MS, what_for, site="/app/pipe.py:22 main")
    if other or not given_up:
        more = loop.task("more", site="/app/pipe.py:30 more").ready(2 * MS).running(3 * MS)
        more.awaits(4 * MS, other or "sleep", site="/app/pipe.py:31 more")
        more.ready(end - 5, waker="timer").running(end - 5)
    for n, task in enumerate(tasks):
        by = {"waker": "timer"} if given_up else {"by": more}
        task.ready(end + n, **by).running(end + 5 + n)
    main.ready(end + MS, waker="timer").running(end + 2 * MS).done(end + 3 * MS)
    for task in tasks:
        task.done(end + 2 * MS)
    if other or not given_up:
        more.done(end + MS)
    thread.end(end + 4 * MS)
    return trace.ended(end + 5 * MS)


@pytest.mark.parametrize("what", ["MemoryChannel.send", "Queue.put"])
def test_all_wait_for_room(tmp_path, what):
    (found,) = find_in(tmp_path, pipeline(what))
    assert found.finding == "deadlock"
    assert found.text == (
        f"Deadlock at 10.0 ms, for 800 ms: all wait for room in queues, so nobody takes "
        f"anything out of one: `feed` in `feed` (pipe.py:12) in `{what}` and 2 tasks `worker` "
        f"in `worker` (pipe.py:8) in `{what}`; all others wait for their end. Take results "
        f"out while you put work in (a task for each), or give one of the queues no bound."
    )


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"ns": 400 * MS}, id="not for long"),
        pytest.param({"queues": 1}, id="one queue, perhaps without consumers"),
        pytest.param({"given_up": False}, id="they got room"),
        pytest.param({"nursery": False}, id="main may take something out later"),
        pytest.param({"other": "socket"}, id="another one waits for an answer"),
        pytest.param({"other": "Event"}, id="another one is paused"),
    ],
)
def test_pipelines_that_go_on(tmp_path, story):
    assert "deadlock" not in kinds(tmp_path, pipeline(**story))


@pytest.mark.parametrize(("other", "is_told"), [("", True), ("socket", False)])
def test_nobody_is_there_to_take_something_out(tmp_path, other, is_told):
    found = find_in(tmp_path, pipeline("Queue.put", queues=1, other=other))
    said = " ".join(one.text for one in found if one.finding == "wait in vain")
    assert "nothing ended any of them" in said
    assert ("and nobody else was there who could take something out" in said) == is_told
