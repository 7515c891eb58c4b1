"""Which waits `why` shows first, and in what words."""

import re
from pathlib import Path

import pytest

from tests.support.builder.samples import SampleBuilder
from tests.support.builder.trace import TraceBuilder
from tests.support.explaining import adds_up, answer
from tests.support.models import model_of
from tests.support.stories import waits as samples
from tests.support.stories.shapes import SHAPES
from tests.support.stories.waits import MS
from tracer.errors import NotInTraceError
from viewer.analysis.causes.samples import telling
from viewer.analysis.profiles.profile import Place
from viewer.analysis.why.waits import What
from viewer.render.text.steps import path
from viewer.render.text.why import paragraph, tree


def test_waits_alike_are_one_problem(tmp_path: Path) -> None:
    found = answer(model_of(tmp_path, samples.lock_convoy())).problems
    assert (found[0].worst.wait.what, found[0].count) == (What.LOCK, 3)
    assert found[0].total_ns == 99_500_000 + 50 * MS + 57 * MS + 8_000


def test_rest_is_no_problem(tmp_path: Path) -> None:
    """Idle workers are no problem; the worst comes first."""
    found = answer(model_of(tmp_path, samples.pool())).problems
    assert found[0].worst.subject == "Future.result"
    assert "Queue.get" not in [p.worst.subject for p in found]
    model = model_of(tmp_path, samples.gil_hog())
    assert answer(model).problems[0].worst.wait.what is What.GIL


def test_at_a_moment_only_what_covers_it(tmp_path: Path) -> None:
    model = model_of(tmp_path, samples.blocked_loop())
    found = answer(model, at_ns=model.start_ns + 30 * MS).problems
    names = [(p.worst.wait.what, p.worst.waiter.name) for p in found]
    assert names == [(What.READY, "ticker"), (What.AWAIT, "main #1")]


@pytest.mark.parametrize(
    ("asked", "line"),
    [
        ({"task": "tock"}, "no task is called 'tock'. Did you mean 'tick' or 'ticker'?"),
        ({"thread": "nobody"}, "no thread is called 'nobody'. There is 'MainThread'."),
    ],
)
def test_who_is_not_there_is_said_in_one_line(
    tmp_path: Path, asked: dict[str, str], line: str
) -> None:
    model = model_of(tmp_path, samples.blocked_loop())
    with pytest.raises(NotInTraceError) as error:
        answer(model, **asked)
    assert str(error.value) == line


def test_paragraph_of_a_blocked_loop(tmp_path: Path) -> None:
    problem = answer(model_of(tmp_path, samples.blocked_loop())).problems[0]
    assert paragraph(problem) == (
        "`ticker` (`tick`) became ready at 11.0 ms and ran 31.2 ms later. For 28.0 ms of that "
        "the loop ran `handler` (blocked_loop.py:14); for 2.00 ms the garbage collector ran "
        "(gen 2, inside `handler` (blocked_loop.py:14)); other: 1.20 ms."
    )


