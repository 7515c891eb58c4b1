"""What a snapshot was taken for comes first."""

import re

import pytest

from tests.support.builder.encoding import Arg
from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, Service, find_in
from tracer import schema as s
from tracer.cli import main

START_NS = 1_000_000_000  # of built traces
SITE = "/app/service.py:14 report"


def snapshot(partners: int = 0, **more: Arg) -> TraceBuilder:
    """A step of 300 ms was long enough; the loop had been blocked much longer before that, and
    partners never answered."""
    service = Service(victims=5)
    service.step(900 * MS)
    for _ in range(partners):
        task, at = service.loop.task("partner", site="/app/service.py:30 partner"), service.now
        task.ready(at).running(at).awaits(at + MS, "Event", site="/app/service.py:31 partner")
        service.loop.step(task, at, at + MS)
        service.now = at + MS
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
        "at `report` (service.py:14); 100 % of that time computing in `hog` (service.py:10)."
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


def test_why_opens_on_it(tmp_path, capsys):
    """With the waits that began in it, although others at that time had waited for longer."""
    path, trace = tmp_path / "snapshot.pftrace", snapshot(partners=20)
    (recording,) = (event for event in trace.events if event.name == s.RECORDING)
    recording.args[s.ARG_BEGAN] = START_NS - 60_000 * MS
    path.write_bytes(trace.data())
    assert main(["why", str(path), "--worst", "2"]) == 0
    out = capsys.readouterr().out
    said, then, waits = out.partition("\n\nThe waits of that time:\n\n")
    assert " ".join(said.split()) == (
        "A slow moment, for which the snapshot was taken (loop>200ms): hog, 300.0 ms so far, "
        "at `report` (service.py:14); 100 % of that time computing in `hog` (service.py:10)."
    )
    assert then
    first, second = re.findall(r"^  \d\. .*", waits, re.M)
    assert "`victim`" in first
    assert "`partner`" in second


def ended(trace: TraceBuilder, at: int, name: str = "ValueError") -> TraceBuilder:
    """The snapshot that an exception at the end has left."""
    (recording,) = (event for event in trace.events if event.name == s.RECORDING)
    recording.args[s.ARG_BEGAN] = START_NS - 60_000 * MS
    said: dict[str, Arg] = {s.ARG_REASON: f"exception ({name})", s.ARG_ASKED: 30_000 * MS}
    trace.instant(trace.tracer, at, s.SNAPSHOT, s.CAT_TRACER, **said)
    return trace


def failing() -> TraceBuilder:
    """`main` survives an error of `early`, then awaits `late`, whose error ends it."""
    trace = TraceBuilder(signals="tasks")
    thread = trace.thread("MainThread", 100)
    loop = trace.loop(thread)
    main, early, late = (
        loop.task(name, name, "/app/a.py:5 main") for name in ("main", "early", "late")
    )
    main.ready(0).running(MS).awaits(2 * MS, "task early", site="/app/a.py:7 main")
    early.ready(2 * MS).running(3 * MS).done(5 * MS, "failed: ValueError")
    main.ready(5 * MS).running(6 * MS).awaits(7 * MS, "task late", site="/app/a.py:9 main")
    late.ready(7 * MS).running(8 * MS).done(38 * MS, "failed: ValueError")
    main.ready(38 * MS).running(39 * MS).done(40 * MS, "failed: ValueError")
    for task, start, end in (
        (main, 1, 2),
        (early, 3, 5),
        (main, 6, 7),
        (late, 8, 38),
        (main, 39, 40),
    ):
        loop.step(task, start * MS, end * MS)
    return trace


def test_why_opens_on_the_exception_that_ended_the_program(tmp_path, capsys):
    """On who failed with it first, and who awaited that; not on an error before."""
    path = tmp_path / "snapshot.pftrace"
    path.write_bytes(ended(failing(), 41 * MS).data())
    assert main(["why", str(path)]) == 0
    said, then, waits = capsys.readouterr().out.partition("\n\nThe waits of that time:\n\n")
    assert " ".join(said.split()) == (
        "The program ended with ValueError: `late` failed with it at 38.0 ms, after 30.0 ms "
        "of its last step; then `main`."
    )
    assert then
    (only,) = re.findall(r"^  \d\. .*", waits, re.M)
    assert "awaited `task late`" in only


def test_why_of_an_exception_that_no_task_failed_with(tmp_path, capsys):
    path = tmp_path / "snapshot.pftrace"
    path.write_bytes(ended(failing(), 41 * MS, "KeyError").data())
    assert main(["why", str(path)]) == 0
    out = capsys.readouterr().out
    assert out.startswith(
        "The program ended with KeyError at 41.0 ms, the end of the recording; no task failed "
        "with it.\n\n"
    )
