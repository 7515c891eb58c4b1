"""Explanations of hand-made traces: exact splits, paths, words."""

import random
from pathlib import Path

import pytest

from tests.support.builder.encoding import Event
from tests.support.builder.trace import TraceBuilder
from tests.support.engines import ENGINES
from tests.support.explaining import adds_up, answer
from tests.support.models import model_of
from tests.support.stories import waits as samples
from tests.support.stories.simulator import random_program
from tests.support.stories.waits import MS
from tracer import schema as s
from tracer.errors import TraceFileError
from viewer.analysis.causes.part import Cause, Kind, shortened
from viewer.analysis.why.asked import Asked
from viewer.analysis.why.explain import Explanation, explain
from viewer.analysis.why.step import Did
from viewer.analysis.why.waits import What, wait_of_slice
from viewer.analysis.why.worst import worst_waits
from viewer.render.json.why import render_json
from viewer.render.text.why import paragraph
from viewer.trace.engine import Engine
from viewer.trace.model import Model, build_model
from viewer.trace.reader import read_trace

type Parts = list[tuple[str, str, int]]


def first(model: Model, **asked: str | int) -> Explanation:
    return answer(model, **asked).problems[0].worst


def parts(causes: tuple[Cause, ...]) -> Parts:
    return [(str(cause.kind), cause.who, cause.ns) for cause in causes]


# Splits -----------------------------------------------------------------------------------


def test_ready_behind_a_task_a_collection_and_a_callback(tmp_path: Path) -> None:
    found = first(model_of(tmp_path, samples.blocked_loop()))
    assert (found.wait.what, found.waiter.name, found.wait.ns) == (
        What.READY,
        "ticker",
        31_200_000,
    )
    assert parts(found.causes) == [
        ("task", "handler", 28 * MS),
        ("gc", "gen 2", 2 * MS),
        ("callback", "flush_metrics", MS),
        ("loop", "", 200_000),
    ]
    assert parts(found.causes[1].parts) == [("task", "handler", 2 * MS)]


def test_gil_wait_is_split_by_who_has_it_over_time(tmp_path: Path) -> None:
    """Not only who had it as the wait began: running and preempted, then free."""
    found = first(model_of(tmp_path, samples.gil_hog()))
    assert found.wait.what is What.GIL
    assert parts(found.causes) == [("thread", "compress", 200 * MS), ("free", "", 20_000)]
    inside = found.causes[0].parts
    assert parts(inside) == [("computing", "", 140 * MS), ("preempted", "", 60 * MS)]
    assert [cause.holds_gil for cause in inside] == [False, True]


def test_lock_wait_says_what_the_owner_did(tmp_path: Path) -> None:
    found = first(model_of(tmp_path, samples.lock_convoy()))
    assert (found.wait.what, found.subject) == (What.LOCK, "Lock")
    assert parts(found.causes) == [("owner", "flush", 99_500_000)]
    owner = found.causes[0]
    assert owner.site == "/app/convoy.py:30 flush"
    assert parts(owner.parts) == [
        ("sleep", "", 98_500_000),
        ("computing", "", 500_000),
        ("gil wait", "", 500_000),
    ]


def test_await_of_a_lock_has_the_owning_task(tmp_path: Path) -> None:
    found = first(model_of(tmp_path, samples.async_lock()))
    assert (found.wait.what, found.subject, found.waiter.name) == (
        What.AWAIT,
        "Lock",
        "reader #2",
    )
    assert parts(found.causes) == [("owner", "writer #1", 48 * MS)]
    assert parts(found.causes[0].parts) == [
        ("await", "sleep", 47 * MS),
        ("unknown", "", MS),
    ]


