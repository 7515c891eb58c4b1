"""The validator's rule for collections that gc.collect() was called for."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.validator.rules import validate
from tracer import schema as s

SITE = "/app/a.py:3 f"


def test_called() -> None:
    trace = TraceBuilder(signals="gc")
    trace.gc(10, 20, 100, 2, called_at=SITE)
    trace.gc(30, 40, 100, 0)
    assert validate(trace.ended(50).data()).names["GC gen2"] == 1


def test_a_caller_of_nothing() -> None:
    trace = TraceBuilder(signals="gc")
    trace.begin(trace.gc_track, 10, "GC gen2", s.CAT_GC, generation=2, site=SITE)
    trace.end(trace.gc_track, 20)
    with pytest.raises(AssertionError, match="is not explicit"):
        validate(trace.ended(50).data())
