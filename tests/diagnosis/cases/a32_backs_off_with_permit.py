"""tenacity backs off while its caller has a permit
(https://github.com/jd/tenacity/issues/147).
truth: `call` keeps one of 3 permits 0.3 s asleep between attempts; 12 others wait for one."""
import asyncio
from tenacity import retry, stop_after_attempt, wait_fixed
sem = None; seen = {}
@retry(wait=wait_fixed(0.3), stop=stop_after_attempt(3))
async def ask(i):
    seen[i] = seen.get(i, 0) + 1
    await asyncio.sleep(0.005)
    if seen[i] < 2: raise ConnectionError(i)
async def call(i):
    async with sem: await ask(i)
async def client(i):
    await asyncio.sleep(0.03 * i); await call(i)
async def main():
    global sem
    sem = asyncio.Semaphore(3)
    await asyncio.gather(*[asyncio.create_task(client(i)) for i in range(15)])
asyncio.run(main())
