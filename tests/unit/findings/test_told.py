"""Tasks that failed unseen, and cancel scopes that have no effect."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in
from tracer import schema as s

SEND, WEBHOOK = "/app/hook.py:9 send", "/app/hook.py:16 webhook"


def failures(told=2, failed=3, exception="OSError"):
    """Tasks of `send` that fail; of the first ones nobody has asked for the exception."""
    trace = TraceBuilder(argv="hook.py", signals=SIGNALS)
    thread = trace.thread("MainThread").native(0)
    loop = trace.loop(thread)
    for n in range(failed):
        task = loop.task("send", site=SEND)
        task.ready(n * MS, stack=WEBHOOK).running(n * MS + 1).done(
            n * MS + 2, "failed: OSError"
        )
        if n < told:
            trace.instant(
                thread.track,
                20 * MS,
                s.UNASKED,
                s.CAT_THREAD,
                task=task.id,
                exception=exception,
            )
    thread.end(30 * MS)
    return trace.ended(31 * MS)


def test_failures_that_nobody_saw(tmp_path):
    (found,) = find_in(tmp_path, failures())
    assert (found.finding, found.severity_ns) == ("orphaned task", 0)
    assert found.text == (
        "`send` (hook.py:9): 2 tasks, created at hook.py:16, failed with "
        "`OSError`, the first at 2 ns, and nobody has asked for the result: they failed "
        "unnoticed."
    )


def test_one_is_enough(tmp_path):
    (found,) = find_in(tmp_path, failures(told=1))
    assert "1 task, created" in found.text
    assert found.text.endswith("it failed unnoticed.")


def test_failures_that_somebody_asked_for(tmp_path):
    assert not find_in(tmp_path, failures(told=0))


def scope(on=1_000 * MS, what="executor", tasks=1, told=True):
    """Tasks whose scope is cancelled at 100 ms, and who wait on for so long."""
    trace = TraceBuilder(argv="app.py", signals=SIGNALS)
    thread = trace.thread("MainThread").native(0)
    worker = trace.thread("worker").sleep(0, site="/app/app.py:3 query")
    loop = trace.loop(thread)
    every = [loop.task("fetch", site="/app/app.py:6 fetch") for _ in range(tasks)]
    for task in every:
        task.ready(0).running(1).awaits(2, what, site="/app/app.py:7 fetch")
        if told:
            trace.instant(thread.track, 100 * MS, s.REFUSED, s.CAT_THREAD, task=task.id)
    worker.end(100 * MS + on)
    for task in every:
        task.ready(100 * MS + on, waker="timer").running(100 * MS + on + 1)
        task.done(100 * MS + on + 2)
    thread.end(101 * MS + on)
    return trace.ended(102 * MS + on)


def test_a_thread_is_not_abandoned(tmp_path):
    (found,) = find_in(tmp_path, scope(tasks=2))
    assert (found.finding, found.severity_ns) == ("wait in vain", 2_000 * MS)
    assert found.text == (
        "Waited in vain: 2 tasks `fetch` waited on, in `executor` in `fetch` (app.py:7) after "
        "the time of a cancel scope around it had run out: 2 waits, 2.00 s in total, the "
        "longest 1.00 s (at 100 ms). A cancel does not end what a thread does: give that a "
        "time-out of its own, or abandon the thread (`abandon_on_cancel=True`)."
    )
    assert found.evidence.site == "/app/app.py:7 fetch"


def test_what_is_shielded(tmp_path):
    (found,) = find_in(tmp_path, scope(what="sleep"))
    assert found.text.endswith("is shielded: give that a time-out of its own.")


@pytest.mark.parametrize(("on", "told"), [(499 * MS, True), (1_000 * MS, False)])
def test_a_moment_more_or_no_scope(tmp_path, on, told):
    assert not any("scope" in one.text for one in find_in(tmp_path, scope(on, told=told)))