def test_waits_that_go_round_in_a_circle_end(tmp_path: Path) -> None:
    trace = TraceBuilder(signals="tasks,threads,gc,gil,locks,io")
    a, b = trace.thread("a"), trace.thread("b")
    first_lock, second = trace.lock("Lock", "x.py:1 f"), trace.lock("Lock", "x.py:2 g")
    a.running(0).lock_wait(MS, "Lock", lock=second, site="x.py:3 f", owner=b)
    b.running(MS).lock_wait(2 * MS, "Lock", lock=first_lock, site="x.py:4 g", owner=a)
    first_lock.hold(MS, 20 * MS, a)
    second.hold(MS, 20 * MS, b)
    found = first(model_of(tmp_path, trace.ended(20 * MS)))
    assert parts(found.causes) == [("owner", "b", 19 * MS)]
    waits = found.causes[0].parts
    assert parts(waits) == [("lock wait", "Lock", 18 * MS), ("computing", "", MS)]
    assert parts(waits[0].parts) == [("owner", "a", 18 * MS)]
    assert parts(waits[0].parts[0].parts) == [("cycle", "", 18 * MS)]
    assert not found.is_over


# Corners ----------------------------------------------------------------------------------


def test_before_the_loop_began_nothing_is_known(tmp_path: Path) -> None:
    trace = TraceBuilder()
    loop = trace.loop(trace.thread("MainThread"))
    task = loop.task("f", site="f.py:1 f").ready(0).running(5 * MS).done(6 * MS)
    loop.select(2 * MS, 4 * MS)
    loop.step(task, 5 * MS, 6 * MS)
    found = first(model_of(tmp_path, trace.ended(6 * MS)))
    assert parts(found.causes) == [
        ("select", "", 2 * MS),
        ("unknown", "", 2 * MS),
        ("loop", "", MS),
    ]


def test_a_wait_still_open_at_the_end_lasts_until_the_end(tmp_path: Path) -> None:
    found = first(model_of(tmp_path, samples.killed()), task="victim")
    assert (found.is_over, found.wait.ns) == (False, 8_500)
    assert parts(found.causes) == [("task", "hog", 7_000), ("unknown", "", 1_500)]


def test_while_events_were_dropped_nothing_is_known(tmp_path: Path) -> None:
    trace = TraceBuilder(signals="tasks,threads,gc,gil")
    a, b = trace.thread("a"), trace.thread("b")
    a.running(0).end(4 * MS)
    trace.instant(
        trace.tracer, 7 * MS, s.EVENTS_DROPPED, s.CAT_TRACER,
        count=3, since_ns=trace.start_ns + 4 * MS,
    )  # fmt: skip
    b.gil_wait(MS).running(10 * MS).end(12 * MS)
    a.running(7 * MS).end(9 * MS)
    found = first(model_of(tmp_path, trace.ended(12 * MS)))
    assert parts(found.causes) == [
        ("thread", "a", 5 * MS),
        ("unknown", "", 3 * MS),
        ("free", "", MS),
    ]


def test_tasks_on_merged_lanes_have_their_own_waits(tmp_path: Path) -> None:
    model = model_of(tmp_path, samples.lanes())
    waits = [first(model, task=f"Task-{n}").wait.ns for n in (1, 2, 3)]
    assert waits == [10_000, 20_000, 30_000]


def test_a_loop_without_a_thread_is_split_by_its_slices_only(tmp_path: Path) -> None:
    """Two threads of that name: which of them ran the loop is not known."""
    trace = TraceBuilder()
    loop = trace.loop(trace.thread("worker"))
    trace.thread("worker")
    a = loop.task("a", site="a.py:1 a").ready(0).running(MS).done(9 * MS)
    b = loop.task("b", site="b.py:1 b").ready(MS).running(9 * MS).done(10 * MS)
    loop.step(a, MS, 9 * MS)
    loop.step(b, 9 * MS, 10 * MS)
    found = first(model_of(tmp_path, trace.ended(10 * MS)), task="b")
    assert parts(found.causes) == [("task", "a", 8 * MS)]
    assert found.causes[0].parts == ()


