"""A reconnect keeps the lock of the connection while it awaits a task that wants the same lock
(https://github.com/kvanbiesen/bmw-cardata-ha/pull/208).
truth: `reconnect` holds `connect_lock` and waits for its task `update_credentials`, which waits for
that lock, 1.2 s until its time-out, twice."""
import asyncio
import time


class Stream:
    def __init__(self):
        self.connect_lock = asyncio.Lock()
        self.token = 0
        self.sent = 0

    async def update_credentials(self):
        async with self.connect_lock:
            self.token += 1

    async def refresh(self):
        await asyncio.sleep(0.01)
        task = asyncio.create_task(self.update_credentials(), name="credentials")
        try:
            await asyncio.wait_for(task, 1.2)
        except TimeoutError:
            print("token not refreshed")

    async def reconnect(self):
        async with self.connect_lock:
            await asyncio.sleep(0.01)
            await self.refresh()
            await asyncio.sleep(0.01)

    async def send(self):
        async with self.connect_lock:
            await asyncio.sleep(0.001)
            self.sent += 1


async def sensor(stream, until):
    while time.monotonic() < until:
        await stream.send()
        await asyncio.sleep(0.02)


async def main():
    stream, until = Stream(), time.monotonic() + 3
    async with asyncio.TaskGroup() as group:
        for _ in range(3):
            group.create_task(sensor(stream, until))
        await asyncio.sleep(0.2)
        await stream.reconnect()
        await asyncio.sleep(0.1)
        await stream.reconnect()
    print("truth", stream.sent)


asyncio.run(main())
