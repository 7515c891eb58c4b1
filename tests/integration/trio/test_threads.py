"""trio's worker threads: who has the tokens of their limiter, and what is done with them."""

import threading
from functools import partial
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


def holders_of_two_tokens(summary: Summary) -> None:
    """Of three jobs that ask for one of two tokens, nobody waiting in between."""
    asked = {task.name: task for task in summary.tasks.values() if task.name.startswith("job")}
    found = {name: states_of(task, "await CapacityLimiter") for name, task in asked.items()}
    ((late, (wait,)),) = ((name, waits) for name, waits in found.items() if waits)
    others = {f"{name} ({task.id})" for name, task in asked.items() if name != late}
    assert set(str(wait.begin.args["holders"]).split(", ")) == others


def test_jobs_that_take_tokens_at_once(tmp_path: Path) -> None:
    """The tasks have not begun to wait for their jobs when another one finds no token."""

    async def main() -> None:
        two = trio.CapacityLimiter(2)
        async with trio.open_nursery() as nursery:
            for name in ("job a", "job b", "job c"):
                nursery.start_soon(
                    partial(trio.to_thread.run_sync, int, limiter=two), name=name
                )

    holders_of_two_tokens(record_trio(main, tmp_path))


@needs_anyio
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_jobs_of_anyio_that_take_tokens_at_once(backend: str, tmp_path: Path) -> None:
    import anyio
    import anyio.to_thread

    async def main() -> None:
        two = anyio.CapacityLimiter(2)
        run_sync = anyio.to_thread.run_sync
        async with anyio.create_task_group() as group:
            for name in ("job a", "job b", "job c"):
                group.start_soon(partial(run_sync, int, limiter=two), name=name)

    holders_of_two_tokens(record_anyio(backend, main, tmp_path))


def test_a_token_that_no_task_has(tmp_path: Path) -> None:
    """Anything can stand for whoever has it: then those that are told are not all."""

    async def main() -> None:
        two = trio.CapacityLimiter(2)

        async def asks() -> None:
            async with two:
                pass

        await two.acquire_on_behalf_of(nobody := object())
        async with two, trio.open_nursery() as nursery:
            nursery.start_soon(asks, name="asks")
            await trio.testing.wait_all_tasks_blocked()
            two.release_on_behalf_of(nobody)

    summary = record_trio(main, tmp_path)
    (asks,) = (task for task in summary.tasks.values() if task.name == "asks")
    (wait,) = states_of(asks, "await CapacityLimiter")
    assert str(wait.begin.args["holders"]).endswith("), …")


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
