"""What each profile of a hand-made trace says, exactly."""

import pytest

from tests.support.engines import ENGINES
from tests.support.models import model_of
from tests.support.stories.profiles import SERVE, waits
from tests.support.stories.waits import MS, profiled
from tracer import schema as s
from viewer.analysis.profiles.cpu import cpu_rows
from viewer.analysis.profiles.profile import Place, Sample, place_of, qualified, totals
from viewer.analysis.profiles.waits import PROFILES

LIBRARY = "/usr/lib/python3.13/threading.py"


def rows(profile):
    """(innermost function, count, ms, labels) of each sample."""
    return [
        (
            sample.frames[0].function,
            sample.values[0],
            sample.values[1] / MS,
            dict(sample.labels),
        )
        for sample in profile.samples
    ]


@pytest.mark.parametrize("engine", ENGINES)
def test_cpu(tmp_path, engine):
    """Samples by stack; the task that ran at the time is a label."""
    profile = PROFILES["cpu"](model_of(tmp_path, profiled(), engine))
    assert profile.types == (("samples", "count"), ("cpu", "nanoseconds"))
    assert profile.period == ("cpu", "nanoseconds", 10 * MS)
    worker = {"thread": "worker", "thread_id": 601}
    main = {"thread": "MainThread", "thread_id": 600}
    task = main | {"task": "server", "coroutine": "serve"}
    assert rows(profile) == [
        ("prog.work", 60, 600, worker),
        ("prog.save", 20, 200, main),
        ("text.parse", 10, 100, task),
        ("prog.work", 8, 80, worker),
        ("[lost samples]", 1, 10, worker),
        ("[no Python]", 1, 10, worker),
    ]
    parse = profile.samples[2].frames
    assert parse == (
        Place("text.parse", "/app/text.py", 5),
        Place("prog.serve", "/app/prog.py", 12),
        Place("prog.<module>", "/app/prog.py", 40),
    )


def test_task_labels_at_the_edges(tmp_path):
    """The step's begin belongs to the task, its end does not."""
    from tests.support.builder.samples import SampleBuilder
    from tests.support.builder.trace import TraceBuilder

    def story():
        trace = TraceBuilder()
        thread = trace.thread("MainThread")
        loop = trace.loop(thread)
        outer = loop.task("outer", name="o", site="a.py:1 outer").ready(0).running(10)
        inner = loop.task("inner", name="i", site="a.py:2 inner").running(20)
        trace.begin(loop.running, 10, "outer", "loop", task=outer.id)
        trace.begin(loop.running, 20, "inner", "loop", task=inner.id)
        inner.done(30)
        trace.end(loop.running, 30)
        outer.done(40)
        trace.end(loop.running, 40)
        samples = SampleBuilder(trace)
        for at in (9, 10, 19, 20, 29, 30, 39, 40):
            samples.add(thread, at, f"at {at}")
        return trace.ended(50)

    profile = PROFILES["cpu"](model_of(tmp_path, story()))
    found = {row[0].removeprefix("prog.at "): row[3].get("task") for row in rows(profile)}
    assert found == {
        "9": None, "10": "o", "19": "o", "20": "i",
        "29": "i", "30": "o", "39": "o", "40": None,
    }  # fmt: skip


def test_cpu_rows(tmp_path):
    """Own time and time with callees, the line that has most of it."""
    found = {row.function: row for row in cpu_rows(model_of(tmp_path, profiled()))}
    work = found["prog.work"]
    assert (work.file, work.line, work.self_ns, work.cumulative_ns) == (
        "/app/prog.py", 20, 680 * MS, 680 * MS,
    )  # fmt: skip
    top = found["prog.<module>"]
    assert (top.self_ns, top.cumulative_ns) == (0, 300 * MS)
    assert next(iter(found)) == "prog.work"
    assert found["threading.Thread.run"].cumulative_ns == 680 * MS


def test_recursion_counts_once():
    """A function below itself has the time once."""
    place, other = Place("f", "a.py", 1), Place("f", "a.py", 2)
    (row,) = totals([Sample((place, other, place), (3, 30))])
    assert (row.flat, row.cumulative, row.function.line) == (30, 30, 1)


LOCKED = (
    Place("pool.Pool.take", "/app/pool.py", 12),
    Place("serve.serve", "/app/serve.py", 30),
)
A = {"thread": "a", "thread_id": 700}
B = {"thread": "b", "thread_id": 701}


def test_block(tmp_path):
    """Waits for locks and queues by the waiter's stack, of tasks as well."""
    profile = PROFILES["block"](model_of(tmp_path, waits()))
    assert profile.types == (("contentions", "count"), ("delay", "nanoseconds"))
    assert profile.samples[0].frames == LOCKED
    assert rows(profile) == [
        ("pool.Pool.take", 2, 12, {"kind": "Lock"} | A),
        ("pool.Pool.acquire", 1, 4, {"kind": "asyncio.Lock", "coroutine": "client"}),
        ("serve.serve", 1, 2, {"kind": "Queue.get"} | A),
        ("serve.serve", 1, 1, {"kind": "RLock"} | B),
    ]


