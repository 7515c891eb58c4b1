"""The first screen of a report: short, whatever the trace; what matters first."""

import io
import json
import re
from contextlib import chdir
from pathlib import Path

import pytest

from tests.support.builder.samples import SampleBuilder
from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, Service
from tests.support.models import model_of, trace_file
from tests.support.stories.waits import (
    THREAD_STORIES,
    blocked_loop,
    eager,
    killed,
    lanes,
    profiled,
)
from tracer import schema as s
from viewer.analysis.report import SECTIONS, build_report
from viewer.analysis.tasks import By
from viewer.commands.report import EVERY_SECTION, report
from viewer.render.json.report import render_json
from viewer.render.text.overview import overview
from viewer.render.text.report import render_text
from viewer.render.text.tables import Style
from viewer.trace.model import build_model
from viewer.trace.reader import read_trace
from viewer.trace.sites import via
from viewer.words import Named

_SCREEN = 24


def first_screen(tmp_path, trace, width=100):
    made = build_report(model_of(tmp_path, trace), By.CORO)
    return overview(made, Style(width, base=str(tmp_path)))


@pytest.mark.parametrize("width", [60, 80, 100])
@pytest.mark.parametrize("story", [blocked_loop, lanes, eager, killed, *THREAD_STORIES])
def test_fits(tmp_path, story, width):
    """No line is wider than the terminal, but commands to copy; 100 columns are one screen."""
    lines = first_screen(tmp_path, story(), width).splitlines()
    assert max(len(line) for line in lines if not line.startswith("  tracer ")) <= width
    assert width < 100 or len(lines) <= _SCREEN


@pytest.mark.parametrize("width", [60, 72])
@pytest.mark.parametrize("story", [blocked_loop, lanes, eager, profiled, *THREAD_STORIES])
def test_every_section_fits(tmp_path, story, width):
    """Tables, too, follow the terminal down to 60 columns."""
    made = build_report(model_of(tmp_path, story()), By.CORO)
    lines = render_text(made, SECTIONS, 10, Style(width, base=str(tmp_path))).splitlines()
    assert [line for line in lines if len(line) > width] == []


def test_a_long_story_is_one_screen(tmp_path):
    """Where findings and waits are many, fewer waits and sections are shown."""
    trace = TraceBuilder(argv="many.py", signals=SIGNALS)
    main = trace.thread("MainThread").native(0)
    loop = trace.loop(main)
    for n in range(6):
        name = f"a_rather_long_name_of_a_coroutine_function_{n}"
        waits = loop.task(name, site=f"/app/quite/long/paths/many{n}.py:10 {name}").ready(0)
        hog = loop.task(f"hog_{n}", site=f"/app/many.py:{n} hog")
        at = n * 300 * MS
        hog.ready(at).running(at).done(at + 200 * MS)
        loop.step(hog, at, at + 200 * MS)
        waits.running(at + 200 * MS).done(at + 201 * MS)
        loop.step(waits, at + 200 * MS, at + 201 * MS)
        other = trace.thread(f"worker {chr(65 + n)}").native(0)
        other.io(at, "socket.recv", site="/app/a.py:1 f").gil_wait(at + 100 * MS, main)
        other.native(at + 200 * MS).gc(at + 210 * MS, at + 220 * MS).end(at + 230 * MS)
    main.end(1_900 * MS)
    lines = first_screen(tmp_path, trace.ended(2_000 * MS)).splitlines()
    assert len(lines) <= _SCREEN
    assert lines[-1].startswith("  tracer view ")
    assert any("more (--section findings)" in line for line in lines)


def test_parts(tmp_path):
    """What and when, what is wrong, who waited, where to look."""
    what, findings, waits, look = first_screen(tmp_path, blocked_loop()).split("\n\n")
    assert "2023-11-14 22:13:21 to 22:13:21 UTC" in what
    assert findings.startswith("Findings")
    assert waits.startswith("Slowest waits")
    assert look.splitlines()[1].startswith("  tracer why ")


def test_sections_by_cost(tmp_path):
    """The section in which most time went comes first; one without any is left out."""
    trace = TraceBuilder(argv="cost.py", signals=SIGNALS)
    lock = trace.lock("Lock", "/app/cost.py:7 work")
    holder, waiter = trace.thread("holder").native(0), trace.thread("waiter").native(0)
    waiter.lock_wait(MS, "Lock", lock=lock, site="/app/cost.py:7 work", owner=holder)
    lock.hold(MS, 31 * MS, holder, "/app/cost.py:7 work")
    holder.release(31 * MS, lock, to=waiter)
    waiter.running(31 * MS).io(32 * MS, "socket.recv", site="/app/cost.py:9 work").end(42 * MS)
    holder.end(42 * MS)
    look = first_screen(tmp_path, trace.ended(43 * MS)).split("\n\n")[-1]
    sections = [line.split()[4] for line in look.splitlines() if "--section" in line]
    assert sections == ["locks", "io"]


