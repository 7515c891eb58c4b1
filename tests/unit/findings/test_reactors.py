"""Reactors of Twisted that do not look for events, since something keeps their thread."""

import pytest

from tests.support.builder.samples import SampleBuilder
from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds
from tracer import schema as s

RUNS = "/app/site.py:40 main"
POLL = f"/lib/site-packages/twisted/internet/epollreactor.py:230 EPollReactor.doPoll\n{RUNS}"
READ = "/app/site.py:8 read_sensor"


def reactor(times=4, ns=250 * MS, does="sleep", poll=POLL, on_loop="", samples=0):
    """The reactor looks for events for 50 ms, then runs something of the program's."""
    trace = TraceBuilder(argv="site.py", signals=SIGNALS)
    thread = trace.thread("MainThread").native(0)
    if on_loop:
        trace.loop(thread, on_loop).select(1, 2)
    at = MS
    for _ in range(times):
        thread.io(at, "select.epoll.poll", site=RUNS, stack=poll)
        at += 50 * MS
        if does == "sleep":
            thread.sleep(at, site=READ)
        elif does == "preempted":
            thread.preempted(at)
        else:
            thread.running(at)
        look = ("parse", "/app/site.py", 12)
        SampleBuilder(trace).add(thread, at + MS, look, times=samples)
        at += ns
    thread.io(at, "select.epoll.poll", site=RUNS, stack=poll).native(at + MS)
    thread.end(at + 2 * MS)
    return trace.ended(at + 3 * MS)


@pytest.mark.parametrize("on_loop", ["", s.TRACK_TWISTED_PREFIX])
def test_a_call_keeps_the_reactor(tmp_path, on_loop):
    (found,) = find_in(tmp_path, reactor(on_loop=on_loop))
    assert found.finding == "loop blocked"
    assert found.text == (
        "The reactor of `MainThread` is blocked for up to 250 ms (at 51.0 ms); 4 times it "
        "looked for no event for 100 ms or more, 1.00 s in total; it spends 100 % of that "
        "time in `sleep` (site.py:8)."
    )
    assert found.next_step.startswith("Run it in a thread (`deferToThread`)")
    assert found.severity_ns == 1_000 * MS
    assert found.evidence.site == READ


def test_a_computation_keeps_the_reactor(tmp_path):
    (found,) = find_in(tmp_path, reactor(does="run", samples=20))
    assert "computing in `parse` (site.py:12, 100 % of 80 CPU samples)" in found.text
    assert found.evidence.site == "/app/site.py:12 parse"


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"ns": 90 * MS, "times": 9}, id="short"),
        pytest.param({"ns": 120 * MS}, id="little in all"),
        pytest.param({"times": 3}, id="it hardly looks for events"),
        pytest.param({"does": "preempted"}, id="the kernel's doing"),
        pytest.param({"poll": RUNS}, id="no reactor"),
        pytest.param({"on_loop": s.TRACK_LOOP_PREFIX}, id="a loop that is known"),
    ],
)
def test_reactors_that_serve(tmp_path, story):
    assert kinds(tmp_path, reactor(**story)) == []
