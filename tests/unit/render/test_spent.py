"""What the first screen and the JSON say of the time where no finding does."""

import json

import pytest

from tests.support.builder.samples import SampleBuilder
from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS
from tests.support.models import model_of
from tracer import schema as s
from viewer.analysis.report import build_report
from viewer.analysis.tasks import By
from viewer.render.json.report import render_json
from viewer.render.text.overview import overview
from viewer.render.text.tables import Style


def first_screen(tmp_path, trace):
    made = build_report(model_of(tmp_path, trace), By.CORO)
    return overview(made, Style(100, base=str(tmp_path)))


@pytest.mark.parametrize("what", ["os.fsync", "poll", "select.epoll.poll"])
def test_what_the_time_went_to(tmp_path, what):
    """It is said where no finding tells it, and not of a program that waits for clients: the
    `poll` of a C library, such as libpq, waits for an answer."""
    trace = TraceBuilder(argv="keep.py", signals=SIGNALS)
    trace.thread("MainThread").running(0).io(
        50 * MS, what, site=f"{tmp_path}/keep.py:9 store"
    ).running(200 * MS).end(200 * MS)
    screen = " ".join(first_screen(tmp_path, trace.ended(300 * MS)).split())
    said = (
        "Of the 200 ms until the program's end, 75 % went to `MainThread` in `store` "
        f"(keep.py:9), in `{what}` once; 25 % to computing. All waits"
    )
    assert (said in screen) == (what != "select.epoll.poll")


def test_a_time_of_many_sleeps(tmp_path):
    """How often, how long each, and whether anybody did something meanwhile; what the kernel
    took is left out."""
    trace = TraceBuilder(argv="keep.py", signals=SIGNALS)
    main = trace.thread("MainThread").preempted(0).running(100 * MS)
    trace.thread("idle").native(0).sleep(MS).native(599 * MS)
    for n in range(4):
        start = (100 + 100 * n) * MS
        main.running(start).sleep(start + 5 * MS, site=f"{tmp_path}/keep.py:9 wait")
    main.running(500 * MS).end(500 * MS)
    screen = " ".join(first_screen(tmp_path, trace.ended(600 * MS)).split())
    assert (
        "Of the 500 ms until the program's end, 100 ms were off the CPU. Of the rest, 95 % "
        "went to `MainThread` in `wait` (keep.py:9), asleep 4 times, mostly for 95.0 ms, "
        "while hardly any other thread computed. A wait that another thread ended counts as "
        "what that one did meanwhile."
    ) in screen


def test_a_time_of_one_long_call_among_many(tmp_path):
    trace = TraceBuilder(argv="keep.py", signals=SIGNALS)
    main = trace.thread("MainThread").running(0)
    for n in range(9):
        main.io(n * 2 * MS, "socket.send", site=f"{tmp_path}/keep.py:9 tell")
        main.running((n * 2 + 1) * MS)
    main.io(20 * MS, "socket.send", site=f"{tmp_path}/keep.py:9 tell").running(920 * MS)
    main.end(930 * MS)
    screen = " ".join(first_screen(tmp_path, trace.ended(950 * MS)).split())
    assert "in `tell` (keep.py:9), in `socket.send` 10 times, one of them for 900 ms" in screen


def test_a_few_long_calls_among_many_short_ones(tmp_path):
    """What most of them take would not make up the time."""
    trace = TraceBuilder(argv="keep.py", signals=SIGNALS)
    main, site = trace.thread("MainThread").running(0), f"{tmp_path}/keep.py:9 ask"
    for n, ns in enumerate([MS] * 9 + [150 * MS] * 6):
        start = n * MS + max(n - 9, 0) * 150 * MS
        main.io(start, "socket.recv", site=site).running(start + ns)
    main.end(start + 200 * MS)
    screen = " ".join(first_screen(tmp_path, trace.ended(start + 201 * MS)).split())
    assert "in `ask` (keep.py:9), in `socket.recv` 15 times, for 60.6 ms on average" in screen