def test_mutex(tmp_path):
    """The same delay where the holder took the lock; queues have none."""
    profile = PROFILES["mutex"](model_of(tmp_path, waits()))
    assert rows(profile) == [
        ("hog.hog", 2, 12, {"kind": "Lock", "thread": "b"}),
        ("[unknown holder]", 1, 4, {"kind": "asyncio.Lock"}),
        ("[unknown holder]", 1, 1, {"kind": "RLock"}),
    ]
    assert profile.samples[0].frames == (Place("hog.hog", "/app/hog.py", 4),)


def test_mutex_moment_by_moment(tmp_path):
    """A wait is charged to all who had the lock in it, by their stacks: the line that took it,
    inside the callers its release showed. Until who it was granted to has run, it is his."""
    from tests.support.builder.trace import TraceBuilder

    def story():
        trace = TraceBuilder(signals="tasks,gc,locks")
        a, b, c = (trace.thread(name) for name in "abc")
        lock = trace.lock("Lock", "/app/a.py:9 take")
        taken, released = "/app/a.py:9 take", "/app/a.py:12 take\n/app/a.py:30 main"
        trace.begin(lock.track, 0, "a", s.CAT_HOLD, lock=lock.id, kind="Lock", owner=a.tid,
                    site=taken)  # fmt: skip
        trace.end(lock.track, 10 * MS).args = {"stack": released}
        lock.hold(14 * MS, 20 * MS, b, "/app/b.py:1 other")
        lock.hold(21 * MS, 30 * MS, c)
        for thread, start, end in ((b, 5, 11), (c, 6, 20), (a, 15, 33)):
            trace.begin(thread.track, start * MS, "lock wait: Lock", s.CAT_LOCK, lock=lock.id,
                        owner=a.tid, owner_site="?")  # fmt: skip
            trace.end(thread.track, end * MS).args = {"site": SERVE, "acquired": True}
        return trace.ended(40 * MS)

    profile = PROFILES["mutex"](model_of(tmp_path, story()))
    kind = {"kind": "Lock"}
    assert rows(profile) == [
        # c from 10, a from 15: until 20
        ("b.other", 1, 15, kind | {"thread": "b"}),
        # a from 20 until 30
        ("[unknown holder]", 0, 10, kind | {"thread": "c"}),
        # b from 5, c from 6: until 10
        ("a.take", 2, 9, kind | {"thread": "a"}),
        # b after 10, a after 30
        ("[lock was free]", 0, 4, kind),
    ]
    assert profile.samples[2].frames == (
        Place("a.take", "/app/a.py", 9),
        Place("a.main", "/app/a.py", 30),
    )


def test_stacks_of_tasks(tmp_path):
    """Who made a task ready, without the loop around him; where it awaits, from the inside."""
    from tests.support.builder.trace import TraceBuilder

    loop_file = "/usr/lib/python3.13/asyncio/base_events.py"
    noting = (
        "/usr/lib/python3.13/asyncio/events.py:45 Handle.__init__\n"
        f"{loop_file}:853 BaseEventLoop._call_soon\n{loop_file}:833 BaseEventLoop.call_soon"
    )
    around = (
        "/usr/lib/python3.13/asyncio/events.py:89 Handle._run\n"
        f"{loop_file}:9 BaseEventLoop.run_forever\n/app/main.py:90 <module>"
    )
    setting = "/app/main.py:7 give\n/app/main.py:20 giver"

    def story():
        trace = TraceBuilder()
        main = trace.thread("MainThread")
        loop = trace.loop(main)
        giver = loop.task("giver", site="/app/main.py:19 giver").ready(0).running(1 * MS)
        waiter = loop.task("waiter", site="/app/main.py:30 waiter").ready(2 * MS)
        waiter.running(2 * MS)
        get = "/usr/lib/python3.13/asyncio/queues.py:186 Queue.get\n/app/main.py:31 waiter"
        waiter.awaits(3 * MS, "Queue.get", site="/app/main.py:31 waiter", stack=get)
        waiter.ready(5 * MS, by=giver, stack=f"{noting}\n{setting}\n{around}")
        waiter.running(9 * MS).awaits(10 * MS, "sleep", site="/app/main.py:32 waiter")
        waiter.ready(11 * MS, waker="timer", stack=f"{noting}\n{around}").running(13 * MS)
        return trace.ended(20 * MS)

    model = model_of(tmp_path, story())
    found = {
        sample.values[1] / MS: sample.frames for sample in PROFILES["sched"](model).samples
    }
    assert found[4] == (
        Place("main.give", "/app/main.py", 7),
        Place("main.giver", "/app/main.py", 20),
    )
    assert found[2] == (Place("[timer]"),)
    (waited,) = PROFILES["block"](model).samples
    assert waited.frames == (
        Place("asyncio.queues.Queue.get", "/usr/lib/python3.13/asyncio/queues.py", 186),
        Place("main.waiter", "/app/main.py", 31),
    )


