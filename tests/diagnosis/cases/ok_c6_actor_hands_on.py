"""HEALTHY: an actor takes requests from its inbox and begins a task for each, which sets the caller's future."""
import asyncio
import random

dice = random.Random(4)


class Hub:
    def __init__(self):
        self.inbox, self.running = asyncio.Queue(), set()

    async def work(self, command, answer):
        await asyncio.sleep(0.05 + 0.03 * dice.random())
        answer.set_result(command)

    async def run(self):
        while True:
            task = asyncio.create_task(self.work(*await self.inbox.get()))
            self.running.add(task)
            task.add_done_callback(self.running.discard)

    async def ask(self, command):
        answer = asyncio.get_running_loop().create_future()
        self.inbox.put_nowait((command, answer))
        return await answer


async def caller(hub, n):
    for k in range(20):
        await hub.ask((n, k))
        await asyncio.sleep(0.01)


async def main():
    hub = Hub()
    one = asyncio.create_task(hub.run())
    await asyncio.gather(*(caller(hub, n) for n in range(8)))
    one.cancel()


asyncio.run(main())
