"""HEALTHY: trio: producers and consumers over a bounded channel, and quick calls in threads."""
import trio


def parse(n):
    return n * 2


async def produce(channel):
    async with channel:
        for n in range(100):
            await channel.send(n)


async def consume(channel):
    async for n in channel:
        await trio.to_thread.run_sync(parse, n)


async def main():
    sender, receiver = trio.open_memory_channel(5)
    async with trio.open_nursery() as nursery:
        async with sender, receiver:
            for _ in range(3):
                nursery.start_soon(produce, sender.clone())
                nursery.start_soon(consume, receiver.clone())


trio.run(main)
