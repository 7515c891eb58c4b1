"""Tasks that several await, and that one of them cancels for all."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds
from tracer import schema as s

ASKS, SITE = "/app/voice.py:22 shared", "/app/voice.py:30 request"


def requests(first_ns=200 * MS, ends="again", impatient="done", how=s.CANCELLED, patient=3):
    """Patient requests and an impatient one await one task, which ends after `first_ns`."""
    trace = TraceBuilder(argv="voice.py", signals=SIGNALS)
    thread = trace.thread("MainThread").native(0)
    loop = trace.loop(thread)
    encode = [loop.task("encode", site="/app/voice.py:12 encode") for _ in range(2)]
    tasks = [loop.task("request", site=SITE) for _ in range(patient)]
    one = loop.task("request", site=SITE)
    encode[0].ready(0).running(1).awaits(2, "sleep", site="/app/voice.py:13 encode")
    for n, task in enumerate([*tasks, one]):
        task.ready(3).running(4 + n)
        task.awaits(10 + n, f"task {encode[0].name}", site=ASKS)
    encode[0].ready(first_ns, waker="cancel").running(first_ns + 1)
    for n, task in enumerate([*tasks, one]):
        task.ready(first_ns + 2, by=encode[0]).running(first_ns + 10 + n)
    encode[0].done(first_ns + 50, how)
    if impatient:
        one.done(first_ns + 60, impatient)
    else:
        one.awaits(first_ns + 60, "sleep", site=SITE)
    encode[1].ready(first_ns + 70).running(first_ns + 71)
    encode[1].awaits(first_ns + 72, "sleep", site="/app/voice.py:13 encode")
    end = first_ns + 300 * MS
    if ends == "again":
        for n, task in enumerate(tasks):
            task.awaits(first_ns + 80 + n, f"task {encode[1].name}", site=ASKS)
        encode[1].ready(end - 1).running(end)
        for n, task in enumerate(tasks):
            task.ready(end + 1, by=encode[1]).running(end + 2 + n).done(end + 10 + n)
    else:
        for n, task in enumerate(tasks):
            task.done(first_ns + 80 + n, ends)
        encode[1].ready(end).running(end + 1)
    encode[1].done(end + 20)
    if not impatient:
        one.ready(end + 30).running(end + 31).done(end + 32)
    thread.end(end + MS)
    return trace.ended(end + 2 * MS)


def test_the_others_begin_again(tmp_path):
    (found,) = find_in(tmp_path, requests())
    assert found.finding == "wait in vain"
    assert found.text == (
        "Waited in vain: 3 tasks `request` awaited `encode` in `shared` (voice.py:22), which "
        "was cancelled once, as another one that awaited it gave up: 3 waits, 600 ms in "
        "total, the longest 200 ms (at 10 ns). A time-out cancels the task that one awaits, "
        "for all who do: `await asyncio.shield(task)`."
    )
    assert found.evidence.site == ASKS


def test_the_others_are_cancelled(tmp_path):
    (found,) = find_in(tmp_path, requests(ends=s.CANCELLED, impatient="failed: TimeoutError"))
    assert (found.finding, found.text[:31]) == (
        "wait in vain", "Waited in vain: 3 tasks `request`"[:31],
    )  # fmt: skip


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"first_ns": 150 * MS}, id="little is lost"),
        pytest.param({"impatient": ""}, id="nobody who awaits it gave up"),
        pytest.param({"how": s.DONE}, id="it ended"),
        pytest.param({"ends": s.CANCELLED, "impatient": s.CANCELLED}, id="all are stopped"),
        pytest.param({"ends": s.DONE}, id="the others do without"),
    ],
)
def test_nothing_is_thrown_away(tmp_path, story):
    assert kinds(tmp_path, requests(**story)) == []
