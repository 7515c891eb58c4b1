"""Slots that are with tasks on which those who made them have given up."""

import pytest

from tests.support.builder.trace import Task, TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in
from tracer import schema as s

TAKES, SAVES = "/app/save.py:8 upload", "/app/save.py:16 save"


def uploads(count=6, patience_ns=100 * MS, awaits=True, parent=True):
    """Each `save` makes an `upload` and gives up on it; they share one permit, 200 ms each."""
    trace = TraceBuilder(argv="save.py", signals=SIGNALS)
    thread = trace.thread("MainThread").native(0)
    loop = trace.loop(thread)
    permits = trace.lock("Semaphore", TAKES)
    done = 0
    before: Task | None = None
    for n in range(count):
        born = n * 30 * MS
        save = loop.task("save", site="/app/save.py:12 save").ready(born).running(born + 1)
        maker = save.id if parent else 0
        upload = loop.task("upload", site="/app/save.py:7 upload", parent=maker)
        upload.ready(born + 10).running(born + 20)
        save.awaits(born + 30, f"task {upload.name}" if awaits else "sleep", site=SAVES)
        if before is not None:
            upload.awaits(born + 40, "Semaphore", lock=permits.id, site=TAKES)
            upload.ready(done + 10, by=before).running(done + 30)
            before.done(done + 20)
            upload.awaits(done + 40, "sleep", site="/app/save.py:9 upload")
        else:
            upload.awaits(born + 40, "sleep", site="/app/save.py:9 upload")
        gives_up = (
            min(born + patience_ns, done + 190 * MS) if not awaits else born + patience_ns
        )
        save.ready(gives_up, waker="timer").running(gives_up + 1).done(gives_up + 2)
        done = max(done, born) + 200 * MS
        upload.ready(done, waker="timer").running(done + 1)
        before = upload
    assert before is not None
    before.done(done + 20)
    end = 2_000 * MS
    thread.end(end)
    return trace.ended(end + MS)


def _said(tmp_path, **story):
    found = [f for f in find_in(tmp_path, uploads(**story)) if f.finding == "pool exhausted"]
    assert len(found) == 1
    return found[0].text


def test_they_go_on(tmp_path):
    assert (
        "5 tasks `upload` went on though `save` in `save` (save.py:16), which had made them, "
        "had given up: cancel what nobody waits for (`TaskGroup`, no `shield`), or wait for "
        "longer."
    ) in _said(tmp_path)


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"patience_ns": 1_240 * MS}, id="they wait for it"),
        pytest.param({"awaits": False}, id="a sleep that is over"),
        pytest.param({"parent": False}, id="made by others"),
    ],
)
def test_nobody_gave_up(tmp_path, story):
    assert "went on though" not in _said(tmp_path, **story)


def batches(fails=True, what="gather", how="failed: OSError"):
    """Four attempts of one task, whose `gather` ends as one of its five fails; the others go
    on, and have the two permits, 100 ms each."""
    trace = TraceBuilder(argv="save.py", signals=SIGNALS)
    thread = trace.thread("MainThread").native(0)
    loop, permits = trace.loop(thread), trace.lock("Semaphore", TAKES)
    load = loop.task("load", site="/app/save.py:12 load").ready(0).running(1)
    free: list[tuple[int, Task | None]] = [(0, None), (0, None)]
    for attempt in range(4):
        born = attempt * 50 * MS if fails else max(at for at, _ in free) + MS
        load.running(born + 1) if attempt else None
        for n in range(5):
            task = loop.task("upload", site="/app/save.py:7 upload", parent=load.id)
            task.ready(born + 10 + n).running(born + 20 + n)
            at, before = free.pop(0)
            if before is not None:
                if at > born + 30:
                    task.awaits(born + 30, "Semaphore", lock=permits.id, site=TAKES)
                    task.ready(at + 10, by=before).running(at + 30)
                before.done(at + 20)
            at = max(at, born) + 40
            task.awaits(at, "sleep", site="/app/save.py:9 upload")
            at += 100 * MS
            task.ready(at, waker="timer").running(at + 1)
            free.append((at + 1, task))
        failing = loop.task("upload", site="/app/save.py:7 upload", parent=load.id)
        failing.ready(born + 40).running(born + 41).awaits(born + 42, "sleep")
        load.awaits(born + 50, what, site=SAVES)
        over = born + 49 * MS if fails else max(at for at, _ in free)
        failing.ready(over, waker="timer").running(over)
        if attempt < 3:
            load.ready(over + 1, by=failing)
        failing.done(over + 2, how)
    end = 0
    for at, last in free:
        assert last is not None
        end = max(end, at + 20)
        last.done(at + 20)
    load.ready(end + 1, waker="timer").running(end + 2).done(end + 3)
    thread.end(end + MS)
    return trace.ended(end + 2 * MS)


def test_a_batch_that_failed_goes_on(tmp_path):
    (found,) = find_in(tmp_path, batches())
    assert found.finding == "pool exhausted"
    assert "went on though `load` in `save` (save.py:16), which had made them" in found.text


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"fails": False}, id="each batch is waited for"),
        pytest.param({"what": "wait"}, id="it waits for the first of them"),
        pytest.param({"how": s.DONE}, id="a gather of others"),
    ],
)
def test_batches_that_are_paced(tmp_path, story):
    assert find_in(tmp_path, batches(**story)) == ()
