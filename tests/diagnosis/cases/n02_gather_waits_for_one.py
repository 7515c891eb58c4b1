"""A page waits for the slowest of ten requests.
After https://github.com/globocom/hlsclient/issues/42 and reports like it.

`page` waits 1.3 s in gather for one `fetch` (awaiting sleep/answer in `query`),
the other nine took 40 ms. No time-out."""
import asyncio, time
async def query(shard):
    await asyncio.sleep(1.3 if shard == 6 else 0.03 + shard / 1000)
    return shard
async def fetch(shard):
    rows = await query(shard)
    return rows
async def page():
    return sum(await asyncio.gather(*(fetch(s) for s in range(10))))
async def other():
    while True:
        await asyncio.sleep(0.05)
async def main():
    o = asyncio.create_task(other())
    for _ in range(2):
        began = time.monotonic()
        await page()
        print(f"{time.monotonic() - began:.2f} s")
        await asyncio.sleep(0.1)
    o.cancel()
asyncio.run(main())
