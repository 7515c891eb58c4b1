"""All permits of a crawl are taken by one slow host (https://github.com/aio-libs/aiohttp/issues/4011).
wanted: 4 permits held 0.5 s each in `fetch` for the slow host; `fetch` of others waits up to 1.5 s"""
import asyncio
async def download(host, n):
    await asyncio.sleep(0.5 if host == "slow" else 0.01)
async def fetch(sem, host, n):
    async with sem:
        await download(host, n)
async def main():
    sem = asyncio.Semaphore(4)
    await asyncio.gather(*(fetch(sem, "slow", n) for n in range(12)), *(fetch(sem, "fast", n) for n in range(30)))
asyncio.run(main())
