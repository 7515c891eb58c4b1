"""A page of mixed parts, each as long as it must be; a start-up task runs longer than the rest."""
import asyncio, random
async def part(n, r): await asyncio.sleep(0.05 + r.random() * 0.1); return n
async def page(r): return await asyncio.gather(*(part(n, r) for n in range(6)))
async def main():
    r = random.Random(1)
    for _ in range(10):
        await asyncio.gather(*(page(r) for _ in range(3))); await asyncio.sleep(0.01)
asyncio.run(main())