def test_a_slice_that_is_no_wait_is_none(tmp_path: Path) -> None:
    model = model_of(tmp_path, samples.gil_hog())
    slices = model.trace.slices
    names = [model.trace.text(model.trace.events.name[e]) for e in slices.event]
    found = {
        name: wait_of_slice(model, i) for i, name in enumerate(names) if name != s.GIL_WAIT
    }
    assert found[s.RUNNING] is None
    asleep = found[s.SLEEP]
    assert asleep is not None
    assert asleep.what is What.SLEEP
    row = names.index(s.GIL_WAIT)
    wait = wait_of_slice(model, row)
    assert wait is not None
    assert (wait.start_ns, wait.end_ns) == (slices.start_ns[row], slices.end_ns[row])
    explanation = explain(model, wait)
    adds_up(explanation.causes, wait.ns)


@pytest.mark.parametrize(("name", "data"), samples.every_trace())
def test_everything_adds_up(tmp_path: Path, name: str, data: bytes) -> None:
    file = tmp_path / "any.trace"
    file.write_bytes(data)
    model = build_model(read_trace(file))
    for problem in worst_waits(model, 100, Asked()).problems:
        adds_up(problem.worst.causes, problem.worst.wait.ns)
        assert problem.total_ns >= problem.worst.wait.ns
        assert paragraph(problem).endswith("."), name


# The critical path ------------------------------------------------------------------------


def test_path_through_wakers_and_creators(tmp_path: Path) -> None:
    trace = TraceBuilder()
    loop = trace.loop(trace.thread("MainThread"))
    main = loop.task("main", site="p.py:1 main").ready(0).running(MS)
    child = loop.task("child", site="p.py:9 child", parent=main.id).ready(2 * MS)
    main.awaits(3 * MS, "task child", site="p.py:4 main")
    loop.step(main, MS, 3 * MS)
    child.running(3 * MS)
    main.ready(5 * MS, by=child)
    child.done(6 * MS)
    loop.step(child, 3 * MS, 6 * MS)
    main.running(7 * MS).done(8 * MS)
    loop.step(main, 7 * MS, 8 * MS)
    found = first(model_of(tmp_path, trace.ended(8 * MS)), task="main", at_ns=1_006_000_000)
    base = found.base_ns
    assert [
        (step.did, step.who, step.start_ns - base, step.end_ns - base) for step in found.path
    ] == [
        (Did.WAITED, "main #1", 5 * MS, 7 * MS),
        (Did.RAN, "child #2", 3 * MS, 5 * MS),
        (Did.WAITED, "child #2", 2 * MS, 3 * MS),
        (Did.CREATED, "main #1", 2 * MS, 2 * MS),
        (Did.RAN, "main #1", MS, 2 * MS),
        (Did.WAITED, "main #1", 0, MS),
        (Did.UNKNOWN, "", 0, 0),
    ]


def test_path_through_a_convoy(tmp_path: Path) -> None:
    model = model_of(tmp_path, samples.lock_convoy())
    found = first(model, thread="worker-2", at_ns=model.start_ns + 111 * MS)
    assert [(step.did, step.who) for step in found.path][:5] == [
        (Did.WAITED, "worker-2"),
        (Did.RAN, "worker-1"),
        (Did.WAITED, "worker-1"),
        (Did.RAN, "flush"),
        (Did.CALLED, "flush"),
    ]


