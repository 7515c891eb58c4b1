"""Shards meet at a barrier of four while they have a permit, and there are three permits
(https://www.systemoverflow.com/learn/sync-patterns/barrier-synchronization/barrier-sync-deadlocks).
truth: 3 `shard` have the permits and wait at the Barrier for the 4th, which waits for a permit. 1.2 s."""
import asyncio


async def shard(n, permits, meet):
    async with permits:
        await asyncio.sleep(0.02 * n)
        await meet.wait()
        await asyncio.sleep(0.01)


async def main():
    permits = asyncio.Semaphore(3)
    meet = asyncio.Barrier(4)
    try:
        async with asyncio.timeout(1.3):
            await asyncio.gather(*(shard(n, permits, meet) for n in range(4)))
    except TimeoutError:
        print("truth gave up,", meet.n_waiting, "at the barrier")


asyncio.run(main())
