"""Requests are collected until there are eight of them, or 0.5 s have passed; with three
visitors there are never eight.

After https://github.com/ray-project/ray/pull/27731
"""
import asyncio


async def collect(requests: asyncio.Queue):
    while True:
        batch = [await requests.get()]
        loop = asyncio.get_running_loop()
        until = loop.time() + 0.5
        while len(batch) < 8 and loop.time() < until:
            try:
                batch.append(await asyncio.wait_for(requests.get(), until - loop.time()))
            except TimeoutError:
                break
        await asyncio.sleep(0.01)
        for answer in batch:
            answer.set_result(None)


async def predict(requests):
    answer = asyncio.get_running_loop().create_future()
    await requests.put(answer)
    await answer


async def visitor(requests, n):
    await asyncio.sleep(n * 0.1)
    for _ in range(4):
        await predict(requests)
        await asyncio.sleep(0.02)


async def main():
    requests = asyncio.Queue()
    collector = asyncio.create_task(collect(requests))
    await asyncio.gather(*(visitor(requests, n) for n in range(3)))
    collector.cancel()


asyncio.run(main())
