"""Each request of a GraphQL-like subscription adds a task that waits for the next event of a client
that has left (https://github.com/aio-libs/aiohttp/issues/5726, other symptom).
truth: 60 tasks `forward` in `Queue.get`, one for each `subscribe`, none ends."""
import asyncio
import json

class Hub:
    def __init__(self):
        self.queues = []
        self.tasks = set()

    def subscribe(self, send):
        queue = asyncio.Queue()
        self.queues.append(queue)
        task = asyncio.get_running_loop().create_task(forward(queue, send))
        self.tasks.add(task)

    def publish(self, event):
        for queue in self.queues[-3:]:
            queue.put_nowait(event)


async def forward(queue, send):
    while True:
        event = await queue.get()
        await send(json.dumps(event))


async def client(hub, n):
    got = []

    async def send(text):
        got.append(text)
        await asyncio.sleep(0)

    hub.subscribe(send)
    await asyncio.sleep(0.04)
    return len(got)


async def ticker(hub):
    n = 0
    while True:
        hub.publish({"n": n})
        n += 1
        await asyncio.sleep(0.01)


async def main():
    hub = Hub()
    ticking = asyncio.create_task(ticker(hub))
    for n in range(60):
        await client(hub, n)
    ticking.cancel()
    print("truth", sum(not task.done() for task in hub.tasks), "tasks left")


asyncio.run(main())
