"""A task that answers requests fails, and its callers run into their time-outs
(after reports of "Task exception was never retrieved" and calls that hang from then on).
truth: the task `store_actor` ended with KeyError after 0.3 s; every `request` since waits for a reply that
nobody sends and runs into its time-out of 0.5 s (in `ask`)."""
import asyncio


class Store:
    def __init__(self):
        self.inbox = asyncio.Queue()
        self.rows = {n: n * n for n in range(20)}
        self.task = asyncio.create_task(self.store_actor(), name="store_actor")

    async def store_actor(self):
        while True:
            key, reply = await self.inbox.get()
            await asyncio.sleep(0.002)
            value = self.rows[key]
            if not reply.done():
                reply.set_result(value)

    async def ask(self, key):
        reply = asyncio.get_running_loop().create_future()
        await self.inbox.put((key, reply))
        async with asyncio.timeout(0.5):
            return await reply


async def request(store, n, stats):
    for k in range(8):
        try:
            await store.ask((n * 3 + k) % 21)
            stats["ok"] += 1
        except TimeoutError:
            stats["late"] += 1
        await asyncio.sleep(0.05)


async def ticker():
    while True:
        await asyncio.sleep(0.1)
        sum(range(3000))


async def main():
    stats = {"ok": 0, "late": 0}
    store = Store()
    tick = asyncio.create_task(ticker())
    async with asyncio.timeout(6):
        async with asyncio.TaskGroup() as group:
            for n in range(6):
                group.create_task(request(store, n, stats), name=f"request-{n}")
    tick.cancel()
    print(stats)


asyncio.run(main())