def test_what_the_time_went_to_as_json(tmp_path):
    trace = TraceBuilder(argv="keep.py", signals=SIGNALS)
    main = trace.thread("MainThread").running(0)
    main.io(50 * MS, "os.fsync", site="/app/keep.py:9 store").running(200 * MS).end(200 * MS)
    made = build_report(model_of(tmp_path, trace.ended(300 * MS)), By.CORO)
    first, second = json.loads(render_json(made, ("findings",)))["spent"]
    assert first == {
        "ns": 150 * MS,
        "did": "in",
        "call": "os.fsync",
        "site": "/app/keep.py:9 store",
        "count": 1,
        "usual_ns": 150 * MS,
        "longest_ns": 150 * MS,
        "who": "MainThread",
        "children": [],
        "sampled": "",
        "samples": 0,
        "of_samples": 0,
    }
    assert (second["ns"], second["did"], second["count"]) == (50 * MS, "computing", 0)


@pytest.mark.parametrize(
    ("elsewhere", "where"), [(8, " (60 % of 20 CPU samples in `work`, keep.py:7)"), (11, "")]
)
def test_where_it_computed(tmp_path, elsewhere, where):
    """The program's own function, also below a library's, if half of the samples are in it."""
    trace = TraceBuilder(argv="keep.py", signals=SIGNALS)
    main = trace.thread("MainThread").running(0).end(300 * MS)
    own, other = ("work", f"{tmp_path}/keep.py", 7), ("more", f"{tmp_path}/keep.py", 3)
    taken = SampleBuilder(trace)
    library = ("read", "/usr/lib/python3.13/site-packages/x.py", 1)
    taken.add(main, 10 * MS, other, own, library, times=20 - elsewhere)
    taken.add(main, 20 * MS, other, times=elsewhere // 2)
    taken.add(main, 30 * MS, library, times=elsewhere - elsewhere // 2)
    screen = " ".join(first_screen(tmp_path, trace.ended(310 * MS)).split())
    assert f"until the program's end, 100 % went to computing{where}. " in screen


def test_the_child_that_was_waited_for(tmp_path):
    trace = TraceBuilder(argv="keep.py", signals=SIGNALS)
    main = trace.thread("MainThread").native(0)
    main.spawn(MS, 7, "ffmpeg -i film.mkv", f"{tmp_path}/keep.py:3 convert")
    main.io(10 * MS, "os.waitpid", site=f"{tmp_path}/keep.py:3 convert").native(200 * MS)
    trace.instant(main.track, 200 * MS, s.CHILD_ENDED, s.CAT_THREAD, child=7, status=0)
    main.end(200 * MS)
    screen = " ".join(first_screen(tmp_path, trace.ended(210 * MS)).split())
    assert (
        "95 % went to `MainThread` in `convert` (keep.py:3), in `os.waitpid` once, for the "
        "end of `ffmpeg -i film.mkv`. "
    ) in screen


def test_calls_that_were_mostly_no_part_of_it(tmp_path):
    """What a call took as a rule is not said where the end waited for a part of it only: the
    numbers would not fit together. A call without a line of the program has its thread."""
    trace = TraceBuilder(argv="keep.py", signals=SIGNALS)
    main, worker = trace.thread("MainThread").running(0), trace.thread("worker").native(0)
    joined = trace.lock("Thread.join", "/app/keep.py:7 main")
    for n in range(2):
        start = n * 200 * MS
        main.running(start + MS).sleep(start + 2 * MS, site=f"{tmp_path}/keep.py:9 wait")
        worker.io(start + 2 * MS, "os.read")
        main.lock_wait(start + 150 * MS, "Thread.join", lock=joined, owner=worker)
        worker.native(start + 180 * MS).release(start + 180 * MS, joined, to=main)
        main.running(start + 180 * MS)
    worker.end(390 * MS)
    main.end(400 * MS)
    screen = " ".join(first_screen(tmp_path, trace.ended(410 * MS)).split())
    assert "asleep 2 times, mostly for 148 ms" in screen
    assert "15 % to `worker`, in `os.read` 2 times; 11 % to" in screen


@pytest.mark.parametrize(
    ("frame", "told"),
    [
        (("run", "<frozen importlib._bootstrap>", 488), "went to importing modules."),
        ((s.FRAME_FOREIGN, "", 0), "went to threads that run no Python code."),
    ],
)
def test_what_computed_beside_the_path(tmp_path, frame, told):
    trace = TraceBuilder(argv="busy.py", signals=SIGNALS)
    main = trace.thread("MainThread").running(0).sleep(MS).running(790 * MS)
    SampleBuilder(trace).add(main, MS, frame, times=12)
    main.end(799 * MS)
    screen = " ".join(first_screen(tmp_path, trace.ended(800 * MS)).split())
    assert f"Of 120 ms of CPU time (sampled), 120 ms {told}" in screen
