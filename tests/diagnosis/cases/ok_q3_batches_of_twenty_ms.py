"""Requests are collected for 20 ms and answered together."""
import asyncio


async def collect(requests):
    while True:
        batch = [await requests.get()]
        await asyncio.sleep(0.02)
        while not requests.empty():
            batch.append(requests.get_nowait())
        await asyncio.sleep(0.03)
        for answer in batch:
            answer.set_result(None)


async def visitor(requests, n):
    await asyncio.sleep(n * 0.013)
    for _ in range(20):
        answer = asyncio.get_running_loop().create_future()
        await requests.put(answer)
        await answer
        await asyncio.sleep(0.03)


async def main():
    requests = asyncio.Queue()
    collector = asyncio.create_task(collect(requests))
    await asyncio.gather(*(visitor(requests, n) for n in range(8)))
    collector.cancel()


asyncio.run(main())
