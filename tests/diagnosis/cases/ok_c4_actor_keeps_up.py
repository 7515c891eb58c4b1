"""HEALTHY: one task owns the store and takes commands from an inbox; it needs 2 ms for each, and callers come
seldom enough; now and then it writes for 60 ms."""
import asyncio
import random

dice = random.Random(3)


class Store:
    def __init__(self):
        self.inbox = asyncio.Queue()

    async def run(self):
        done = 0
        while True:
            command, answer = await self.inbox.get()
            done += 1
            await asyncio.sleep(0.06 if done % 60 == 0 else 0.002)
            answer.set_result(command)

    async def ask(self, command):
        answer = asyncio.get_running_loop().create_future()
        self.inbox.put_nowait((command, answer))
        return await answer


async def caller(store, n):
    for k in range(40):
        await store.ask((n, k))
        await asyncio.sleep(0.02 + 0.06 * dice.random())


async def main():
    store = Store()
    one = asyncio.create_task(store.run(), name="store")
    await asyncio.gather(*(caller(store, n) for n in range(6)))
    one.cancel()


asyncio.run(main())
