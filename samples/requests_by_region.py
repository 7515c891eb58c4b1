"""The trace must show where the time of twelve requests went: parse, query, render.

`python samples/requests_by_region.py` records itself into requests_by_region.pftrace. The
report says that most of a `query` is waiting for one of two connections. Own books are kept.
"""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager

import tracer

REQUESTS, CONNECTIONS, QUERY_S, PARSE_S = 12, 2, 0.005, 0.002
spent_s: dict[str, list[float]] = {}


@contextmanager
def timed(name: str, number: int) -> Iterator[None]:
    start = time.monotonic()
    with tracer.region(name, request=number):
        yield
    spent_s.setdefault(name, []).append(time.monotonic() - start)


@tracer.region("spin")
def spin(seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        pass


async def handle(number: int, pool: asyncio.Semaphore) -> None:
    async with tracer.task("request", number=number):
        with timed("parse", number):
            spin(PARSE_S)
        with timed("query", number):
            async with pool:
                tracer.log("connected", request=number)
                await asyncio.sleep(QUERY_S)
        with timed("render", number):
            await asyncio.to_thread(sum, range(1000))


async def serve() -> None:
    pool = asyncio.Semaphore(CONNECTIONS)
    async with asyncio.TaskGroup() as group:
        for number in range(REQUESTS):
            group.create_task(handle(number, pool))
            tracer.counter("requests begun", number + 1)


try:
    tracer.start("requests_by_region.pftrace")
except tracer.TracerError as error:  # `tracer run` records already
    print(error)
asyncio.run(serve())
tracer.stop()
for region, times_s in spent_s.items():
    print(f"{region}: {len(times_s)} times, {sum(times_s) * 1e3:.3f} ms")
