"""The trace must show `render_report` holding the loop for 30 ms while 20 tasks wait.

The program keeps its own books: how long the heartbeat's ticks were overdue because of it.
"""

import asyncio
import time

BLOCKS = 10
BLOCK_S = 0.030
TICK_S = 0.005

blocked: list[tuple[float, float]] = []  # when render_report held the loop
ticks: list[tuple[float, float]] = []  # when the heartbeat was due, when it ran


async def heartbeat() -> None:
    """Wants to run every 5 ms, as a load balancer's health check would."""
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + TICK_S
        await asyncio.sleep(TICK_S)
        ticks.append((due, loop.time()))


async def handle(number: int) -> None:
    """A well-behaved request handler: little work, then waits for the next request."""
    while True:
        sum(range(500 + number))
        await asyncio.sleep(0.004 + number / 1000)


async def render_report() -> None:
    """The culprit: calls something that blocks from inside a coroutine."""
    for _ in range(BLOCKS):
        await asyncio.sleep(0.07)
        start = time.monotonic()
        time.sleep(BLOCK_S)
        blocked.append((start, time.monotonic()))


async def main() -> None:
    service = [asyncio.create_task(heartbeat(), name="heartbeat")]
    service += [asyncio.create_task(handle(n), name=f"handler-{n}") for n in range(19)]
    await asyncio.create_task(render_report(), name="render_report")
    await asyncio.sleep(0.02)  # lets the last late tick be counted
    for task in service:
        task.cancel()


asyncio.run(main())
delays = [
    max(0.0, min(end, ran) - max(start, due)) for start, end in blocked for due, ran in ticks
]
print(
    f"heartbeat delayed by render_report: worst {max(delays) * 1e3:.3f} ms,"
    f" total {sum(delays) * 1e3:.3f} ms in {BLOCKS} blocks"
)
