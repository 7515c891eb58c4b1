"""After github.com/it-at-m/zammad-ai/issues/310: a message that cannot be handled is tried again and again, and those behind
it wait (head-of-line blocking).

Truth: message 5 of partition 0 fails each time; `consume` tries it every 0.25 s for 3.5 s, while 30 messages stand
behind it in the queue of that partition; partition 1 goes on.
"""

import asyncio
import time


class BadOrder(Exception):
    pass


class Broker:
    def __init__(self, partitions):
        self.partitions = [asyncio.Queue() for _ in range(partitions)]

    async def publish(self, key, order):
        await self.partitions[key % len(self.partitions)].put(order)


async def save(order):
    await asyncio.sleep(0.01)
    if order["amount"] < 0:
        raise BadOrder(order["id"])


async def consume(queue, done, stop_at):
    while True:
        order = await queue.get()
        while True:
            try:
                await save(order)
                break
            except BadOrder:
                if time.monotonic() > stop_at:
                    break
                await asyncio.sleep(0.25)
        done.append(time.monotonic() - order["at"])
        queue.task_done()


async def produce(broker):
    for n in range(70):
        amount = -1 if n == 10 else n
        await broker.publish(n, {"id": n, "amount": amount, "at": time.monotonic()})
        await asyncio.sleep(0.04)


async def main():
    broker, done = Broker(2), []
    stop_at = time.monotonic() + 3.8
    consumers = [
        asyncio.create_task(consume(queue, done, stop_at), name=f"partition-{n}")
        for n, queue in enumerate(broker.partitions)
    ]
    await produce(broker)
    for queue in broker.partitions:
        await queue.join()
    for consumer in consumers:
        consumer.cancel()
    print("truth", sum(late > 0.5 for late in done), "orders late, at most", round(max(done), 2), "s")


asyncio.run(main())