def test_children_are_not_in_the_trace(tmp_path):
    """A program whose children did the work is neither called complete nor without fault."""
    trace = TraceBuilder(argv="reload.py", signals=SIGNALS)
    main = trace.thread("MainThread").running(0)
    main.spawn(MS, 7, "python manage.py", "/app/reload.py:3 run")
    work = "python3.13 -c from multiprocessing.spawn import spawn_main"
    main.spawn(MS, 8, work, "/app/reload.py:5 run")
    for n in range(8):
        main.fork(2 * MS, 20 + n, "/app/reload.py:9 pool")
    main.io(3 * MS, "os.waitpid", site="/app/reload.py:4 run").running(8 * MS).end(9 * MS)
    trace = trace.ended(10 * MS)
    said = first_screen(tmp_path, trace)
    assert (
        "! 10 child processes are not in this trace: 8 × forked at reload.py:9, `python "
        "manage.py` at\n    reload.py:3, multiprocessing (spawn) at reload.py:5." in said
    )
    assert "none of the known problems was found in this process; its children are" in said
    assert "`os.waitpid /app/reload.py:4` waited 5.00 ms for child processes." in said
    made = build_report(model_of(tmp_path, trace), By.CORO)
    told = render_text(made, ("findings", "health"), 9, Style(200))
    assert "10 child processes are not in this trace" in told
    assert "none of the known problems was found in this process" in told
    assert "complete" not in told
    rows = json.loads(render_json(made, ("health",)))["health"]["children"]
    assert [(row["how"], row["command"], row["count"], row["pids"]) for row in rows] == [
        ("spawn", "python manage.py", 1, [7]),
        ("spawn", work, 1, [8]),
        ("fork", "", 8, [*range(20, 28)]),
    ]


def test_a_line_that_imports_and_calls(tmp_path):
    """The call of such a line is not counted as part of its imports."""
    main_line, library = "/app/manage.py:9 main", "/v/lib/python3.13/site-packages/dj"
    imports = f"{library}/a.py:1 <module>\n<frozen importlib._bootstrap>:488 _load\n"
    trace = TraceBuilder(argv="manage.py", signals=SIGNALS)
    main = trace.thread("MainThread").native(0)
    for at in range(1, 8, 2):
        main.io(
            at * MS, "os.stat", site=f"{library}/a.py:1 <module>", stack=imports + main_line
        )
        main.native((at + 1) * MS)
    site = f"{library}/reload.py:5 restart"
    main.io(10 * MS, "os.waitpid", site=site, stack=f"{site}\n{main_line}")
    main.native(90 * MS).end(91 * MS)
    made = build_report(model_of(tmp_path, trace.ended(92 * MS)), By.CORO)
    assert [(row.callable, row.site, row.calls.count) for row in made.io] == [
        ("os.waitpid", main_line, 1),
        ("import machinery", "", 4),
    ]
    assert via(made.io[0].site) == "restart"


def test_recorded_children_are_in_the_trace(tmp_path):
    """A child whose own recording was appended to the file is not missing, and what Python
    starts for itself is nobody's child."""
    parent = TraceBuilder(argv="pool.py", signals=SIGNALS, pid=100)
    main = parent.thread("MainThread").running(0)
    main.fork(MS, 200, "/app/pool.py:9 pool")
    main.spawn(
        2 * MS, 300, "python -c from multiprocessing.resource_tracker import main", "a.py:1 f"
    )
    asks = "/usr/lib/python3.13/ctypes/util.py:297 _findSoname_ldconfig\n/app/pool.py:2 f"
    main.spawn(3 * MS, 400, "ldconfig", "/app/pool.py:2 f", stack=asks)
    main.end(9 * MS)
    child = TraceBuilder(argv="pool.py", signals=SIGNALS, pid=200)
    child.thread("MainThread").running(0).end(9 * MS)
    path = tmp_path / "both.pftrace"
    path.write_bytes(parent.ended(10 * MS).data() + child.ended(10 * MS).data())
    made = build_report(build_model(read_trace(path)), By.CORO)
    assert made.health.children == ()
    assert "Findings: none of the known problems was found." in overview(made, Style(100))


