"""Of several pools of a library, whose connections are meant."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in

GET, PROBE = "/app/sites.py:25 fetch", "/app/sites.py:20 probe"
METRICS = "/app/sites.py:32 metrics"


def sessions(own=3, known=True, asked_at=GET):
    """`fetch` has an answer, `probe` keeps its response; `metrics` talks by another session
    while two `fetch` wait for a connection in vain. `known`: the trace has the sessions."""
    trace = TraceBuilder(argv="sites.py", signals=SIGNALS)
    loop = trace.loop(trace.thread("MainThread").native(0))
    pool = trace.lock("connection pool (aiohttp)", GET)
    first, other = (trace.lock("response (aiohttp)", site) for site in (GET, METRICS))

    def answers(task, lock, at, ns, site):
        told = {"lock": lock.id} if known else {}
        task.awaits(at, "response (aiohttp)", site=site, **told)
        task.ready(at + ns, waker="io").running(at + ns + 1)

    before = loop.task("fetch", site=GET).ready(0).running(1)
    answers(before, first, 2, 5 * MS, asked_at)
    before.done(6 * MS)
    probe = loop.task("probe", site=PROBE).ready(7 * MS).running(7 * MS + 1)
    answers(probe, first, 7 * MS + 2, 5 * MS, PROBE)
    probe.done(13 * MS)
    bystander = loop.task("metrics", site=METRICS).ready(14 * MS).running(14 * MS + 1)
    at = 14 * MS + 2
    for _ in range(own):
        answers(bystander, other, at, 350 * MS, METRICS)
        at += 351 * MS
    late = [loop.task("fetch", site=GET).ready(20 * MS).running(20 * MS + n) for n in range(2)]
    for n, task in enumerate(late):
        task.awaits(21 * MS + n, "connection pool (aiohttp)", acquired=False, site=GET,
                    lock=pool.id, slots=1)  # fmt: skip
    for n, task in enumerate(late):
        task.ready(1_000 * MS + n, waker="timer").running(1_000 * MS + 10 + n)
        task.done(1_001 * MS + n, "cancelled")
    bystander.done(1_200 * MS)
    return trace.ended(1_201 * MS)


def test_those_of_the_pool_that_is_waited_for(tmp_path):
    found, *_ = find_in(tmp_path, sessions())
    assert found.finding == "slots never returned"
    assert "`probe` held one last in `probe` (sites.py:20)" in found.text


@pytest.mark.parametrize("story", [{"known": False}, {"asked_at": PROBE}], ids=str)
def test_which_pool_is_not_known(tmp_path, story):
    """Without the sessions all may be meant; with them, where none was used at that line,
    nobody is named."""
    found, *_ = find_in(tmp_path, sessions(**story))
    assert ("metrics" in found.text) is ("known" in story)
    assert "probe" not in found.text
