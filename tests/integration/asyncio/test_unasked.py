"""Tasks that failed, and whose exception nobody has retrieved, on every kind of loop."""

import asyncio
import contextlib
import gc
from collections import Counter
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from tests.support.recordings import record_main
from tests.support.validator.strict import read_strict
from tracer import schema as s


def quiet() -> None:
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)


async def broken() -> None:
    raise ValueError("no")


async def forgotten() -> None:
    """One dies while the loop runs, one with a cycle, and two live on."""
    quiet()
    await asyncio.wait([asyncio.create_task(broken())])
    gc.collect()
    kept = [asyncio.create_task(broken()) for _ in range(2)]
    kept[0].kept = kept  # type: ignore[attr-defined]
    await asyncio.wait(kept)


async def awaited() -> None:
    for task in [asyncio.create_task(broken()) for _ in range(2)]:
        with contextlib.suppress(ValueError):
            await task


async def gathered() -> None:
    await asyncio.gather(broken(), broken(), return_exceptions=True)


async def grouped() -> None:
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(broken())
    except* ValueError:
        pass


async def asked_later() -> None:
    tasks = [asyncio.create_task(broken()) for _ in range(3)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert all(task.exception() for task in tasks)


@pytest.mark.parametrize(
    ("main", "count"),
    [(forgotten, 3), (awaited, 0), (gathered, 0), (grouped, 0), (asked_later, 0)],
)
def test_who_asks(
    main: Callable[[], Coroutine[Any, Any, None]], count: int, tmp_path: Path
) -> None:
    summary = record_main(main, tmp_path)
    trace = read_strict((tmp_path / "t.pftrace").read_bytes())
    told = [event for event in trace.events if event.name == s.UNASKED]
    failed = {task.id for task in summary.tasks.values() if task.end == "failed: ValueError"}
    assert len(told) == count
    assert {event.args["exception"] for event in told} <= {"ValueError"}
    assert Counter(event.args["task"] for event in told) <= Counter(failed)


class Finalised(asyncio.Task[None]):
    """Its finaliser hides that of asyncio's own tasks."""

    def __del__(self) -> None: ...


async def many_unseen() -> None:
    """More than are kept die without being seen, before many that are seen."""
    quiet()
    loop = asyncio.get_running_loop()
    for _ in range(9):
        kept.append([Finalised(broken(), loop=loop) for _ in range(500)])
        await asyncio.wait(kept[-1])
    seen = [asyncio.create_task(broken()) for _ in range(500)]  # all at addresses of their own
    kept.clear()
    gc.collect()
    await asyncio.wait(seen)


kept: list[list[Finalised]] = []


@pytest.mark.broad
def test_those_that_died_unseen_make_room(tmp_path: Path) -> None:
    record_main(many_unseen, tmp_path)
    trace = read_strict((tmp_path / "t.pftrace").read_bytes())
    assert s.UNASKED in {event.name for event in trace.events}
