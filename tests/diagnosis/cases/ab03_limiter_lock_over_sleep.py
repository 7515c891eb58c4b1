"""A rate limiter sleeps with its lock, so that hosts which are free wait behind one that is not
(after questions about limiters of one.s own).
truth: `Limiter.wait` sleeps 80 ms with one asyncio.Lock for all hosts; `ask` of 3 other hosts wait up to 1 s."""
import asyncio
import time

late = []


class Limiter:
    def __init__(self):
        self.lock = asyncio.Lock()
        self.last = {}

    async def wait(self, host):
        async with self.lock:
            pause = self.last.get(host, 0) + 0.08 - time.monotonic()
            if pause > 0:
                await asyncio.sleep(pause)
            self.last[host] = time.monotonic()


async def ask(limiter, host):
    begun = time.monotonic()
    await limiter.wait(host)
    late.append((time.monotonic() - begun, host))


async def main():
    limiter = Limiter()
    async with asyncio.TaskGroup() as group:
        for n in range(15):
            group.create_task(ask(limiter, "slow.example"))
        for n in range(3):
            group.create_task(ask(limiter, f"free{n}.example"))
    print("truth", max(late))


asyncio.run(main())
