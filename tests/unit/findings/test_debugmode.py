"""Loops that spend their time on notes for asyncio's debug mode."""

import pytest

from tests.support.builder.samples import Place, SampleBuilder
from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds

LIB = "/usr/lib/python3.13"
CALLS: Place = ("call_soon", f"{LIB}/asyncio/base_events.py", 830)
NOTES: Place = ("extract_stack", f"{LIB}/asyncio/format_helpers.py", 80)
IN_C: Place = ("extract_stack", f"{LIB}/traceback.py", 260)
OWN: Place = ("report", "/app/serve.py", 12)


def debugged(*stack: Place, share=50, ns=2_000 * MS, loop=True):
    """A loop computes; a share of its samples, in per cent, is in a stack."""
    trace = TraceBuilder(argv="serve.py", signals=SIGNALS)
    thread = trace.thread("MainThread").running(0)
    if loop:
        task = trace.loop(thread).task("serve", site="/app/serve.py:9 serve")
        task.ready(0).running(0).done(1)
    sampled = SampleBuilder(trace)
    for n in range(100):
        inner = stack if n < share else ()
        sampled.add(thread, (n + 1) * ns // 101, "main", *inner)
    thread.end(ns)
    return trace.ended(ns + MS)


@pytest.mark.parametrize("stack", [(CALLS, NOTES), (CALLS, IN_C)])
def test_debug_mode(tmp_path, stack):
    (found,) = find_in(tmp_path, debugged(*stack))
    assert found.finding == "loop overloaded"
    assert found.text == (
        "Event loop overloaded: asyncio's debug mode takes 50 % of 100 CPU samples of "
        "`MainThread`, about 1.00 s (at 19.8 ms): "
        "the loop records the whole stack at each call, future and task."
    )
    assert found.next_step.startswith("Switch it off")


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"share": 20}, id="a small part"),
        pytest.param({"ns": 800 * MS}, id="less than half a second"),
        pytest.param({"loop": False}, id="no loop"),
    ],
)
def test_what_is_no_debug_mode(tmp_path, story):
    assert kinds(tmp_path, debugged(CALLS, NOTES, **story)) == []


def test_a_program_that_asks_for_stacks_itself(tmp_path):
    assert kinds(tmp_path, debugged(OWN, IN_C)) == []