def test_paragraph_of_the_issue(tmp_path: Path) -> None:
    """The loop computes, waits for the GIL and collects while a task is ready."""
    trace = TraceBuilder(signals="tasks,threads,gc,gil,locks,io,cpu")
    main, hog = trace.thread("MainThread"), trace.thread("compress")
    loop = trace.loop(main)
    report = loop.task("report", site="/app/report.py:42 report")
    fetch = loop.task("fetch", name="Task-812", site="/app/fetch.py:7 fetch")
    report.ready(0).running(0)
    main.running(0)
    fetch.ready(10 * MS, by=report)
    main.gil_wait(160 * MS, holder=hog)
    hog.running(160 * MS).end(190 * MS)
    main.running(190 * MS)
    report.done(190 * MS)
    loop.step(report, 0, 190 * MS)
    loop.callback("sweep", "/app/sweep.py:3 sweep", 190 * MS, 210 * MS)
    trace.gc(190 * MS, 210 * MS, main.tid, 2)
    main.gc(190 * MS, 210 * MS, 2)
    loop.select(212 * MS, 213 * MS)
    fetch.running(213 * MS).done(214 * MS)
    loop.step(fetch, 213 * MS, 214 * MS)
    main.end(214 * MS)
    stack = (
        ("report", "/app/report.py", 50),
        ("dumps", "/usr/lib/python3.13/json/__init__.py", 9),
    )
    SampleBuilder(trace).add(main, 50 * MS, *stack, times=14).add(main, 51 * MS, stack[0])
    model = model_of(tmp_path, trace.ended(214 * MS))
    (problem,) = answer(model, task="fetch").problems
    assert paragraph(problem) == (
        "`fetch` #812 became ready at 10.0 ms and ran 203 ms later. For 180 ms of that the "
        "loop ran `report` (report.py:42), which spent 150 ms computing in `json.dumps` "
        "(json/__init__.py:9, 14 of 15 CPU samples) and 30.0 ms waiting for the GIL held by "
        "thread `compress`; for 20.0 ms the garbage collector ran (gen 2, inside `sweep` "
        "(sweep.py:3)); other: 3.00 ms."
    )
    adds_up(problem.worst.causes, 203 * MS)


def test_a_collection_that_was_called_for(tmp_path: Path) -> None:
    trace = TraceBuilder(signals="tasks,gc,gil")
    main = trace.thread("MainThread").running(0)
    loop = trace.loop(main)
    fetch = loop.task("fetch", site="/app/fetch.py:7 fetch")
    fetch.ready(10 * MS)
    loop.callback("sweep", "/app/sweep.py:3 sweep", 10 * MS, 210 * MS)
    trace.gc(110 * MS, 210 * MS, main.tid, 2, called_at="/app/sweep.py:4 sweep")
    loop.step(fetch, 210 * MS, 214 * MS)
    fetch.running(210 * MS).done(214 * MS)
    main.end(214 * MS)
    (problem,) = answer(model_of(tmp_path, trace.ended(214 * MS)), task="fetch").problems
    assert "gen 2, `gc.collect()` called at sweep.py:4" in paragraph(problem)
    adds_up(problem.worst.causes, 200 * MS)


def test_what_a_stack_tells() -> None:
    """The program's own part and what it called; of what a loop ran nothing around it."""
    library = "/usr/lib/python3.13"
    own, main = Place("view", "/app/web.py", 9), Place("<module>", "/app/web.py", 30)
    dumps = Place("json.dumps", f"{library}/json/__init__.py", 2)
    handle = Place("asyncio.events.Handle._run", f"{library}/asyncio/events.py", 89)
    serve = Place("serve", f"{library}/site-packages/web/app.py", 7)
    run = Place("asyncio.runners.run", f"{library}/asyncio/runners.py", 194)
    assert telling((dumps, dumps, own, serve, handle, run, main)) == (own, dumps)
    assert telling((dumps, serve, handle, run, main)) == (serve, dumps)
    assert telling((handle, run, main)) == (handle,)
    assert telling((dumps, main)) == (main, dumps)


def test_paragraph_of_a_convoy(tmp_path: Path) -> None:
    problem = answer(model_of(tmp_path, samples.lock_convoy())).problems[0]
    assert paragraph(problem) == (
        "Thread `worker-1` waited 99.5 ms for a `Lock` (convoy.py:12), starting at 1.50 ms. "
        "For all of that time `flush` held it (acquired at convoy.py:30) while asleep "
        "(convoy.py:31). There are 2 similar waits, 207 ms summed over all 3."
    )


