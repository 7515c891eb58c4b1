"""Healthy: a client keeps to the rate that its supplier allows: calls wait for a token, by design. Needs aiolimiter.

Truth: 40 calls, 10 a second: the last one waits 3 s, and that is what the contract says; the loop is idle.
"""

import asyncio
import time

from aiolimiter import AsyncLimiter


class Supplier:
    def __init__(self):
        self.limiter = AsyncLimiter(10, 1.0)

    async def quote(self, item):
        async with self.limiter:
            await asyncio.sleep(0.03)
            return item * 2


async def heartbeat(beats):
    while True:
        await asyncio.sleep(0.25)
        beats.append(time.monotonic())


async def main():
    supplier, beats = Supplier(), []
    pulse = asyncio.create_task(heartbeat(beats))
    began = time.monotonic()
    quotes = await asyncio.gather(*(supplier.quote(n) for n in range(40)))
    pulse.cancel()
    print("truth", len(quotes), "quotes in", round(time.monotonic() - began, 2), "s")


asyncio.run(main())
