"""Who has permits of a semaphore while a task waits for one, also who did not wait."""

import asyncio
from pathlib import Path

import pytest

from tests.support.recordings import record_here, record_main, states_of, task_of, tasks_of
from tracer.signals.loops import task_locks

MANY = 1_000  # far more calls than are looked at before somebody waits


async def keep(permits: asyncio.Semaphore, is_over: asyncio.Event) -> None:
    await permits.acquire()
    await is_over.wait()


async def ask(permits: asyncio.Semaphore) -> None:
    async with permits:
        pass


def holders(text: object) -> set[int]:
    return {int(each.rpartition("(")[2]) for each in str(text).split(")")[:-1]}


def test_permits_taken_without_waiting(tmp_path: Path) -> None:
    """One of those who took one has failed; another one has given his back."""

    async def fail(permits: asyncio.Semaphore) -> None:
        await permits.acquire()
        raise OSError

    async def main() -> None:
        permits, is_over = asyncio.Semaphore(2), asyncio.Event()
        await ask(permits)
        await asyncio.gather(fail(permits), return_exceptions=True)
        keeper = asyncio.create_task(keep(permits, is_over))
        await asyncio.sleep(0)
        asker = asyncio.create_task(ask(permits))
        await asyncio.sleep(0)
        is_over.set()
        permits.release()
        await asyncio.gather(keeper, asker)

    summary = record_main(main, tmp_path)
    (wait,) = states_of(tasks_of(summary, "ask")[-1], "await Semaphore")
    known = {task_of(summary, "fail").id, task_of(summary, "keep").id}
    assert holders(wait.begin.args["holders"]) == known


def test_permits_after_many_calls(tmp_path: Path) -> None:
    """Calls that nobody waits for are no longer looked at; those after the first wait are."""

    async def main() -> None:
        permits, is_over = asyncio.Semaphore(1), asyncio.Event()
        for _ in range(MANY):
            await ask(permits)
        first = asyncio.create_task(keep(permits, is_over))
        await asyncio.sleep(0)
        askers = [asyncio.create_task(ask(permits)) for _ in range(2)]
        await asyncio.sleep(0)
        permits.release()
        await asyncio.gather(*askers)
        second = asyncio.create_task(keep(permits, is_over))
        await asyncio.sleep(0)
        last = asyncio.create_task(ask(permits))
        await asyncio.sleep(0)
        is_over.set()
        permits.release()
        await asyncio.gather(first, second, last)

    summary = record_main(main, tmp_path)
    first, second = tasks_of(summary, "keep")
    waits = [states_of(task, "await Semaphore") for task in tasks_of(summary, "ask")]
    told = [wait.begin.args.get("holders", "") for each in waits for wait in each]
    assert [holders(each) for each in told] == [set(), set(), {second.id}]
    assert str(told[-1]).endswith("…")
    assert first.id != second.id


def test_an_interruption_while_calls_are_armed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C during Python code of the recorder reaches the program all the same."""
    interrupted: list[bool] = []

    def main() -> None:
        with pytest.raises(KeyboardInterrupt):
            asyncio.run(wait_in_vain())

    async def wait_in_vain() -> None:
        monkeypatch.setattr(task_locks, "_watch_semaphore", interrupt)
        await asyncio.wait_for(ask(asyncio.Semaphore(0)), 60)

    def interrupt(*_: object) -> None:
        interrupted.append(True)
        raise KeyboardInterrupt  # as python's own handler of SIGINT does

    record_here(main, tmp_path / "t.pftrace")
    assert interrupted
