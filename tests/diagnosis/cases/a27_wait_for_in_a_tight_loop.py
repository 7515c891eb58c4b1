"""Each of 20 clients asks once a millisecond whether its shielded future is done
(https://github.com/python/cpython/issues/86296).
wanted: 20 `poll_result` tasks wake each ms (wait_for 1 ms in a loop) 15,000 times; just await the future"""
import asyncio


async def compute(n):
    await asyncio.sleep(1.5)
    return n


async def poll_result(n):
    job = asyncio.create_task(compute(n))
    while True:
        try:
            return await asyncio.wait_for(asyncio.shield(job), 0.001)
        except TimeoutError:
            continue


async def main():
    print(await asyncio.gather(*(poll_result(n) for n in range(20))))

asyncio.run(main())
