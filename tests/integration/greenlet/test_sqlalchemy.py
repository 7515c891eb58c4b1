"""SQLAlchemy on asyncio runs code in greenlets: tasks stay asyncio's, lines the program's."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.support.recordings import record_main, task_of
from tests.support.validator.rules import TaskSummary

sqlalchemy = pytest.importorskip("sqlalchemy", reason="needs sqlalchemy[asyncio]")
pytest.importorskip("aiosqlite", reason="needs aiosqlite")


def lines_of(task: TaskSummary) -> set[str]:
    """The functions of this file in whose lines the task waited inside SQLAlchemy."""
    stacks = [
        str(each.begin.args.get("stack", "")).splitlines()
        for each in task.slices
        if each.name.startswith("await ") and each.name != "await gather"
    ]
    found = {
        next((line.split(".")[-1] for line in stack if line.startswith(__file__)), "none")
        for stack in stacks
    }
    return found - {"none"}


def test_tasks_and_lines(tmp_path: Path) -> None:
    """A query waits at the line that runs it, also if that is in a function that a greenlet
    runs; two tasks that do so at a time are not taken for each other."""
    from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

    def synchronous(connection: Any) -> None:
        connection.execute(sqlalchemy.text("select 2"))

    async def plain(connection: AsyncConnection) -> None:
        await connection.execute(sqlalchemy.text("select 1"))

    async def bridged(connection: AsyncConnection) -> None:
        await connection.run_sync(synchronous)

    async def main() -> None:
        engine = create_async_engine("sqlite+aiosqlite:///:memory:")
        async with engine.connect() as one, engine.connect() as two:
            await asyncio.gather(
                asyncio.create_task(plain(one)), asyncio.create_task(bridged(two))
            )
        await engine.dispose()

    summary = record_main(main, tmp_path)
    assert not [task for task in summary.tasks.values() if "greenlet" in task.coro]
    assert lines_of(task_of(summary, "plain")) == {"plain"}
    assert lines_of(task_of(summary, "bridged")) == {"synchronous"}
    assert {task.end for task in summary.tasks.values()} == {"done"}
