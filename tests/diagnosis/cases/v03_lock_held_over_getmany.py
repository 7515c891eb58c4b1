"""A consumer keeps its lock while it waits for messages, and the listener that a rebalance must
wait for needs that lock (https://github.com/aio-libs/aiokafka/issues/335).
truth: `process` holds `state_lock` in `getmany`, whose messages come only when the
partitions are assigned again; the coordinator's `on_revoked` waits for `state_lock`. 1.5 s, until its time-out."""
import asyncio
import time


class Consumer:
    def __init__(self):
        self.assigned = asyncio.Event()
        self.assigned.set()
        self.listener = None
        self.topic = asyncio.Queue()
        self.is_fetching = False

    async def getmany(self):
        self.is_fetching = self.topic.empty()
        message = await self.topic.get()
        self.is_fetching = False
        return [message]

    async def rebalance(self):
        while not self.is_fetching or not self.topic.empty():
            await asyncio.sleep(0.001)
        self.assigned.clear()
        try:
            async with asyncio.timeout(1.5):
                await self.listener.on_revoked()
        except TimeoutError:
            print("the group threw this member out")
        self.assigned.set()


class Listener:
    def __init__(self, lock):
        self.lock = lock

    async def on_revoked(self):
        async with self.lock:
            await asyncio.sleep(0.002)  # commits


async def process(consumer, lock, done):
    while True:
        async with lock:
            for message in await consumer.getmany():
                await asyncio.sleep(0.002)
                done.append(message)
        await asyncio.sleep(0)


async def produce(consumer):
    for n in range(100):
        await consumer.assigned.wait()  # a revoked partition is not fetched
        consumer.topic.put_nowait(n)
        await asyncio.sleep(0.01)


async def health(late):
    while True:
        since = time.monotonic()
        await asyncio.sleep(0.02)
        late.append(time.monotonic() - since - 0.02)


async def main():
    consumer, lock, done, late = Consumer(), asyncio.Lock(), [], []
    consumer.listener = Listener(lock)
    async with asyncio.TaskGroup() as group:
        working = group.create_task(process(consumer, lock, done), name="process")
        looking = group.create_task(health(late), name="health")
        producing = group.create_task(produce(consumer), name="produce")
        await asyncio.sleep(0.2)
        rebalancing = group.create_task(consumer.rebalance(), name="coordinator")
        await producing
        await rebalancing
        await asyncio.sleep(0.3)
        working.cancel()
        looking.cancel()
    print("truth", len(done), f"{max(late):.3f}")


asyncio.run(main())
