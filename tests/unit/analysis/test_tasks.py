"""Tasks: states, groups, and whose fault each wait was, to the nanosecond."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.engines import ENGINES
from tests.support.stories.waits import MS, blocked_loop, eager, every_trace, killed, lanes
from tracer import schema as s
from viewer.analysis.spread import Spread
from viewer.analysis.tasks import By, Delay, TaskRow, task_rows
from viewer.trace.model import build_model
from viewer.trace.reader import read_trace

# Stories have what matters to the test and leave out steps that a real trace would have.
pytestmark = [pytest.mark.parametrize("engine", ENGINES), pytest.mark.invalid_traces]


@pytest.fixture
def rows(tmp_path, engine):
    """The rows of a story by coroutine name, or of its tasks by task name."""

    def rows(story: TraceBuilder | bytes, by: By = By.CORO) -> dict[str, TaskRow]:
        path = tmp_path / "x.pftrace"
        path.write_bytes(story if isinstance(story, bytes) else story.data())
        found = task_rows(build_model(read_trace(path, engine)), by)
        return {row.coro if by is By.CORO else row.names[0]: row for row in found}

    return rows


def kinds(row: TaskRow) -> dict[tuple[str, str], int]:
    return {(d.kind, d.who): d.ns for d in row.delayed_by}


def test_states_add_up(rows):
    """Counts, totals and maxima of each state are those of the story."""
    tick = rows(blocked_loop())["tick"]
    assert (tick.count, tick.steps, tick.names) == (1, 2, ("ticker",))
    assert tick.ready.total_ns == 820_000 + 31_200_000
    assert tick.running == Spread(2, 870_000, 435_000, 727_000, 792_700, 800_000)
    assert tick.awaiting.total_ns == 9_910_000
    assert [(a.what, a.count, a.total_ns) for a in tick.awaits] == [("sleep", 1, 9_910_000)]
    assert {w.who: w.count for w in tick.wakers} == {"main": 1, "timer": 1}


def test_who_delayed_whom(rows):
    """A wait is split among all that ran on the loop meanwhile, GC apart from its victim."""
    tick = rows(blocked_loop())["tick"]
    assert tick.worst is not None
    assert (tick.worst.name, tick.worst.ns) == ("ticker", 31_200_000)
    assert tick.worst.delayed_by == (
        Delay("handler", "task", "/app/blocked_loop.py:14 handler", 28 * MS),
        Delay("GC", "gc", "", 2 * MS),
        Delay("flush_metrics", "callback", "/app/metrics.py:7 flush_metrics", MS),
        Delay("event loop", "loop", "", 200_000),
    )


def test_eager_step_counts_for_the_child(rows):
    """While an eager child runs inside its creator's step, the child is the one in the way."""
    other = rows(eager())["other"]
    assert kinds(other) == {
        ("task", "main"): 500 + 3_000,
        ("task", "child"): 3_000,
        ("loop", "event loop"): 1_000,
    }


def test_select_is_told_apart(rows):
    """A task that is ready while its loop polls was delayed by the select."""
    trace = TraceBuilder()
    loop = trace.loop(trace.thread("MainThread"))
    task = loop.task("f").ready(100).running(900).done(1_000)
    loop.callback("earlier", "x.py:1 earlier", 10, 50)
    loop.select(60, 800)
    loop.step(task, 900, 1_000)
    assert kinds(rows(trace)["f"]) == {
        ("select", "select"): 700,
        ("loop", "event loop"): 100,
    }


def test_before_the_loop_is_unknown(rows):
    """Nobody is blamed for time before the loop's first slice or after its last."""
    trace = TraceBuilder()
    loop = trace.loop(trace.thread("MainThread"))
    first = loop.task("first").ready(100).running(500).done(600)
    loop.task("never").ready(550)
    loop.step(first, 500, 600)
    trace.ended(1_000)
    found = rows(trace)
    assert kinds(found["first"]) == {("unknown", "unknown"): 400}
    assert kinds(found["never"]) == {("task", "first"): 50, ("unknown", "unknown"): 400}


def test_no_loop_is_unknown(rows):
    """A task on a track under no loop has waited for nobody knows whom."""
    trace = TraceBuilder()
    track = trace.track("Task-9 f()")
    trace.begin(
        track, 10, s.READY, s.CAT_TASK, task=9, name="Task-9", coro="f", site="f.py:1 f"
    )
    trace.end(track, 40)
    assert kinds(rows(trace.ended(50))["f"]) == {("unknown", "unknown"): 30}