def test_a_long_path_is_cut_and_says_so(tmp_path: Path) -> None:
    trace = TraceBuilder()
    loop = trace.loop(trace.thread("MainThread"))
    tasks = [loop.task(f"t{n}", site=f"p.py:{n} t") for n in range(20)]
    before = None
    for n, task in enumerate(tasks):
        at = 2 * n * MS
        task.ready(at, by=before).running(at + MS)
        before = task
    for n, task in enumerate(tasks):
        task.done(2 * n * MS + 2 * MS + MS // 2)
    # Steps overlap for the sake of the story: the loop's track is left out.
    found = first(model_of(tmp_path, trace.ended(60 * MS)), task="t19")
    assert found.path[-1].did is Did.MORE
    assert len(found.path) == 13


def test_an_unnamed_state_is_unknown_not_invented(tmp_path: Path) -> None:
    """A thread's lane with a hole: the part in it has no cause."""
    trace = TraceBuilder(signals="tasks,threads,gc,gil")
    trace.instant(trace.tracer, 0, s.HOOK_DISABLED, s.CAT_TRACER, hook="gil", reason="?")
    main = trace.thread("MainThread")
    loop = trace.loop(main)
    hog = loop.task("hog", site="h.py:1 hog").ready(0).running(0).done(10 * MS)
    loop.step(hog, 0, 10 * MS)
    victim = loop.task("victim", site="v.py:1 v").ready(0).running(10 * MS).done(11 * MS)
    loop.step(victim, 10 * MS, 11 * MS)
    event = Event(2 * MS, s.TYPE_SLICE_BEGIN, main.track, s.RUNNING, s.CAT_THREAD)
    trace.add(event)
    trace.end(main.track, 5 * MS)
    found = first(model_of(tmp_path, trace.ended(12 * MS)), task="victim")
    assert [(c.kind, c.ns) for c in found.causes[0].parts] == [
        (Kind.UNKNOWN, 7 * MS),
        (Kind.COMPUTING, 3 * MS),
    ]


# Any file, either engine ------------------------------------------------------------------


@pytest.mark.parametrize("engine", ENGINES)
def test_either_engine_says_the_same(tmp_path: Path, engine: Engine) -> None:
    file = tmp_path / "simulated.trace"
    for seed in range(10):
        file.write_bytes(random_program(seed).trace().data())
        mine = worst_waits(build_model(read_trace(file, engine)), 20, Asked())
        other = worst_waits(build_model(read_trace(file)), 20, Asked())
        none = [None] * len(mine.problems)
        assert render_json("", mine, none) == render_json("", other, none)


@pytest.mark.invalid_traces
def test_damaged_files_are_explained_as_far_as_they_go(tmp_path: Path) -> None:
    """Bytes changed, cut out, repeated: every wait that is left still adds up."""
    choose, file = random.Random(7), tmp_path / "damaged.trace"
    stories = [data for _, data in samples.every_trace()]
    explained = 0
    for _ in range(120):
        data = bytearray(choose.choice(stories))
        for _ in range(choose.randrange(1, 6)):
            at = choose.randrange(len(data))
            match choose.randrange(3):
                case 0:
                    data[at] = choose.randrange(256)
                case 1:
                    del data[at : at + choose.randrange(1, 40)]
                case _:
                    data[at:at] = data[choose.randrange(len(data)) :][: choose.randrange(60)]
        file.write_bytes(data)
        try:
            model = build_model(read_trace(file))
        except TraceFileError:
            continue
        for problem in worst_waits(model, 20, Asked()).problems:
            adds_up(problem.worst.causes, problem.worst.wait.ns)
            explained += 1
    assert explained > 50


def test_shortened_causes_still_add_up() -> None:
    """Few parts on each level, and what is left out as one; a single one keeps its name."""
    small = tuple(Cause(Kind.IO, 2, f"call {n}") for n in range(10))
    whole = (Cause(Kind.THREAD, 80, "a", parts=(Cause(Kind.COMPUTING, 60), *small)),)
    causes = (*whole, Cause(Kind.THREAD, 19, "b"), Cause(Kind.FREE, 1))
    found = shortened(causes, 5, 8)
    assert parts(found) == [("thread", "a", 80), ("thread", "b", 19), ("free", "", 1)]
    assert parts(found[0].parts) == [("computing", "", 60), ("others", "10", 20)]
    adds_up(found, 100)
