"""Which function of a library the user's code called at a line, if it called several."""

import pytest

from tests.support.builder.samples import SampleBuilder
from tests.support.builder.trace import TraceBuilder
from tests.support.models import model_of
from tracer import schema as s
from viewer.trace.sites import via

LINE = "/app/db.py:7 load"
POOL = "/usr/lib/python3.13/site-packages/asyncpg/pool.py"
ENTER, LEAVE = "PoolAcquireContext.__aenter__", "PoolAcquireContext.__aexit__"


def waits_in(tmp_path, *called):
    """A task that waits in each of these functions, which it calls at one line."""
    trace = TraceBuilder()
    task = trace.loop(trace.thread("MainThread")).task("load", site=LINE).ready(0).running(1)
    for n, function in enumerate(called, 1):
        stack = f"{POOL}:{n} inner\n{POOL}:1179 {function}\n{LINE}"
        task.awaits(n * 10, "future", site=f"{POOL}:{n} inner", stack=stack)
        task.ready(n * 10 + 5, waker="io").running(n * 10 + 6)
    task.done(1_000)
    model = model_of(tmp_path, trace.ended(2_000))
    trace_ = model.trace
    sites = [
        trace_.args(i)[s.ARG_SITE]
        for i in trace_.slices.event
        if s.ARG_STACK in trace_.args(i)
    ]
    assert sites == [LINE] * len(called)
    return {via(site) for site in sites if isinstance(site, str)}


@pytest.mark.parametrize(
    ("called", "said"),
    [
        ((ENTER,), ENTER),
        ((LEAVE,), LEAVE),
        ((ENTER, LEAVE, LEAVE), "PoolAcquireContext"),
        ((LEAVE, ENTER), "PoolAcquireContext"),
        ((LEAVE, "Pool.fetch"), LEAVE),
        (("Pool.fetch", ENTER, "Pool.fetch"), "Pool.fetch"),
        (("__aexit__", "__aenter__"), "__aexit__"),
    ],
)
def test_a_line_that_enters_and_leaves_names_the_class(tmp_path, called, said):
    assert waits_in(tmp_path, *called) == {said}


HANDLER, HELPER = ("Handler.block", "/app/service.py", 23), ("helps", "/app/service.py", 5)
LOOP = ("Handle._run", "/usr/lib/python3.13/asyncio/events.py", 89)
UVLOOP = ("Runner.run", "/usr/lib/python3.13/asyncio/runners.py", 118)


@pytest.mark.parametrize(
    ("outside", "name", "said"),
    [
        ([LOOP], "Handler.block", ("/app/service.py:23 Handler.block", "handle")),
        ([UVLOOP], "Handler.block", ("/app/service.py:23 Handler.block", "handle")),
        ([], "handle", ("?:0", "")),
    ],
)
def test_a_task_without_a_place_is_named_by_what_it_runs(tmp_path, outside, name, said):
    """A coroutine of Cython has no frame: the loop's own calls it. Without that one it is not
    known which function the loop has called."""
    trace = TraceBuilder()
    thread = trace.thread("MainThread")
    loop = trace.loop(thread)
    task = loop.task("handle", site="?:0").ready(0).running(10).done(1_000)
    loop.step(task, 10, 1_000)
    stack = [("<module>", "/app/service.py", 50), *outside, HANDLER, HELPER]
    SampleBuilder(trace).add(thread, 100, *stack)
    model = model_of(tmp_path, trace.ended(2_000))
    found, site = model.coroutine(0)
    assert (found, str(site), via(site)) == (name, *said)