def test_what_is_too_short(tmp_path):
    """The first screen says which calls are not in the trace, if the trace knows."""
    trace = TraceBuilder(argv="short.py", signals=SIGNALS)
    trace.thread("MainThread").running(0).end(9 * MS)
    trace.events[0].args[s.ARG_THRESHOLD] = 20_000
    assert "calls under 20.0 µs" in first_screen(tmp_path, trace.ended(10 * MS))
    assert "calls under" not in first_screen(tmp_path, blocked_loop())


def test_a_hub_is_responsive(tmp_path):
    """gevent's users read of their hub."""
    trace = TraceBuilder(argv="web.py", signals="tasks")
    loop = trace.loop(trace.thread("MainThread"), s.TRACK_GREENLETS_PREFIX)
    loop.select(0, 200 * MS)
    loop.callback("tick", "/app/web.py:1 tick", 200 * MS, 201 * MS)
    said = first_screen(tmp_path, trace.ended(300 * MS))
    assert "The hub of `MainThread` was responsive" in said


def test_like_lines_are_one(tmp_path):
    """Two thousand loops have a line together; a repeated note is shown once."""
    trace = TraceBuilder(argv="loops.py", signals="tasks")
    for n in range(20):
        loop = trace.loop(trace.thread(f"worker-{n}"))
        loop.select(0, 200 * MS)
        loop.callback("tick", "/app/loops.py:1 tick", 200 * MS, 201 * MS)
        trace.instant(trace.tracer, MS, "note", "tracer", reason="the same")
    said = first_screen(tmp_path, trace.ended(300 * MS))
    assert "The 20 loops were responsive" in said
    assert said.count("note: the same") == 1


def test_sections_on_request(tmp_path):
    """`--section all` has every section; without it the text is the first screen."""
    path = tmp_path / "x.pftrace"
    path.write_bytes(blocked_loop().data())

    def said(section):
        out = io.StringIO()
        report(path, as_json=False, section=section, top=3, by="coro", out=out)
        return out.getvalue()

    assert "Where to look next" in said(None)
    assert "Where to look next" not in said(EVERY_SECTION)
    assert "Health" in said(EVERY_SECTION)


@pytest.mark.parametrize(
    ("where", "width", "short"),
    [
        ("app.py:3", 30, "356 × asyncio.Lock app.py:3"),
        ("site/psycopg/_asyncio.py:2271", 40, "356 × asyncio.Lock …/_asyncio.py:2271"),
        ("site/psycopg/_asyncio.py:2271", 46, "356 × asyncio.Lock …/psycopg/_asyncio.py:2271"),
        ("site/psycopg/_asyncio.py:2271", 32, "356 ×…ncio.Lock _asyncio.py:2271"),
        ("", 12, "356 …io.Lock"),
    ],
)
def test_names_are_cut_where_they_can_be_read(where, width, short):
    """Directories go first, then the middle of the name; never the file and line."""
    cell = Named("356 × asyncio.Lock", where)
    assert cell.fitted(width) == short
    assert len(short) <= width


def test_numbers_that_show_that_nothing_is_wrong(tmp_path):
    """How late tasks ran, and what was waited for the GIL and for locks."""
    trace = TraceBuilder(argv="calm.py", signals=SIGNALS)
    main, other = trace.thread("MainThread").running(0), trace.thread("other").native(0)
    loop, lock = trace.loop(main), trace.lock("Lock", "/app/calm.py:3 f")
    task = loop.task("serve", site="/app/calm.py:9 serve")
    task.ready(0).running(2 * MS).done(3 * MS)
    loop.step(task, 2 * MS, 3 * MS)
    lock.hold(3 * MS, 5 * MS, main, site="/app/calm.py:3 f")
    other.lock_wait(4 * MS, "Lock", lock=lock, owner=main, site="/app/calm.py:4 g")
    main.release(5 * MS, lock, to=other)
    other.gil_wait(5 * MS, holder=main)
    main.native(6 * MS)
    other.running(6 * MS).end(7 * MS)
    main.end(8 * MS)
    path = tmp_path / "calm.pftrace"
    path.write_bytes(trace.ended(9 * MS).data())
    told = overview(build_report(build_model(read_trace(path)), By.CORO), Style(200))
    assert (
        "99 % of all waits of tasks to run were shorter than 2.00 ms; all waits for the GIL "
        "took 1.00 ms; all waits for locks took 1.00 ms.\n"
    ) in told


