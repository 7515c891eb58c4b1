"""trio's worker threads: who has the tokens of their limiter, and what is done with them."""

import threading
from pathlib import Path

import pytest

from tests.support.recordings import states_of
from tests.support.trios import needs_anyio, record_anyio, record_trio
from tests.support.validator.rules import Summary

trio = pytest.importorskip("trio", reason="needs trio: `uv sync --all-groups`")
pytest.importorskip("trio.testing", reason="needs trio: `uv sync --all-groups`")


def holders_of_the_only_token(summary: Summary) -> None:
    (has,) = (task for task in summary.tasks.values() if task.name == "has")
    (wants,) = (task for task in summary.tasks.values() if task.name == "wants")
    (wait,) = states_of(wants, "await CapacityLimiter")
    assert wait.begin.args["holders"] == f"has ({has.id})"
    assert wait.begin.args["slots"] == 1
    assert not states_of(has, "await CapacityLimiter")
    (job,) = states_of(has, "await executor")
    assert job.begin.time_ns <= wait.begin.time_ns


def test_a_job_holds_a_token_for_its_task(tmp_path: Path) -> None:
    """trio gives it to an object that it makes for each job, which stands for the task."""
    wanted = threading.Event()

    async def main() -> None:
        one = trio.CapacityLimiter(1)

        async def asks(job: object) -> None:
            await trio.to_thread.run_sync(job, limiter=one)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(asks, int, name="earlier")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(asks, wanted.wait, name="has")
            await trio.testing.wait_all_tasks_blocked()
            nursery.start_soon(asks, int, name="wants")
            await trio.testing.wait_all_tasks_blocked()
            wanted.set()

    holders_of_the_only_token(record_trio(main, tmp_path))


@needs_anyio
def test_of_anyio(tmp_path: Path) -> None:
    import anyio
    import anyio.to_thread

    wanted = threading.Event()

    async def main() -> None:
        one = anyio.CapacityLimiter(1)

        async def asks(job: object) -> None:
            await anyio.to_thread.run_sync(job, limiter=one)  # type: ignore[arg-type]

        async with anyio.create_task_group() as group:
            group.start_soon(asks, wanted.wait, name="has")
            await anyio.wait_all_tasks_blocked()
            group.start_soon(asks, int, name="wants")
            await anyio.wait_all_tasks_blocked()
            wanted.set()

    holders_of_the_only_token(record_anyio("trio", main, tmp_path))
