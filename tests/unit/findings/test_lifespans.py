"""Applications whose start keeps their server from answering."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds

PACKAGES = "/venv/lib/python3.13/site-packages"
STARTUP = f"{PACKAGES}/uvicorn/lifespan/on.py:56 LifespanOn.startup"
LIFESPAN, WARM_UP = "/app/web.py:14 lifespan", "/app/web.py:9 warm_up"


def service(starts_ns=1_000 * MS, lives_ns=3_000 * MS, waits=STARTUP, computes=False):
    """The server awaits the start of the application, which sleeps or computes."""
    trace = TraceBuilder(argv="web.py", signals=SIGNALS)
    thread = trace.thread("MainThread").native(0)
    loop, begin = trace.loop(thread), 100 * MS
    end = begin + starts_ns
    server = loop.task("Server.serve", site=f"{PACKAGES}/uvicorn/server.py:88 Server.serve")
    application = loop.task("lifespan", site=LIFESPAN)
    server.ready(0).running(0)
    application.ready(begin - MS)
    server.awaits(begin, "Event", site=waits, stack=waits)
    application.running(begin + 1)
    if computes:
        loop.step(application, begin + 1, end)
    else:
        loop.step(application, begin + 1, begin + 2)
        loop.step(application, end - 10, end)
        application.awaits(begin + 2, "sleep", site=WARM_UP, stack=WARM_UP)
        application.ready(end - 20).running(end - 10)
    server.ready(end - 5, by=application)
    application.awaits(end, "Queue.get", site=f"{PACKAGES}/uvicorn/lifespan/on.py:137 receive")
    server.running(end + 1).done(end + 2)
    loop.step(server, 0, begin)
    loop.step(server, end + 1, end + 2)
    loop.step(application, lives_ns - MS, lives_ns - MS + 1)
    application.ready(lives_ns - MS).running(lives_ns - MS).done(lives_ns - MS + 1)
    thread.end(lives_ns)
    return trace.ended(lives_ns + MS)


def test_a_start_that_sleeps(tmp_path):
    (found,) = find_in(tmp_path, service())
    assert found.finding == "slow start"
    assert found.text.startswith(
        "Slow start: uvicorn answers nobody before the application has started, which took "
        "1.00 s (at 100 ms), 99 % of that time asleep in `warm_up` (web.py:9)"
    )
    assert found.next_step.startswith("Let `warm_up` do that in the background")
    assert found.evidence.site == found.behind == WARM_UP


def test_a_start_that_computes(tmp_path):
    (found,) = find_in(tmp_path, service(computes=True))
    assert "100 % of that in one step of `lifespan` (web.py:14)" in found.text


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"starts_ns": 400 * MS, "lives_ns": 1_000 * MS}, id="soon"),
        pytest.param({"lives_ns": 9_000 * MS}, id="it lives long"),
        pytest.param({"waits": "/app/on.py:56 LifespanOn.startup"}, id="another's class"),
    ],
)
def test_a_start_that_is_no_fault(tmp_path, story):
    assert kinds(tmp_path, service(**story)) == []
