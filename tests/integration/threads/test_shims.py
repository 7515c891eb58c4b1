"""Frames that the interpreter makes for itself are in no stack."""

import pytest

from tests.conftest import Recorder
from tests.support.validator.rules import validate
from viewer.analysis.profiles.cpu import stack_places
from viewer.trace.model import build_model
from viewer.trace.reader import read_trace

# After a few calls an __init__ is inlined: below it is a frame of code that nobody wrote.
INLINED = """\
import os, time

class Opened:
    def __init__(self):
        os.sched_yield()
        self.wait()

    def wait(self):
        time.sleep(0.001)
        until = time.thread_time() + 0.01
        while time.thread_time() < until: pass

def open_one():
    return Opened()

for _ in range(30):
    open_one()
"""


def test_an_inlined_init_has_its_callers(record: Recorder) -> None:
    """A wait and a CPU sample below an inlined `__init__` show the program's lines alone."""
    trace = record(INLINED, options=("--cpu-hz", "1000"))
    model = build_model(read_trace(trace))
    validate(trace.read_bytes())
    texts = model.trace.events.strings
    stacks = [text.split("\n") for text in texts if "Opened.wait\n" in text]
    assert stacks
    for stack in stacks:
        names = [frame.rpartition(" ")[2] for frame in stack]
        assert names == ["Opened.wait", "Opened.__init__", "open_one", "<module>"]
    sampled = [[place.function for place in places] for places in stack_places(model)]
    inside = [names for names in sampled if any("Opened.wait" in name for name in names)]
    assert inside
    assert all(len(names) == 4 for names in inside), inside


CALLERS = """\
def one():
    open_one()

def other():
    open_one()

for _ in range(30):
    one()
    other()
"""


@pytest.mark.broad
def test_callers_below_an_inlined_init_count_to_the_depth(record: Recorder) -> None:
    """As many of the program's frames as were asked for, and not one fewer for the shim."""
    program = INLINED + CALLERS
    texts = build_model(
        read_trace(record(program, options=("--stack-depth", "4")))
    ).trace.events.strings
    stacks = {text for text in texts if "Opened.wait\n" in text}
    callers = {stack.split("\n")[3].rpartition(" ")[2] for stack in stacks}
    assert callers == {"<module>", "one", "other"}
