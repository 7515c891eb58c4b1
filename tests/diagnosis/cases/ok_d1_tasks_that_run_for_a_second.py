"""HEALTHY: four sessions run for a second each, until their stop event or their time is over; one
optional helper fails before they begin."""
import asyncio


async def helper():
    raise OSError("no metrics server")


async def session(stop, seen):
    async def tick():
        while True:
            await asyncio.sleep(0.05)
            seen.append(1)

    ticker = asyncio.create_task(tick())
    try:
        async with asyncio.timeout(1.1):
            await stop.wait()
    except TimeoutError:
        ticker.cancel()


async def main():
    seen = []
    optional = asyncio.create_task(helper())
    await asyncio.wait([optional])
    await asyncio.gather(*(session(asyncio.Event(), seen) for _ in range(4)))
    print(len(seen), optional.exception())


asyncio.run(main())
