"""Regions entered and left in every order and context: the trace nests, the report adds up."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Generator
from contextlib import suppress
from pathlib import Path
from random import Random

import pytest

import tracer
from tests.support.validator.rules import validate
from tracer import schema as s
from viewer.analysis.regions import REGION, region_rows
from viewer.trace.engine import BEST, in_python
from viewer.trace.model import build_model
from viewer.trace.reader import read_trace

SIGNALS = (("tasks",), ("threads", "gc"), ("tasks", "threads", "gc"), None)


def plain(random: Random) -> Generator[int]:
    with tracer.region("generator"):
        yield from range(random.randrange(4))


async def asynchronous(random: Random) -> AsyncGenerator[int]:
    with tracer.region("async generator"):
        for number in range(random.randrange(4)):
            yield number
            await asyncio.sleep(0)


class Program:
    """Tasks and threads that leave generators half way, for others to close."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.half_way: list[Generator[int]] = []
        self.half_way_async: list[AsyncGenerator[int]] = []

    def sync(self, random: Random, depth: int) -> None:
        for _ in range(random.randrange(3)):
            with tracer.region("sync"):
                if depth:
                    self.sync(random, depth - 1)
                if random.random() < 0.3:
                    self.close_one(random)

    def close_one(self, random: Random) -> None:
        with suppress(IndexError, ValueError):  # none there; another thread runs it
            self.half_way.pop(random.randrange(len(self.half_way) or 1)).close()

    async def task(self, random: Random, depth: int) -> None:
        for _ in range(random.randrange(1, 5)):
            match random.randrange(8):
                case 0 if depth:
                    async with tracer.region("async", number=random.randrange(9)):
                        await self.task(random, depth - 1)
                case 1 if depth:
                    with tracer.task("operation"):
                        await asyncio.gather(*self.tasks(random, 2, depth - 1))
                case 2:
                    self.half_way.append(plain(random))
                    next(self.half_way[-1], None)
                case 3:
                    generator = asynchronous(random)
                    await anext(generator, None)
                    self.half_way_async.append(generator)
                case 4 if self.half_way_async:
                    await self.half_way_async.pop(0).aclose()
                case 5:
                    await asyncio.to_thread(self.sync, Random(random.random()), 2)
                case 6:
                    self.close_one(random)
                case _:
                    tracer.log("log", number=random.random())
                    await asyncio.sleep(0)

    def tasks(self, random: Random, count: int, depth: int) -> list[asyncio.Task[None]]:
        return [
            asyncio.create_task(self.task(Random(random.random()), depth))
            for _ in range(count)
        ]

    async def main(self) -> None:
        await asyncio.gather(*self.tasks(self.random, 4, 3))
        for generator in self.half_way_async:
            await generator.aclose()


@pytest.mark.parametrize("seed", range(20))
def test_random_program(tmp_path: Path, seed: int) -> None:
    """The report has every region that began, whole, and split exactly to the ns."""
    path, over = tmp_path / "x.pftrace", threading.Event()
    beside = Program(seed + 1000)

    def works() -> None:
        while not over.wait(0.001):
            beside.sync(beside.random, 3)

    thread = threading.Thread(target=works)
    thread.start()
    program = Program(seed)
    with tracer.recording(path, signals=SIGNALS[seed % len(SIGNALS)]):
        asyncio.run(program.main())
    over.set()
    thread.join()
    said = validate(path.read_bytes()).user.regions
    begun = [region for region in said if s.ARG_CONTINUES not in region.args]
    reports = [
        region_rows(build_model(read_trace(path, engine))) for engine in (BEST, in_python())
    ]
    assert reports[0] == reports[1]
    rows = [row for row in reports[0] if row.kind == REGION]
    assert sum(row.count for row in rows) == len(begun)
    for row in rows:
        assert sum(row.states.values()) == row.wall.total_ns, row
