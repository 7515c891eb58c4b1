"""HEALTHY: a solver asks for two things of its point at once, and needs both for the next one."""
import asyncio


async def bounds(x):
    await asyncio.sleep(0.06)
    return x - 1, x + 1


async def gradient(x):
    await asyncio.sleep(0.045)
    return 2 * x - 6


async def main():
    x = 0.0
    for _ in range(25):
        (low, high), slope = await asyncio.gather(bounds(x), gradient(x))
        x = min(max(x - 0.1 * slope, low), high)
    print(round(x, 2))


asyncio.run(main())
