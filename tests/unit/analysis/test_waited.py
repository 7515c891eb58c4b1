"""What the name of a wait says about who ends it."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.models import model_of
from tests.support.scene import Scene, told
from tests.support.stories.waits import MS
from tracer import schema as s
from tracer.signals import libraries
from viewer.analysis.locks import lock_rows
from viewer.analysis.profiles.waits import block_profile, io_profile
from viewer.analysis.waited import For, package_of, waited_for
from viewer.analysis.why.waits import What

APP = "/app/web.py:6 report"


@pytest.mark.parametrize(
    ("name", "package", "who"),
    [
        ("connection pool (asyncpg)", "asyncpg", For.POOL),
        ("query (asyncpg)", "asyncpg", For.OUTSIDE),
        ("request (aiohttp)", "aiohttp", For.CALLERS),
        ("executor (asgiref)", "asgiref", For.HERE),
        ("executor", "", For.HERE),
        ("socket", "", For.OUTSIDE),
        ("subprocess", "", For.CHILD),
        ("sleep", "", For.CLOCK),
        ("sleep_forever", "", For.CLOCK),
        ("signal", "", For.OUTSIDE),
        ("BlockingPortal", "", For.CALLERS),
        ("nursery", "", For.HERE),
        ("Queue.get", "", For.HERE),
        ("task query (asyncpg)", "asyncpg", For.HERE),
    ],
)
def test_who_ends_a_wait(name, package, who):
    assert (package_of(name), waited_for(name)) == (package, who)


def test_the_contract_has_every_kind_of_wait_in_libraries():
    known = {s.LIBRARY_POOL, *s.LIBRARY_INSIDE, *s.LIBRARY_OUTSIDE, *s.LIBRARY_CALLERS}
    assert {what for waits in libraries.WAITS.values() for what in waits} == known


def service(what, **args):
    """A task that awaits something for 300 ms."""
    trace = TraceBuilder(signals="tasks,locks")
    task = trace.loop(trace.thread("MainThread")).task("report", site=APP).ready(0).running(1)
    task.awaits(2, what, site=APP, **args).ready(300 * MS).running(301 * MS).done(302 * MS)
    return trace.ended(400 * MS)


def test_a_pool_is_contention_and_a_query_is_not(tmp_path):
    model = model_of(tmp_path, service("connection pool (asyncpg)", lock=7, slots=2))
    (waited,) = block_profile(model).samples
    assert dict(waited.labels)["kind"] == "connection pool (asyncpg)"
    assert list(io_profile(model).samples) == []
    model = model_of(tmp_path, service("query (asyncpg)"))
    assert list(block_profile(model).samples) == []
    (called,) = io_profile(model).samples
    assert dict(called.labels)["kind"] == "query (asyncpg)"


def test_a_pools_row_among_the_locks_has_its_name(tmp_path):
    model = model_of(tmp_path, service("connection pool (asyncpg)", lock=7, slots=2))
    assert [row.kind for row in lock_rows(model)] == ["connection pool (asyncpg)"]


def test_why_leads_with_a_threads_wait_for_a_pool(tmp_path):
    scene = Scene()
    worker = scene.thread("worker")
    worker.lock_wait(0, "connection pool (urllib3)", lock=7, site=APP).native(300 * MS)
    assert told(scene.problems(tmp_path)) == [
        (What.IDLE, "worker", "connection pool (urllib3)")
    ]


def test_why_does_not_ask_who_calls_a_service(tmp_path):
    """A connection that waits for the client's next request has nothing to do."""
    scene = Scene()
    task = scene.loop().task("serve", site=APP).ready(0).running(1)
    task.awaits(2, "request (aiohttp)", site=APP).ready(300 * MS, waker="io")
    task.running(300 * MS + 1).done(300 * MS + 2)
    assert scene.problems(tmp_path) == []
