"""The threads and tasks of a moment in a hand-made trace, exactly."""

from pathlib import Path

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.engines import ENGINES
from tests.support.models import model_of
from tests.support.stories.moment import AT, MS, moment
from tracer import schema as s
from viewer.analysis.dump.entry import UNKNOWN, Dump, Entry, How, What
from viewer.analysis.dump.groups import groups
from viewer.analysis.dump.moment import dump
from viewer.analysis.dump.words import behind, created_by
from viewer.trace.engine import BEST, Engine


def dumped(tmp_path: Path, story: TraceBuilder, at_ns: int, engine: Engine = BEST) -> Dump:
    model = model_of(tmp_path, story, engine)
    return dump(model, model.start_ns + at_ns)


def of(found: Dump, name: str) -> Entry:
    (entry,) = (entry for entry in found.entries if entry.name == name)
    return entry


def lines(entry: Entry) -> list[str]:
    return [f"{place.function}:{place.line}" for place in entry.frames]


@pytest.mark.parametrize("engine", ENGINES)
def test_states(tmp_path: Path, engine: Engine) -> None:
    """Who is alive, in which state, for how long, with which stack."""
    found = dumped(tmp_path, moment(), AT, engine)
    told = {
        (entry.what.value, entry.name): (entry.state, found.age_ns(entry) // MS, lines(entry))
        for entry in found.entries
    }
    main = ["app.main:22", "asyncio.events.Handle._run:89", "app.<module>:90"]
    acquire = ["asyncio.locks.Lock.acquire:110", "app.fetch:12"]
    assert told == {
        ("thread", "MainThread"): ("io: socket.recv", 10, main),
        ("thread", "worker"): (
            "lock wait: Lock",
            90,
            ["app.work:50", "threading.Thread.run:992"],
        ),
        ("thread", "counts"): ("native", 95, ["prog.count:1"]),
        ("task", "busy"): ("io: socket.recv", 10, ["app.main:22"]),
        ("task", "h"): ("await task kid", 96, ["app.holder:10"]),
        ("task", "f0"): ("await Lock", 94, acquire),
        ("task", "f1"): ("await Lock", 93, acquire),
        ("task", "kid"): ("await future", 95, ["app.child:18"]),
        ("task", "late"): ("ready", 5, ["app.late:31"]),
        ("task", "new"): ("ready", 4, ["app.new:40"]),
        ("task", "polite"): ("ready", 91, []),
        ("task", "old"): ("await future", 100, []),
    }
    assert not found.remarks


def test_what_is_known_besides(tmp_path: Path) -> None:
    """Whom each waits for, who made it, on which thread it runs, and what is a guess."""
    found = dumped(tmp_path, moment(), AT)
    entries = found.entries
    fetch, holder, worker = of(found, "f0"), of(found, "h"), of(found, "worker")
    assert fetch.behind is not None
    assert fetch.behind.how is How.HOLDS
    assert entries[fetch.behind.index] is holder
    assert behind(found, fetch) == (
        'waits for task 2 "h" (holder), which holds it; '
        'waits for task 3 "kid" (child); that one: await future for 95.0 ms'
    )
    assert behind(found, worker) == (
        'waits for thread 102 "counts", which holds it; that one: native for 95.0 ms'
    )
    assert entries[of(found, "busy").runs_on] is of(found, "MainThread")
    assert of(found, "MainThread").is_loop
    assert not worker.is_loop
    assert of(found, "counts").sampled_ns == found.at_ns + 4 * MS
    assert [entry.name for entry in entries if entry.at_least] == ["old"]
    assert entries[fetch.creator] is of(found, "busy")
    made = created_by(fetch)
    assert made is not None
    assert (made.function, made.line) == ("app.main", 23)
    assert created_by(of(found, "kid")) == ("holder", "", 0)
    assert created_by(of(found, "old")) is None


def test_groups(tmp_path: Path) -> None:
    """Counted by identical stack; the largest first, then whoever has been so for longest."""
    made = groups(dumped(tmp_path, moment(), AT).entries)
    assert [(group.function, len(group.entries)) for group in made[:3]] == [
        ("fetch", 2),
        ("old", 1),
        ("holder", 1),
    ]
    assert [entry.name for entry in made[0].entries] == ["f0", "f1"]
    assert made[2].state == "await task"


def test_before_and_after(tmp_path: Path) -> None:
    """A thread that has exited and a task that is done are not there; open slices are, at the
    last moment."""
    story = moment()
    before = dumped(tmp_path, story, 2 * MS + 1)
    assert {entry.name for entry in before.entries} >= {"done", "old"}
    assert "f0" in {entry.name for entry in before.entries}
    last = dumped(tmp_path, story, 200 * MS)
    assert {entry.name for entry in last.entries} == {
        entry.name for entry in dumped(tmp_path, story, AT).entries
    }
    assert of(last, "old").state == "await future"


def test_circle(tmp_path: Path) -> None:
    """Two threads that wait for each other: the chain ends where it closes."""
    trace = TraceBuilder(signals="threads,gil,locks")
    a, b = trace.thread("a", 1), trace.thread("b", 2)
    one, two = trace.lock("Lock", "x.py:1 f"), trace.lock("Lock", "x.py:2 g")
    one.hold(10, 90, a)
    two.hold(10, 90, b)
    a.lock_wait(10, "Lock", lock=two, owner=b)
    b.lock_wait(10, "Lock", lock=one, owner=a)
    trace.ended(100)
    found = dumped(tmp_path, trace, 50)
    assert behind(found, of(found, "a")) == (
        'waits for thread 2 "b", which holds it; waits for thread 1 "a", which holds it; '
        "a circle: none of them can go on"
    )


def test_names_that_two_tasks_have(tmp_path: Path) -> None:
    """Which of them is awaited is unknown: the name is all there is."""
    trace = TraceBuilder()
    loop = trace.loop(trace.thread("MainThread"))
    for _ in range(2):
        loop.task("child", "kid", "a.py:1 child").awaits(0, "future")
    loop.task("main", "m", "a.py:2 main").awaits(0, "task kid")
    found = dumped(tmp_path, trace.ended(20), 10)
    told = of(found, "m").behind
    assert told is not None
    assert (told.name, told.index) == ("kid", -1)
    assert behind(found, of(found, "m")) == 'waits for task "kid"'


def test_what_was_not_recorded(tmp_path: Path) -> None:
    """Signals that were off, and dropped events, are said; what a thread did is unknown."""
    trace = TraceBuilder(signals="tasks,threads")
    thread = trace.thread("worker", 7)
    trace.instant(thread.track, 5, s.THREAD_STARTED, s.CAT_THREAD)
    trace.instant(
        trace.tracer, 60, s.EVENTS_DROPPED, s.CAT_TRACER,
        **{s.ARG_COUNT: 3, s.ARG_SINCE: trace.start_ns + 40},
    )  # fmt: skip
    found = dumped(tmp_path, trace.ended(100), 50)
    (entry,) = found.entries
    assert (entry.what, entry.state, entry.since_ns, entry.frames) == (
        What.THREAD, UNKNOWN, -1, (),
    )  # fmt: skip
    assert [remark.split()[0] for remark in found.remarks] == [
        "what", "waits", "blocking", "events",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("at_ns", "frames", "ago_ns"),
    [(20, [], None), (30, ["app.hang:3"], None), (80, ["app.hang:3"], 50)],
)
def test_a_thread_that_has_done_nothing(
    tmp_path: Path, at_ns: int, frames: list[str], ago_ns: int | None
) -> None:
    """Others have seen where it was: from then on that is shown, and when it was seen."""
    trace = TraceBuilder(signals="tasks,threads,gil")
    track = trace.thread("MainThread", 7).track
    trace.instant(track, 10, s.THREAD_STARTED, s.CAT_THREAD)
    where = {s.ARG_STACK: "/srv/app.py:3 hang"}
    trace.instant(track, 30, s.THREAD_STACK, s.CAT_THREAD, **where)
    found = dumped(tmp_path, trace.ended(100), at_ns)
    (entry,) = found.entries
    assert (entry.state, lines(entry)) == (UNKNOWN, frames)
    assert entry.sampled_ns == (-1 if ago_ns is None else found.at_ns - ago_ns)


def test_a_call_in_pieces(tmp_path: Path) -> None:
    """It began with its first piece."""
    trace = TraceBuilder(signals="threads,gil,io")
    thread = trace.thread("t", 7)
    thread.io(10, "socket.recv").running(20).io(30, "sqlite3.execute").running(40)
    thread.io(50, "sqlite3.execute", continues=True).running(90)
    found = dumped(tmp_path, trace.ended(100), 60)
    assert found.age_ns(of(found, "t")) == 30


def test_a_main_greenlet(tmp_path: Path) -> None:
    """It is no function, so it has no place; what a library created has nobody to name."""
    trace = TraceBuilder()
    loop = trace.loop(trace.thread("MainThread"), s.TRACK_GREENLETS_PREFIX)
    made = "/usr/lib/python3.13/site-packages/gevent/hub.py:9 spawn"
    loop.task("main greenlet", "#1", "?:0 main greenlet").awaits(0, "wait")
    loop.task("work", "#2", "a.py:1 work").ready(0, stack=made)
    found = dumped(tmp_path, trace.ended(20), 10)
    assert of(found, "#1").site == ""
    assert created_by(of(found, "#2")) is None
