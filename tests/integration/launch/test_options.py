"""Options of `tracer run` that change what is recorded."""

import pytest

from tests.conftest import Recorder
from tests.support.validator.rules import validate
from tracer import schema as s

SLEEPER = """\
import time

def deep(n):
    if n:
        deep(n - 1)
    else:
        time.sleep({seconds})

for _ in range(10):
    deep(40)
"""


def sleeps(record: Recorder, seconds: float, *options: str) -> list[str]:
    """The stack of every recorded sleep."""
    trace = record(SLEEPER.format(seconds=seconds), options=options)
    lanes = validate(trace.read_bytes()).lanes.values()
    found = [each for lane in lanes for each in lane.slices if each.category == s.CAT_SLEEP]
    return [str(each.args[s.ARG_STACK]) for each in found]


@pytest.mark.parametrize(("options", "count"), [((), 10), (("--io-threshold", "1000000"), 0)])
def test_shorter_calls_are_not_recorded(
    record: Recorder, options: tuple[str, ...], count: int
) -> None:
    """Without the sched signal, each of them would be a state of the lane."""
    assert len(sleeps(record, 0.001, *options)) == count


@pytest.mark.parametrize("depth", [1, 5, 64])
def test_stacks_are_cut(record: Recorder, depth: int) -> None:
    (stack,) = set(sleeps(record, 0.001, "--stack-depth", str(depth)))
    frames = [line for line in stack.splitlines() if ".py:" in line]
    assert len(frames) == min(depth, 42)