@pytest.mark.parametrize(
    ("duration_ms", "samples", "is_told"),
    [(800, 12, True), (800, 9, False), (1600, 12, False)],
)
def test_where_a_program_without_findings_computed(tmp_path, duration_ms, samples, is_told):
    """Its most frequent function, where it computed for 100 ms and a tenth of its time."""
    trace = TraceBuilder(argv="busy.py", signals=SIGNALS)
    trace.thread("MainThread").native(0).end((duration_ms - 1) * MS)
    other = trace.thread("other").native(0)
    taken = SampleBuilder(trace)
    taken.add(other, MS, "main", ("parse", "/app/busy.py", 7), times=samples - 3)
    taken.add(other, 500 * MS, "main", times=3)
    other.end((duration_ms - 1) * MS)
    made = build_report(model_of(tmp_path, trace.ended(duration_ms * MS)), By.CORO)
    told = overview(made, Style(200))
    sentence = "Of 120 ms of CPU time (sampled), 90.0 ms went to `busy.parse` (app/busy.py:7)."
    assert (sentence in told) is is_told
    assert ("of CPU time (sampled)" in told) is is_told


def test_what_is_no_lock_and_no_call_of_the_program(tmp_path):
    """The end of a thread, and a loop that waits for something to do."""
    trace = TraceBuilder(argv="calm.py", signals=SIGNALS)
    main, other = trace.thread("MainThread").native(0), trace.thread("other").native(0)
    main.io(MS, "select.epoll.poll", site="/app/calm.py:9 main").native(5 * MS)
    main.io(5 * MS, "socket.recv", site="/app/calm.py:8 main").native(6 * MS)
    joined = trace.lock("Thread.join", "/app/calm.py:7 main")
    main.lock_wait(6 * MS, "Thread.join", lock=joined, owner=other, site="/app/calm.py:7 main")
    main.native(20 * MS)
    other.end(20 * MS)
    main.end(21 * MS)
    with chdir(tmp_path):  # how long the name of the folder is depends on the machine
        path = Path("calm.pftrace")
        path.write_bytes(trace.ended(22 * MS).data())
        told = overview(build_report(build_model(read_trace(path)), By.CORO), Style(200))
    assert "All waits for the GIL took 0; all waits for locks took 0." in told
    assert re.search(r"--section io +1.00 ms in blocking calls\n", told)
    assert "--section locks" not in told


def test_the_first_finding_is_whole(tmp_path):
    """Its last sentence says what to do; the others are cut."""
    path = tmp_path / "two.pftrace"
    service = Service(victims=20)
    path.write_bytes(service.blocks(3, 120 * MS).data())
    model = build_model(read_trace(path))
    made = build_report(model, By.CORO)
    (found,) = made.findings
    both = made._replace(findings=(found, found))
    told = overview(both, Style(60))
    assert " ".join(told.split()).count(found.text) == 1
    assert " …\n" in told


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (s.TRACK_LOOP_PREFIX, "the loop ran other `serve` tasks"),
        (s.TRACK_GREENLETS_PREFIX, "the hub ran other `serve` greenlets"),
        (s.TRACK_TRIO_PREFIX, "the loop ran other `serve` trio tasks"),
    ],
)
def test_what_ran_instead_has_the_words_of_its_loop(
    kind: str, said: str, tmp_path: Path
) -> None:
    """A second greenlet of a coroutine waits while the first one runs."""
    trace = TraceBuilder()
    loop = trace.loop(trace.thread("MainThread"), kind)
    first, second = (loop.task("serve", site="app.py:1") for _ in range(2))
    first.ready(0)
    second.ready(0)
    loop.step(first, 1000, 50_000_000)
    first.running(1000).done(50_000_000)
    loop.step(second, 50_000_000, 50_001_000)
    second.running(50_000_000).done(50_001_000)
    path = trace_file(tmp_path, trace.ended(60_000_000))
    told = overview(build_report(build_model(read_trace(path)), By.CORO), Style(200))
    assert said in told


def test_a_wait_behind_more_than_are_told_apart(tmp_path: Path) -> None:
    """Many coroutines, each behind all before it: none of them alone is the reason."""
    trace = TraceBuilder()
    loop = trace.loop(trace.thread("MainThread"))
    tasks = [loop.task(f"step_{n}", site=f"app.py:{n} step_{n}").ready(0) for n in range(600)]
    for n, task in enumerate(tasks):
        loop.step(task, n * MS, (n + 1) * MS)
        task.running(n * MS).done((n + 1) * MS)
    told = first_screen(tmp_path, trace.ended(601 * MS), width=200)
    assert "of that time the loop ran many others, each for a moment" in told
