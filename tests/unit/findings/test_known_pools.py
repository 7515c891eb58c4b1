"""Pools that are known by the function in which one waits for a slot."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds
from tracer import schema as s

LOAD = "/app/users.py:18 load_profile"
PEEWEE = "/venv/lib/python3.13/site-packages/playhouse/pool.py:96 PooledDatabase."


def asked_in_vain(function, threads=5, waits_ns=800 * MS):
    """Threads ask for a connection one after the other, and give up."""
    trace = TraceBuilder(argv="users.py", signals=SIGNALS)
    lock = trace.lock("Condition.wait", LOAD)
    for n in range(threads):
        thread, at = trace.thread(f"request-{n}").native(0), (n + 1) * 50 * MS
        thread.lock_wait(
            at, "Condition.wait", lock=lock, site=LOAD, acquired=False,
            stack=f"{PEEWEE}{function}\n{LOAD}",
        )  # fmt: skip
        thread.native(at + waits_ns).end(at + waits_ns + MS)
    return trace.ended((threads + 2) * 50 * MS + waits_ns)


@pytest.mark.parametrize("function", ["_connect", "connect"])
def test_peewees_pool(tmp_path, function):
    (found,) = find_in(tmp_path, asked_in_vain(function))
    assert found.finding == "slots never returned"
    assert found.text.startswith(
        "Slots never returned: 5 threads `request-N` waited for a connection of peewee's "
        f"pool in `load_profile` (users.py:18, via `PooledDatabase.{function}`) and gave up: "
        "5 waits, 4.00 s in total"
    )


def test_another_wait_of_peewees(tmp_path):
    assert kinds(tmp_path, asked_in_vain("close_idle")) == []


def test_short_waits_for_peewees_pool(tmp_path):
    assert kinds(tmp_path, asked_in_vain("connect", waits_ns=50 * MS)) == []


GEVENT = "/venv/lib/python3.13/site-packages/gevent/pool.py:392 Group.spawn"
SPAWN, UPLOAD = "/app/web.py:12 accept", "/app/web.py:8 upload"


def spawned(rounds=6, takes_ns=300 * MS, pools="Pool.spawn", taken_ns=0, fed_by=""):
    """One greenlet spawns others, two at a time: each that ends sets it free, and the next
    one begins. Meanwhile the kernel takes the processor from the thread for some time."""
    trace = TraceBuilder(argv="web.py", signals=SIGNALS)
    main = trace.thread("MainThread").native(0)
    loop = trace.loop(main, s.TRACK_GREENLETS_PREFIX)
    accept = loop.task("accept", site=SPAWN).ready(0).running(1)
    slots = trace.lock("Semaphore", SPAWN)
    stack = fed_by or f"{GEVENT.replace('Group.spawn', pools)}\n{SPAWN}"
    working, at = [], 10
    for n in range(rounds + 2):
        upload = loop.task("upload", site=UPLOAD, parent=accept.id)
        upload.ready(at, by=accept)
        working.append(upload)
        if n < 1:
            at += 5
            upload.running(at + 1).awaits(at + 2, "sleep", site=UPLOAD)
            continue
        accept.awaits(at + 3, "Semaphore", lock=slots.id, site=SPAWN, stack=stack)
        upload.running(at + 4).awaits(at + 5, "sleep", site=UPLOAD)
        if taken_ns:
            main.preempted(at + MS).native(at + MS + taken_ns)
        at += takes_ns // 2
        first = working.pop(0)
        first.ready(at, waker="timer").running(at + 1)
        accept.ready(at + 2, by=first)
        first.done(at + 3)
        accept.running(at + 4).awaits(at + 5, "sleep")
        at += 6 * MS
        accept.ready(at, waker="timer").running(at + 1)
        at += 2
    for task in (*working, accept):
        task.ready(at).running(at + 1).done(at + 2)
    main.end(at + MS)
    return trace.ended(at + 2 * MS)


@pytest.mark.parametrize(
    ("taken_ns", "found"), [(20 * MS, ["pool exhausted"]), (140 * MS, [])]
)
def test_what_the_kernel_took(tmp_path, taken_ns, found):
    """Nobody would have waited half a second, had the loop had its processor."""
    assert kinds(tmp_path, spawned(taken_ns=taken_ns)) == found


def test_gevents_pool(tmp_path):
    """Whoever spawns has no worker itself, and nobody has one before it begins."""
    (found,) = find_in(tmp_path, spawned())
    assert found.finding == "pool exhausted"
    assert "share 2 workers of gevent's pool" in found.text


MAP = "GroupMappingMixin.__map"


@pytest.mark.parametrize(
    "stack",
    [
        pytest.param(
            f"{GEVENT}\n/venv/lib/python3.13/site-packages/gevent/pool.py:165 {MAP}", id="map"
        ),
        pytest.param(GEVENT, id="imap, whose greenlet is compiled"),
    ],
)
def test_who_feeds_a_map_waits_for_nothing(tmp_path, stack):
    """Its caller waits for all results, of as many jobs as it likes."""
    assert kinds(tmp_path, spawned(fed_by=stack)) == []
