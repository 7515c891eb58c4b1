"""Pools, queues and executors: who had the slots, who never came, who piles up."""

from pathlib import Path

import pytest

from tests.support.builder.trace import Loop, Task
from tests.support.explaining import answer
from tests.support.models import model_of
from tests.support.scene import Scene, told
from tests.support.stories.waits import MS
from tracer import schema as s
from viewer.analysis.causes.part import Kind
from viewer.analysis.why.waits import What
from viewer.analysis.why.worst import Problem
from viewer.render.text.why import paragraph


def test_awaits_that_tasks_of_one_coroutine_ended_are_alike(tmp_path: Path) -> None:
    """Slots that go round among tasks, though the first came from outside."""
    scene = Scene()
    loop = scene.loop()
    tasks = [loop.task("fetch", name=f"fetch {n}", site="/app/d.py:1 fetch") for n in range(4)]
    for n, task in enumerate(tasks):
        task.ready(n * MS).running(n * MS).awaits(
            n * MS + 1_000, "future", site="/app/d.py:2 f"
        )
        loop.step(task, n * MS, n * MS + 1_000)
    tasks[0].ready(100 * MS, waker="io")
    for n, task in enumerate(tasks):
        at = (n + 1) * 100 * MS
        task.running(at)
        loop.step(task, at, at + MS)
        if n + 1 < len(tasks):
            tasks[n + 1].ready(at + MS // 2, by=task)
        task.done(at + MS)
    found = scene.problems(tmp_path)[0]
    assert (found.worst.subject, found.count) == ("future", 4)


def two_that_await(subject: str) -> tuple[Scene, Loop, Task, Task]:
    """Tasks `first` and `second`; each awaits at its own line, since 1 and 2 ms."""
    scene = Scene()
    loop = scene.loop()
    first, second = (
        loop.task("fetch", name=name, site="/app/c.py:1 fetch") for name in ("first", "second")
    )
    for n, task in enumerate((first, second)):
        task.ready(0).running(n * MS)
        task.awaits((n + 1) * MS, subject, site=f"/app/c.py:{n + 2} fetch")
        loop.step(task, n * MS, (n + 1) * MS)
    return scene, loop, first, second


def connections(tmp_path: Path, gives: str) -> Problem:
    """An answer arrives for `first`; the callback also wakes `second`, by way of `gives`."""
    scene, loop, first, second = two_that_await("future")
    received = "/lib/aio.py:9 Protocol.data_received"
    loop.callback("data_received", "/lib/aio.py:8 data_received", 100 * MS, 102 * MS)
    first.ready(101 * MS, waker="io", stack=f"/lib/aio.py:7 Stream.feed\n{received}")
    stack = f"/lib/pool.py:5 Pool.{gives}\n/lib/aio.py:7 Stream.feed\n{received}"
    second.ready(101 * MS + 1_000, waker="io", stack=stack)
    for n, task in enumerate((first, second)):
        task.running((102 + n) * MS).done((103 + n) * MS)
        loop.step(task, (102 + n) * MS, (103 + n) * MS)
    found = answer(model_of(tmp_path, scene.trace.ended(200 * MS)), task="second")
    return found.problems[0]


def test_a_connection_that_a_task_gave_back_is_no_outside(tmp_path: Path) -> None:
    """What arrived was for the task that had the connection until then."""
    found = connections(tmp_path, "_release_waiter")
    assert [(c.kind, c.who) for c in found.worst.causes] == [(Kind.WAKER, "first")]
    assert "it waited for `first`, which was awaiting `future` (c.py:2)" in paragraph(found)
    assert [step.who for step in found.worst.path][:2] == ["second", "first"]


def test_two_who_read_the_same_both_wait_for_the_outside(tmp_path: Path) -> None:
    found = connections(tmp_path, "notify_readers")
    assert [(c.kind, c.who) for c in found.worst.causes] == [(Kind.IO, "")]


def test_who_waits_in_vain_waits_for_the_only_one_that_ever_comes(tmp_path: Path) -> None:
    """The consumer of a full queue puts into it itself: nobody else ever makes room."""
    scene = Scene()
    writer, producer = scene.thread("writer"), scene.thread("producer")
    queue = scene.trace.lock("Queue.put", "/app/log.py:9 put")
    producer.lock_wait(0, "Queue.put", lock=queue, site="/app/log.py:9 put")
    writer.release(MS, queue, to=producer)
    producer.native(MS)
    writer.lock_wait(2 * MS, "Queue.put", lock=queue, site="/app/log.py:4 write")
    producer.lock_wait(
        3 * MS, "Queue.put", lock=queue, site="/app/log.py:9 put", acquired=False
    ).native(503 * MS)
    model = model_of(tmp_path, scene.trace.ended(900 * MS))
    waits = answer(model).problems
    own, others = (found.worst for found in waits[:2])
    for found, who in ((own, "writer"), (others, "producer")):
        assert found.waiter.name == who
        assert [(c.kind, c.who, c.ns) for c in found.causes] == [
            (Kind.VAIN, "writer", found.wait.ns)
        ]
    assert [c.kind for c in own.causes[0].parts] == [Kind.CYCLE]
    assert [(c.kind, c.who) for c in others.causes[0].parts] == [(Kind.IDLE_WAIT, "Queue.put")]
    assert (
        "For all of that time it waited in vain for `writer`, the only one that ever ends "
        "such waits, which was waiting in `Queue.put` (log.py:4)."
    ) in paragraph(waits[1])
    assert [(str(step.did), step.who) for step in others.path] == [
        ("waited", "producer"),
        ("waited", "writer"),
        ("cycle", "writer"),
    ]


def test_who_waits_in_vain_for_any_of_several_waits_for_nobody(tmp_path: Path) -> None:
    """Two have ended such waits before: neither is to blame."""
    scene = Scene()
    a, b, waiter = (scene.thread(name) for name in ("a", "b", "waiter"))
    queue = scene.trace.lock("Queue.get", "/app/q.py:9 get")
    for n, thread in enumerate((a, b)):
        waiter.lock_wait(n * 10 * MS, "Queue.get", lock=queue, site="/app/q.py:9 get")
        thread.release(n * 10 * MS + MS, queue, to=waiter)
        waiter.native(n * 10 * MS + MS)
    waiter.lock_wait(30 * MS, "Queue.get", lock=queue, site="/app/q.py:9 get", acquired=False)
    waiter.native(530 * MS)
    found = scene.problems(tmp_path)[0].worst
    assert [(c.kind, c.who) for c in found.causes] == [(Kind.TIMEOUT, "")]
    assert [str(step.did) for step in found.path] == ["waited", "timeout"]


@pytest.mark.parametrize(("queues", "leads"), [(30, True), (1, False)])
def test_executors_that_pile_up_lead(queues: int, leads: bool, tmp_path: Path) -> None:
    """One job each, then idle to the end. Workers of one pool are only idle."""
    scene = Scene()
    scene.main.sleep(0, site="/app/e.py:9 main").native(100 * MS)
    for n in range(30):
        at = n * 10 * MS
        worker = scene.trace.thread(f"lookup_{n}").native(at)
        queue, site = (
            100 + n % queues,
            "/lib/python3.13/concurrent/futures/thread.py:90 _worker",
        )
        worker.lock_wait(at + MS, "executor idle", lock=queue, site=site)
    found = scene.problems(tmp_path)
    assert told(found)[0] == (
        (What.IDLE, "lookup_0", "executor idle")
        if leads
        else (What.SLEEP, "MainThread", "sleep")
    )
    assert found[0].count == (30 if leads else 1)


@pytest.mark.parametrize(
    "call", ["sqlite3.Connection.execute", "multiprocessing.SemLock.__enter__", "fcntl.flock"]
)
def test_what_may_be_the_programs_own_is_unknown(tmp_path: Path, call: str) -> None:
    """Another connection of this very program may have the database locked, another of its
    processes the lock."""
    scene = Scene()
    scene.thread("writer").io(0, call, site="/app/db.py:3 save").native(500 * MS)
    found = scene.problems(tmp_path)[0].worst
    assert [c.kind for c in found.causes] == [Kind.UNKNOWN]
    assert [str(step.did) for step in found.path] == ["called", "unknown"]


@pytest.mark.parametrize(
    ("site", "ender"),
    [
        ("/lib/python3.13/site-packages/pool.py:3 release", "first"),
        ("/app/c.py:3 release", "release #3"),
    ],
)
def test_what_a_librarys_task_gives_back_its_creator_had(
    site: str, ender: str, tmp_path: Path
) -> None:
    """A task of the user's own is named itself."""
    scene, loop, first, second = two_that_await("Queue.get")
    first.ready(99 * MS, waker="io").running(100 * MS)
    helper = loop.task("release", site=site, parent=first.id).ready(101 * MS, by=first)
    first.awaits(102 * MS, "future", site="/app/c.py:4 fetch")
    loop.step(first, 100 * MS, 102 * MS)
    helper.running(102 * MS)
    second.ready(103 * MS, by=helper).running(104 * MS)
    helper.done(104 * MS)
    loop.step(helper, 102 * MS, 104 * MS)
    loop.step(second, 104 * MS, 105 * MS)
    second.done(105 * MS)
    model = model_of(tmp_path, scene.trace.ended(200 * MS))
    found = next(p.worst for p in answer(model, task="second").problems if p.worst.subject)
    assert [(c.kind, c.who) for c in found.causes] == [(Kind.WAKER, ender)]


def test_a_listener_that_is_cancelled_had_nothing_to_do(tmp_path: Path) -> None:
    """Nobody was to come: the request was answered."""
    scene = Scene()
    loop = scene.loop()
    server = loop.task("serve", site="/app/s.py:1 serve").ready(0).running(0)
    listener = loop.task("listen", site="/app/s.py:9 listen", parent=server.id)
    listener.ready(MS, by=server)
    server.awaits(2 * MS, "sleep", site="/app/s.py:2 serve")
    loop.step(server, 0, 2 * MS)
    listener.running(2 * MS).awaits(3 * MS, "Event", site="/app/s.py:10 listen")
    loop.step(listener, 2 * MS, 3 * MS)
    server.ready(500 * MS, waker="timer").running(500 * MS)
    listener.ready(501 * MS, by=server)
    server.done(502 * MS)
    loop.step(server, 500 * MS, 502 * MS)
    listener.running(502 * MS).done(503 * MS, s.CANCELLED)
    loop.step(listener, 502 * MS, 503 * MS)
    found = scene.problems(tmp_path, end=600 * MS)
    assert "Event" not in [problem.worst.subject for problem in found]


def kept_connection(tmp_path: Path, *, lives: bool = True) -> Problem:
    """`listen` asks with its connection and awaits an event behind that, or ends; `find` gets
    no connection and is cancelled."""
    scene = Scene()
    loop = scene.loop()
    listen = loop.task("listen", site="/app/web.py:9 listen").ready(0).running(0)
    listen.awaits(MS, "query (asyncpg)", site="/app/web.py:10 listen")
    loop.step(listen, 0, MS)
    listen.ready(2 * MS, waker="io").running(2 * MS)
    if lives:
        at = "/app/web.py:11 listen"
        listen.awaits(3 * MS, "Event", site=at, stack=at)
    else:
        listen.done(3 * MS)
    loop.step(listen, 2 * MS, 3 * MS)
    find = loop.task("find", site="/app/web.py:29 find").ready(3 * MS).running(4 * MS)
    find.awaits(5 * MS, "connection pool (asyncpg)", site="/app/web.py:30 find")
    loop.step(find, 4 * MS, 5 * MS)
    find.ready(905 * MS, waker="timer").running(905 * MS).done(906 * MS)
    loop.step(find, 905 * MS, 906 * MS)
    if lives:
        listen.ready(990 * MS, waker="io").running(990 * MS).done(991 * MS)
        loop.step(listen, 990 * MS, 991 * MS)
    problems = scene.problems(tmp_path)
    return next(one for one in problems if one.worst.subject.startswith("connection pool"))


def test_a_wait_in_vain_for_a_slot_is_for_who_had_one(tmp_path: Path) -> None:
    found = kept_connection(tmp_path)
    (cause,) = found.worst.causes
    assert (cause.kind, cause.ns) == (Kind.HOLDER, 900 * MS)
    assert [(part.kind, part.who, part.ns) for part in cause.parts] == [
        (Kind.AWAIT, "Event", 900 * MS)
    ]
    assert [step.what for step in found.worst.path[:2]] == [
        "await connection pool (asyncpg)", "await Event",
    ]  # fmt: skip
    assert "most likely held what it waited for, which was awaiting `Event`" in paragraph(
        found
    )


def test_who_had_ended_does_nothing_any_more(tmp_path: Path) -> None:
    found = kept_connection(tmp_path, lives=False)
    (cause,) = found.worst.causes
    assert (cause.kind, cause.parts) == (Kind.HOLDER, ())
    assert len(found.worst.path) == 2
