"""A batch is sent when no item has come for 80 ms; items come every 40 ms, so it never is
(after https://github.com/gorakhargosh/watchdog/issues/999).
truth: `push` waits up to 1.6 s for its batch; `Batch.add` cancels the timer and sets it anew 40 times."""
import asyncio


class Batch:
    def __init__(self):
        self.items = []
        self.timer = None

    def add(self, item):
        done = asyncio.get_running_loop().create_future()
        self.items.append((item, done))
        if self.timer:
            self.timer.cancel()
        self.timer = asyncio.get_running_loop().call_later(0.08, self.send)
        return done

    def send(self):
        items, self.items = self.items, []
        for item, done in items:
            done.set_result(item)


async def push(batch, n, waits):
    loop = asyncio.get_running_loop()
    begun = loop.time()
    await batch.add(n)
    waits.append(loop.time() - begun)


async def main():
    batch, waits = Batch(), []
    async with asyncio.TaskGroup() as group:
        for n in range(40):
            group.create_task(push(batch, n, waits))
            await asyncio.sleep(0.04)
    print("truth longest", max(waits))


asyncio.run(main())
