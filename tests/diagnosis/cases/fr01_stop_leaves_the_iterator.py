"""After github.com/aio-libs/aiokafka/issues/80: `stop` ends the fetcher, and the readers wait on.

Truth: four readers wait in `read` for messages that nobody will put any more, since `stop` ended
the only task that put them; the program waits for the readers.
"""

import asyncio
import contextlib


class Consumer:
    def __init__(self):
        self.messages = asyncio.Queue()
        self.task = asyncio.create_task(self.fetch())

    async def fetch(self):
        number = 0
        while True:
            await asyncio.sleep(0.01)
            await self.messages.put(number)
            number += 1

    async def stop(self):
        self.task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.task

    def __aiter__(self):
        return self

    async def __anext__(self):
        return await self.messages.get()


async def read(consumer, seen):
    async for message in consumer:
        seen.append(message)


async def main():
    consumer, seen = Consumer(), []
    readers = [asyncio.create_task(read(consumer, seen)) for _ in range(4)]
    await asyncio.sleep(0.6)
    await consumer.stop()
    done, pending = await asyncio.wait(readers, timeout=2.0)
    print(len(seen), len(done), len(pending))
    for reader in pending:
        reader.cancel()
    await asyncio.gather(*readers, return_exceptions=True)


asyncio.run(main())
