"""Which finding stands below a wait that is explained."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.stories import waits as samples
from tests.support.stories.waits import MS
from viewer.analysis.findings.basis.facts import Evidence, Finding
from viewer.analysis.why.asked import Asked
from viewer.analysis.why.explain import Explanation
from viewer.analysis.why.told import finding_of_each
from viewer.analysis.why.worst import worst_waits
from viewer.trace.model import Model, build_model
from viewer.trace.reader import read_trace


@pytest.fixture
def explained(tmp_path: Path) -> tuple[Model, list[Explanation]]:
    file = tmp_path / "story.pftrace"
    file.write_bytes(samples.gil_hog().data())
    model = build_model(read_trace(file))
    return model, [one.worst for one in worst_waits(model, 5, Asked()).problems]


def about(wait: Explanation, model: Model, **other: Any) -> Finding:
    """A finding whose evidence is just this wait, but for what is given."""
    evidence = Evidence(
        wait.wait.start_ns, wait.wait.ns, "", wait.waiter.task, wait.waiter.tid, wait.site,
        pid=model.pid(wait.waiter.process),
    )  # fmt: skip
    return Finding("GIL hog", MS, "It hogs.", evidence._replace(**other))


def test_who_waits_then(explained: tuple[Model, list[Explanation]]) -> None:
    model, (wait, *_) = explained
    finding = about(wait, model)
    assert finding_of_each(model, [wait], [finding]) == [finding]
    half = about(wait, model, duration_ns=(wait.wait.ns + 1) // 2)
    assert finding_of_each(model, [wait], [half]) == [half]


def test_each_tells_of_one_wait(explained: tuple[Model, list[Explanation]]) -> None:
    """The first one that fits, and the next wait gets the next one."""
    model, (wait, *_) = explained
    first, second = about(wait, model), about(wait, model, duration_ns=wait.wait.ns - 1)
    told = finding_of_each(model, [wait, wait, wait], [first, second])
    assert told == [first, second, None]


@pytest.mark.parametrize(
    "other",
    [
        {"pid": 1},  # of another process
        {"tid": 1},
        {"task": 7},
        {"duration_ns": 90 * MS},  # less than half of the wait
        {"start_ns": 0, "duration_ns": 1},
    ],
)
def test_of_something_else(
    other: dict[str, int], explained: tuple[Model, list[Explanation]]
) -> None:
    model, (wait, *_) = explained
    assert finding_of_each(model, [wait], [about(wait, model, **other)]) == [None]


def test_the_same_line(explained: tuple[Model, list[Explanation]]) -> None:
    """Whoever it is, and whenever: similar waits are told of together."""
    model, (wait, *_) = explained
    there = replace(wait, site="/app/app.py:7 work")
    other = about(there, model, start_ns=0, duration_ns=1, tid=1)
    assert finding_of_each(model, [there], [other]) == [other]
    elsewhere = about(there, model, start_ns=0, duration_ns=1, site="/app/app.py:8 work")
    assert finding_of_each(model, [there], [elsewhere]) == [None]
