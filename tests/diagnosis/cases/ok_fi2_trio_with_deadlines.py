"""Healthy: trio producers and consumers over a bounded channel, with deadlines that are met."""

import random

import trio


async def produce(send, count):
    async with send:
        for n in range(count):
            with trio.fail_after(1):
                await send.send(n)
            await trio.sleep(random.uniform(0, 0.01))


async def consume(receive, done):
    async with receive:
        async for item in receive:
            with trio.move_on_after(0.5):
                await trio.sleep(random.uniform(0.001, 0.006))
                done.append(item)


async def main():
    send, receive = trio.open_memory_channel(20)
    done = []
    async with trio.open_nursery() as nursery:
        async with send, receive:
            for _ in range(3):
                nursery.start_soon(produce, send.clone(), 60)
                nursery.start_soon(consume, receive.clone(), done)
    print(len(done))


trio.run(main)
