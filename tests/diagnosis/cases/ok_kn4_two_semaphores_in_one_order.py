"""Healthy: a permit within a permit of another semaphore, always in one order."""
import asyncio

a, b = asyncio.Semaphore(2), asyncio.Semaphore(2)


async def up(n):
    async with a:
        await asyncio.sleep(0.02)
        async with b:
            await asyncio.sleep(0.01)


async def down(n):
    async with a:
        async with b:
            await asyncio.sleep(0.02)


async def main():
    tasks = [asyncio.create_task(f(n)) for n in range(2) for f in (up, down)]
    done, pending = await asyncio.wait(tasks, timeout=1.2)
    print(len(pending))


asyncio.run(main())