def test_dropped_events_are_unknown(rows):
    """In the time of dropped events nobody is blamed, even between two known slices."""
    trace = TraceBuilder()
    loop = trace.loop(trace.thread("MainThread"))
    loop.callback("a", "a.py:1 a", 0, 1_000)
    loop.task("f").ready(500)
    since = trace.start_ns + 1_200
    trace.instant(trace.tracer, 3_000, s.EVENTS_DROPPED, s.CAT_TRACER, count=9, since_ns=since)
    loop.callback("b", "b.py:1 b", 3_500, 4_000)
    trace.ended(4_000)
    assert kinds(rows(trace)["f"]) == {
        ("callback", "a"): 500,
        ("loop", "event loop"): 200 + 500,
        ("unknown", "unknown"): 1_800,
        ("callback", "b"): 500,
    }


def test_gc_of_another_thread_delays_nobody(rows):
    """A collection on a thread that is not the loop's is not split out."""
    trace = TraceBuilder()
    loop = trace.loop(trace.thread("MainThread"))
    worker = trace.thread("worker")
    loop.callback("a", "a.py:1 a", 0, 1_000)
    loop.task("f").ready(0)
    trace.gc(100, 900, worker.tid)
    assert kinds(rows(trace.ended(1_000))["f"]) == {("callback", "a"): 1_000}


def test_two_loops_do_not_mix(rows):
    """What runs on one loop delays no task of another."""
    trace = TraceBuilder()
    loops = [trace.loop(trace.thread(name)) for name in ("MainThread", "other")]
    for i, loop in enumerate(loops):
        loop.callback(f"c{i}", "c.py:1 c", 0, 1_000)
        loop.task("f").ready(100 * i)
    assert kinds(rows(trace.ended(1_000))["f"]) == {
        ("callback", "c0"): 1_000,
        ("callback", "c1"): 900,
    }


def test_tasks_waiting_together_count_each(rows):
    """Three tasks that wait at once for the same step have waited three times as long."""
    trace = TraceBuilder()
    loop = trace.loop(trace.thread("MainThread"))
    loop.callback("a", "a.py:1 a", 0, 1_000)
    for at in (100, 200, 300):
        loop.task("f", site="f.py:1 f").ready(at)
    row = rows(trace.ended(1_000))["f"]
    assert kinds(row) == {("callback", "a"): 900 + 800 + 700}
    assert (row.count, row.names) == (3, ("Task-1", "Task-2", "Task-3"))


def test_lanes(rows):
    """Tasks that follow each other on a merged lane are distinguished by their lifetimes."""
    assert (rows(lanes())["fetch"].count, rows(lanes())["fetch"].steps) == (3, 3)
    by_task = rows(lanes(), By.TASK)
    assert {name: (r.task, r.ready.total_ns) for name, r in by_task.items()} == {
        "Task-1": (1, 10_000),
        "Task-2": (2, 20_000),
        "Task-3": (3, 30_000),
    }


def test_unfinished_states_last_until_the_end(rows):
    """A state open at the end counts up to the trace's end."""
    found = rows(killed())
    assert found["victim"].ready.max_ns == 8_500
    assert found["hog"].running.max_ns == 8_000


def test_lost_first_slices(rows):
    """Tasks whose first slice is lost are named by their track and still counted."""
    story = blocked_loop()
    chunks = story.chunks(chunk_events=4)
    del chunks[1:3]
    found = rows(b"".join(b"".join(chunk) for chunk in chunks))
    assert "ticker tick()" in found
    assert found["ticker tick()"].steps == 1


def test_renamed_task(rows):
    """A task has its newest name."""
    trace = TraceBuilder()
    task = trace.loop(trace.thread("MainThread")).task("f").ready(0).running(10)
    task.enter(20, s.READY, name="better").running(30).done(40)
    assert list(rows(trace, By.TASK)) == ["better"]


@pytest.mark.parametrize("by", By)
@pytest.mark.parametrize(("name", "data"), every_trace())
def test_delays_add_up(rows, name, data, by):
    """What delayed a row adds up to its ready time, and the worst wait's to the wait."""
    for row in rows(data, by).values():
        assert sum(d.ns for d in row.delayed_by) == row.ready.total_ns
        if row.worst is not None:
            assert sum(d.ns for d in row.worst.delayed_by) == row.worst.ns == row.ready.max_ns
