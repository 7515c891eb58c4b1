"""Patched threading: threads are greenlets with the threads' names, locks have owners."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Recorder
from tests.support.recordings import states_of, wakers
from tests.support.validator.rules import Summary, TaskSummary, validate

pytest.importorskip("gevent", reason="needs gevent: `uv sync --all-groups`")
PROGRAM = Path(__file__).parents[2] / "support" / "programs" / "patched.py"


@pytest.fixture(scope="module", params=["libev-cext", "libev-cffi", "libuv-cffi"])
def summary(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Summary]:
    """On each of gevent's loops."""
    if request.param.endswith("cffi"):
        pytest.importorskip("cffi", reason="needs cffi: `uv sync --all-groups`")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GEVENT_LOOP", request.param)
        record = Recorder(tmp_path_factory.mktemp("patched"))
        yield validate(record(PROGRAM).read_bytes())


def of(summary: Summary, name: str) -> TaskSummary:
    (task,) = (task for task in summary.tasks.values() if task.name == name)
    return task


def test_greenlets_have_the_names_of_threads_and_their_targets(summary: Summary) -> None:
    task = of(summary, "waits_lock")
    assert task.coro == "locks.<locals>.waits_lock"
    assert task.end == "done"


@pytest.mark.parametrize(("name", "kind"), [("lock", "Lock"), ("rlock", "Lock")])
def test_a_lock_has_its_owner(name: str, kind: str, summary: Summary) -> None:
    (wait,) = states_of(of(summary, f"waits_{name}"), f"await {kind}")
    owner = of(summary, f"holds_{name}")
    assert wait.begin.args["owner_task"] == owner.id
    assert wait.begin.args["owner_name"] == f"holds_{name}"
    assert "holds_" in str(wait.begin.args["owner_site"])
    assert wakers(of(summary, f"waits_{name}"))[-1] == {"waker_task": owner.id}


@pytest.mark.parametrize(
    ("name", "waits", "waker"),
    [
        ("waits_condition", "Condition.wait", "notifies"),
        ("waits_event", "Event", "sets"),
        ("waits_permit", "Semaphore", "releases"),
        ("gets", "Queue.get", "puts"),
        ("puts", "Queue.put", "gets_more"),
    ],
)
def test_who_ends_a_wait(name: str, waits: str, waker: str, summary: Summary) -> None:
    """A condition, an event, a permit, an item and room for one: nobody owns them."""
    task = of(summary, name)
    assert {state for state in task.states if state.startswith("await")} == {f"await {waits}"}
    assert {"waker_task": of(summary, waker).id} in wakers(task)
    assert not any("owner_task" in wait.begin.args for wait in task.slices)