def test_io(tmp_path):
    """Blocking calls, and tasks that wait for the network."""
    assert rows(PROFILES["io"](model_of(tmp_path, waits()))) == [
        ("client.client", 1, 10, {"kind": "asyncio.socket", "coroutine": "client"}),
        ("serve.serve", 1, 1, {"call": "socket.recv"} | A),
    ]


def test_wall(tmp_path):
    """Waits of threads with their state; a wait without stack is named after itself."""
    profile = PROFILES["wall"](model_of(tmp_path, waits()))
    assert profile.types == (("samples", "count"), ("wall", "nanoseconds"))
    assert sorted((name, ms, labels["state"]) for name, _, ms, labels in rows(profile)) == [
        ("[GIL wait]", 1, "gil"),
        ("pool.Pool.take", 12, "lock"),
        ("serve.serve", 1, "io"),
        ("serve.serve", 1, "lock"),
        ("serve.serve", 2, "lock"),
        ("serve.serve", 3, "sleep"),
    ]
    running = PROFILES["wall"](model_of(tmp_path, profiled()))
    assert {dict(sample.labels)["state"] for sample in running.samples} == {"running"}
    assert running.total == 1000 * MS


def test_wall_counts_no_moment_twice(tmp_path):
    """A sample inside a wait is part of it; what the kernel makes wait has its name."""
    from tests.support.builder.samples import SampleBuilder
    from tests.support.builder.trace import TraceBuilder

    def story():
        trace = TraceBuilder(signals="gil,io,sched,cpu")
        thread = trace.thread("a")
        for at, name, category in (
            (0, "running", s.CAT_THREAD),
            (10, "io: os.read", s.CAT_IO),
            (30, "running", s.CAT_THREAD),
            (40, "preempted", s.CAT_THREAD),
            (47, "native", s.CAT_THREAD),
            (50, "off cpu", s.CAT_THREAD),
        ):
            if at:
                trace.end(thread.track, at * MS)
            trace.begin(thread.track, at * MS, name, category)
        trace.end(thread.track, 55 * MS)
        samples = SampleBuilder(trace)
        for at in (9, 10, 29, 30, 48):
            samples.add(thread, at * MS, f"at {at}")
        return trace.ended(60 * MS)

    profile = PROFILES["wall"](model_of(tmp_path, story()))
    assert sorted((name, ms, labels["state"]) for name, _, ms, labels in rows(profile)) == [
        ("[io: os.read]", 20, "io"),
        ("[off cpu]", 5, "off cpu"),
        ("[preempted]", 7, "preempted"),
        ("prog.at 30", 10, "running"),
        ("prog.at 48", 10, "running"),
        ("prog.at 9", 10, "running"),
    ]
    assert profile.comments == ("not recorded: waits for locks",)


def test_gc(tmp_path):
    """Pauses by generation."""
    assert rows(PROFILES["gc"](model_of(tmp_path, waits()))) == [
        ("GC gen2", 1, 4, B | {"generation": 2})
    ]


def test_sched(tmp_path):
    """Time ready and not running, by who made the task ready."""
    profile = PROFILES["sched"](model_of(tmp_path, waits()))
    client, server = {"coroutine": "client"}, {"task": "server", "coroutine": "serve"}
    assert rows(profile) == [
        # by the server, through a callback
        ("Future.set_result", 1, 2, client | {"site": "serve.py:9"}),
        ("serve.serve", 1, 2, server),  # yielded
        ("[timer]", 1, 1, server),
        ("serve.serve", 1, 1, client),  # created by the server
        ("[io]", 1, 0, client),
        ("[outside any task]", 1, 0, server),
    ]
    assert profile.samples[0].frames[1] == Place("serve.serve", "/app/serve.py", 9)


@pytest.mark.parametrize(
    ("function", "path", "name"),
    [
        ("f", "/app/prog.py", "prog.f"),
        ("Thread.run", LIBRARY, "threading.Thread.run"),
        ("run", "/usr/lib/python3.12/asyncio/runners.py", "asyncio.runners.run"),
        ("g", "/v/lib/python3.12/site-packages/pkg/__init__.py", "pkg.g"),
        ("<module>", "<string>", "<module>"),
        ("f", "<frozen runpy>", "f"),
        ("[no Python]", "", "[no Python]"),
    ],
)
def test_qualified(function, path, name):
    """The module, as far as the path shows it."""
    assert qualified(function, path) == name


@pytest.mark.parametrize(
    ("site", "place"),
    [
        ("/a b/c.py:12 f", Place("c.f", "/a b/c.py", 12)),
        ("<string>:1 <module>", Place("<module>", "<string>", 1)),
        ("socket.recv", Place("socket.recv")),
        ("a.py:3", Place("a.py:3")),
        ("", Place("")),
    ],
)
def test_place_of(site, place):
    """A site taken apart; spaces may be in file names."""
    assert place_of(site) == place
