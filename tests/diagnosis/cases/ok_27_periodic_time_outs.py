"""CLEAN: a consumer looks for messages with a time-out of 0.2 s; some come."""
import asyncio


async def consume(messages):
    got = 0
    while got < 3:
        try:
            await asyncio.wait_for(messages.get(), 0.2)
            got += 1
        except TimeoutError:
            pass


async def main():
    messages = asyncio.Queue()
    consumer = asyncio.create_task(consume(messages))
    for n in range(3):
        await asyncio.sleep(0.5)
        messages.put_nowait(n)
    await consumer


asyncio.run(main())
