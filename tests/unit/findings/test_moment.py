"""What a snapshot was taken for comes first."""

import pytest

from tests.support.builder.encoding import Arg
from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, Service, find_in
from tracer import schema as s

START_NS = 1_000_000_000  # of built traces
SITE = "/app/service.py:14 report"


def snapshot(**more: Arg) -> TraceBuilder:
    """A step of 300 ms was long enough; the loop had been blocked much longer before that."""
    service = Service(victims=5)
    service.step(900 * MS)
    service.rest(2_000 * MS)
    start = service.step(300 * MS)
    said: dict[str, Arg] = {
        s.ARG_REASON: f"loop>200ms (hog, 300.0 ms so far, at {SITE})",
        s.ARG_ASKED: 30_000 * MS,
        s.ARG_TRIGGER: "loop>200ms",
        s.ARG_SITE: SITE,
        s.ARG_TASK: service.hog.id,
        s.ARG_TID: service.thread.tid,
        s.ARG_SINCE: START_NS + start,
        s.ARG_UNTIL: START_NS + start + 300 * MS,
        **more,
    }
    end = service.now + 2 * MS
    service.thread.end(service.now + MS)
    service.trace.instant(service.trace.tracer, end, s.SNAPSHOT, s.CAT_TRACER, **said)
    return service.trace


def test_the_moment_leads(tmp_path):
    first, second = find_in(tmp_path, snapshot())
    assert first.finding == "slow moment"
    assert first.text == (
        "A slow moment, for which the snapshot was taken (loop>200ms): hog, 300.0 ms so far, "
        "at `report` (service.py:14)."
    )
    assert first.severity_ns == first.evidence.duration_ns == 300 * MS
    assert first.evidence.start_ns == START_NS + 2_000 * MS
    assert first.evidence.site == SITE
    assert second.finding == "loop blocked"


@pytest.mark.parametrize(
    ("trigger", "until"), [("signal:USR2", START_NS + 2_000 * MS), ("exit", 0)]
)
def test_a_condition_without_a_duration(tmp_path, trigger, until):
    found = find_in(tmp_path, snapshot(trigger=trigger, until_ns=until))
    assert [each.finding for each in found] == ["loop blocked"]