def test_paragraph_of_tasks_that_take_turns(tmp_path: Path) -> None:
    """Owners of an asyncio lock are tasks; one of them was ready behind a task that slept."""
    trace = TraceBuilder(signals="tasks,threads,gc,gil,locks,io")
    main = trace.thread("MainThread")
    loop = trace.loop(main)
    site = "/app/web.py:9 serve"
    lock = trace.lock("asyncio.Lock", site)
    first, second, third, last = (loop.task("serve", site=site) for _ in range(4))
    sleeper = loop.task("block", site="/app/web.py:20 block")

    def step(task, start, end):
        task.ready(start).running(start)
        loop.step(task, start, end)

    main.running(0)
    step(first, 0, MS)
    first.awaits(MS, "sleep", site="/app/web.py:10 serve")
    step(last, MS, 2 * MS)
    last.awaits(
        2 * MS, "Lock", lock=lock.id, site=site,
        owner_task=first.id, owner_name=first.name, owner_site=site,
    )  # fmt: skip
    step(sleeper, 3 * MS, 83 * MS)
    main.sleep(3 * MS, site="/app/web.py:21 block").running(83 * MS)
    sleeper.done(83 * MS)
    first.ready(4 * MS, waker="timer").running(83 * MS).done(84 * MS)
    loop.step(first, 83 * MS, 84 * MS)
    lock.hold(0, 84 * MS, first, site)
    for n, task in enumerate((second, third)):
        step(task, (84 + n) * MS, (85 + n) * MS)
        lock.hold((84 + n) * MS, (85 + n) * MS, task, site)
        if task is third:
            last.ready(86 * MS, by=third)
        task.done((85 + n) * MS)
    last.running(86 * MS).done(87 * MS)
    loop.step(last, 86 * MS, 87 * MS)
    main.end(87 * MS)
    problem = answer(model_of(tmp_path, trace.ended(87 * MS)), task="serve").problems[0]
    assert paragraph(problem) == (
        "`serve` #4 awaited `Lock` (web.py:9) for 84.0 ms, starting at 2.00 ms. For all of "
        "that time 3 tasks `serve`, one after the other, held it (acquired at web.py:9), "
        "spending 79.0 ms ready but not running behind `block` (web.py:20), which was asleep "
        "(web.py:21)."
    )


def test_paragraph_of_a_result_that_is_waited_for(tmp_path: Path) -> None:
    problem = answer(model_of(tmp_path, samples.pool())).problems[0]
    assert paragraph(problem) == (
        "Thread `MainThread` waited in `Future.result` (pool.py:8) for 7.00 ms, starting at "
        "5.00 ms. For all of that time it waited for `pool_0`, which spent 5.00 ms in "
        "`socket.recv` (pool.py:3) and 2.00 ms computing."
    )


def test_holders_in_turn_end_a_sentence(tmp_path: Path) -> None:
    """`b`, for whom `a` waits, itself waits for a lock that three others have in turn."""
    trace = TraceBuilder(signals="tasks,threads,gc,gil,locks,io")
    a, b = (trace.thread(name).native(0) for name in "ab")
    one, two = (trace.lock("Lock", f"/app/x.py:{n} f") for n in (1, 2))
    one.hold(0, 300 * MS, b, site="/app/x.py:1 f")
    a.lock_wait(0, "Lock", lock=one, owner=b).native(300 * MS)
    others = [trace.thread(f"w-{n}").native(0) for n in range(3)]
    for n, other in enumerate(others):
        two.hold(n * 100 * MS, (n + 1) * 100 * MS, other)
    b.lock_wait(0, "Lock", lock=two, owner=others[0], site="/app/x.py:2 f").native(300 * MS)
    found = answer(model_of(tmp_path, trace.ended(900 * MS)), thread="a").problems[0]
    assert paragraph(found).endswith(
        "`b` held it (acquired at x.py:1) while waiting for a `Lock` (x.py:2) held by 3 "
        "threads `w-N`, one after the other."
    )


@pytest.mark.parametrize("shape", SHAPES)
def test_no_sentence_stumbles_and_no_path_repeats_a_step(shape: str, tmp_path: Path) -> None:
    model = model_of(tmp_path, SHAPES[shape](400))
    for problem in answer(model).problems:
        worst = problem.worst
        lines = [paragraph(problem), *tree(worst, 1_000), *path(worst, 1_000)]
        assert not [line for line in lines if re.search(r"``|,[,.;]", line)]
        steps = [(step.did, step.who, step.what, step.start_ns) for step in worst.path]
        assert len(set(steps)) == len(steps)
