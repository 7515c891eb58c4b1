"""Threads that differ only in a number are one row."""

import json

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS
from tests.support.models import model_of
from tests.support.stories.shapes.of_threads import threads_at_once
from viewer.analysis.alike import fold_threads, shared_names
from viewer.analysis.report import SECTIONS, build_report
from viewer.analysis.tasks import By
from viewer.analysis.threads import thread_rows
from viewer.render.json.report import render_json
from viewer.render.text.report import render_text
from viewer.render.text.tables import Style
from viewer.words import stem, stems

PLACE = "/app/web.py:7 handle"


def requests():
    """A thread per request, one after the other at a lock; and one of another kind."""
    trace = TraceBuilder(argv="web.py", signals=SIGNALS)
    lock = trace.lock("Lock", PLACE)
    other = trace.thread("cleaner").running(0)
    threads = [trace.thread(f"Thread-{n} (process)").native(0) for n in range(4)]
    for n, thread in enumerate(threads):
        before = threads[n - 1] if n else other
        thread.lock_wait(
            MS, "Lock", lock=lock, site=PLACE, owner=before,
            stack=f"{PLACE}\n/app/web.py:{n + 20} process",
        )  # fmt: skip
        at = (n + 1) * 10 * MS
        lock.hold(at - 10 * MS if n else MS, at, before, PLACE)
        before.release(at, lock, to=thread)
        thread.native(at).gil_wait(at + MS, other).native(at + 3 * MS)
    lock.hold(40 * MS, 50 * MS, threads[-1], PLACE)
    for thread in threads:
        thread.end(60 * MS)
    other.end(60 * MS)
    return trace.ended(61 * MS)


def test_rows(tmp_path):
    """The table of threads, who waited for a lock, who had it and who gave it back."""
    report = build_report(model_of(tmp_path, requests()), By.CORO)
    whole, other = report.thread_groups
    assert (whole.name, whole.threads, other.name) == ("Thread-N (process)", 4, "cleaner")
    assert whole.wall_ns == 4 * 60 * MS
    assert whole.gil_waits.count == 4
    assert whole.gil_wait_ns == 4 * 2 * MS
    assert [(holder.name, holder.ns) for holder in whole.held.holders] == [("cleaner", 8 * MS)]
    assert sum(whole.states.values()) + whole.unknown_ns == whole.wall_ns
    assert len(report.threads) == 5
    (lock,) = report.locks
    assert [(w.who, w.count) for w in lock.waiters] == [("Thread-N (process)", 4)]
    assert [h.who for h in lock.holders] == ["Thread-N (process)", "cleaner"]
    assert sum(cause.ns for cause in lock.waited_for) == lock.waits.total_ns
    assert {cause.who for cause in lock.waited_for} == {"Thread-N (process)", "cleaner"}
    assert lock.woken_by == (("Thread-N (process)", 3), ("cleaner", 1))


def test_text_and_json(tmp_path):
    """Both have the row; JSON has each thread, too."""
    report = build_report(model_of(tmp_path, requests()), By.CORO)
    said = render_text(report, ("threads", "locks"), 10, Style(100))
    assert "4 × Thread-N (process)" in said
    assert "Thread-2" not in said
    body = json.loads(render_json(report, SECTIONS))
    assert len(body["threads"]) == 5
    group = body["thread_groups"][0]
    assert (group["name"], group["threads"], group["wall_ns"]) == (
        "Thread-N (process)",
        4,
        240 * MS,
    )


def test_other_functions_are_others(tmp_path):
    """A name with another number is not enough: these began in different functions."""
    trace = TraceBuilder(argv="a.py", signals=SIGNALS)
    for n, function in enumerate(("read", "read", "write", "write")):
        thread = trace.thread(f"Thread-{n}").native(0)
        thread.lock_wait(MS, "Queue.get", lock=n + 1, site="/app/a.py:1 get",
                         stack=f"/app/a.py:1 get\n/app/a.py:9 {function}")  # fmt: skip
        thread.native(2 * MS).end(3 * MS)
    trace.thread("Thread-9").native(0).end(2 * MS)
    report = build_report(model_of(tmp_path, trace.ended(4 * MS)), By.CORO)
    named = sorted((row.name, row.threads) for row in report.thread_groups)
    assert named == [("Thread-9", 1), ("Thread-N in read", 2), ("Thread-N in write", 2)]


def test_a_group_is_summed_without_a_row_of_each_thread(tmp_path):
    model = model_of(tmp_path, threads_at_once(700))
    rows, made = thread_rows(model), []

    def noted(row):
        made.append(row.tid)
        return row

    noting = thread_rows(model).changed(noted)
    (group,) = fold_threads(model, noting, lambda: shared_names(model))
    assert len(made) <= 2 < len(rows) == group.threads == 50
    assert group.wall_ns == sum(row.wall_ns for row in rows)
    assert group.unknown_ns == sum(row.unknown_ns for row in rows)
    for state, ns in group.states.items():
        assert ns == sum(row.states[state] for row in rows)
    assert group.gil_waits.count == sum(row.gil_waits.count for row in rows)
    assert group.gil_waits.total_ns == sum(row.gil_waits.total_ns for row in rows)
    assert group.gil_waits.max_ns == max(row.gil_waits.max_ns for row in rows)
    (holder,) = group.held.holders
    assert holder.name == "worker-N"
    assert holder.ns == sum(of.ns for row in rows for of in row.held.holders)
    assert group.held.free_ns == sum(row.held.free_ns for row in rows)
    assert group.held.others_ns == sum(row.held.others_ns for row in rows)


@pytest.mark.parametrize("odd", ["", "two\nlines 3", "n (7)"])
def test_stems_of_many(odd):
    """All in one go are what each is alone."""
    names = ["", "worker-1", "worker-12 (345)", "Thread-3 (serve)", "x (1) (2)", "main", odd]
    assert stems(names) == [*map(stem, names)]
    assert stems([]) == []
