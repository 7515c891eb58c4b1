"""A pool of connections is asked for a free one every 20 ms (after https://github.com/sonic182/aiosonic/issues/332).
truth: Pool of 2; `report` keeps each for 0.4 s; 6 `ping` poll in `Pool.take` (sleep 20 ms) for up to 0.4 s."""
import asyncio
import time

late = []


class Pool:
    def __init__(self, size):
        self.connections = [{"busy": False} for _ in range(size)]

    async def take(self):
        while True:
            for connection in self.connections:
                if not connection["busy"]:
                    connection["busy"] = True
                    return connection
            await asyncio.sleep(0.02)


async def report(pool):
    connection = await pool.take()
    await asyncio.sleep(0.4)
    connection["busy"] = False


async def ping(pool):
    begun = time.monotonic()
    connection = await pool.take()
    late.append(time.monotonic() - begun)
    await asyncio.sleep(0.005)
    connection["busy"] = False


async def main():
    pool = Pool(2)
    reports = [asyncio.create_task(report(pool)) for _ in range(6)]
    await asyncio.sleep(0.01)
    await asyncio.gather(*reports, *(ping(pool) for _ in range(6)))
    print("truth longest", max(late))


asyncio.run(main())
