"""The other ends of arrows, before and after there is an index of all of them."""

import itertools
from pathlib import Path

from tests.support.builder.trace import TraceBuilder
from viewer.trace.flows import Flows
from viewer.trace.reader import read_trace

_JOBS = 100


def _flows(tmp_path: Path, *, twice: bool = False) -> Flows:
    """Jobs that are submitted first and all begun later; `twice`: with the same ids again."""
    trace = TraceBuilder()
    main, worker = trace.thread("main").running(0), trace.thread("worker").running(0)
    for turn in range(2 if twice else 1):
        trace.flow_ids = itertools.count(1)
        sent = [main.submits(turn * 1_000 + n) for n in range(_JOBS)]
        for n, by in enumerate(reversed(sent)):
            worker.runs(turn * 1_000 + 500 + n, "work", "/app/a.py:1 work", by=by)
    file = tmp_path / "a.trace"
    file.write_bytes(trace.ended(2_000).data())
    return Flows(read_trace((file,)).events)


def test_answers_are_the_same_with_an_index(tmp_path: Path) -> None:
    flows = _flows(tmp_path)
    events = flows._events
    ends = [*zip(events.flow_event, events.flow_id, map(bool, events.flow_end), strict=True)]
    asked = [(flow, is_end, near) for event, flow, is_end in ends for near in (0, event)]
    searched = [Flows(events).other_end(*one) for one in asked]
    assert [flows.other_end(*one) for one in asked] == searched
    assert "_firsts" in flows.__dict__  # so many were asked that it has an index now
    assert -1 not in searched


def test_of_arrows_with_one_id_the_one_nearby_counts(tmp_path: Path) -> None:
    flows = _flows(tmp_path, twice=True)
    events = flows._events
    arrows = zip(events.flow_event, events.flow_id, events.flow_end, strict=True)
    begins = [(event, flow) for event, flow, is_end in arrows if not is_end]
    second = begins[_JOBS][0]
    for _ in range(40):  # the index comes in between
        for event, flow in begins:
            assert (flows.other_end(flow, False, event) > second) == (event >= second)
    assert "_firsts" in flows.__dict__


def test_an_unknown_arrow_has_no_end(tmp_path: Path) -> None:
    flows = _flows(tmp_path)
    for _ in range(100):
        assert flows.other_end(1 << 40, False) == -1
        assert flows.other_end(1 << 40, True, near=3) == -1
