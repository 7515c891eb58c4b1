"""A thread that should resolve a future of the loop dies before it does.
After https://github.com/tilezen/tilequeue/issues/131 and reports like it. Six tasks `handle`
wait 1 s in `get_model` for the future that the thread `loader` should have resolved; the
loader had failed (FileNotFoundError) in `read_weights`."""

import asyncio
import threading


class Registry:
    def __init__(self):
        self.ready = asyncio.get_running_loop().create_future()
        self.loop = asyncio.get_running_loop()
        threading.Thread(target=self.load, name="loader", daemon=True).start()

    def read_weights(self):
        with open("/nonexistent/weights.bin", "rb") as f:
            return f.read()

    def load(self):
        weights = self.read_weights()
        self.loop.call_soon_threadsafe(self.ready.set_result, weights)


async def get_model(registry):
    return await asyncio.shield(registry.ready)


async def handle(registry, n):
    await asyncio.sleep(0.02 * n)
    try:
        async with asyncio.timeout(1):
            return await get_model(registry)
    except TimeoutError:
        return None


async def heartbeat():
    while True:
        await asyncio.sleep(0.05)


async def main():
    threading.excepthook = lambda args: print("failed:", args.exc_type.__name__)
    registry = Registry()
    beat = asyncio.create_task(heartbeat())
    async with asyncio.TaskGroup() as group:
        answers = [group.create_task(handle(registry, n)) for n in range(6)]
    print(sum(a.result() is None for a in answers), "requests without an answer")
    beat.cancel()


asyncio.run(main())
