"""Two calls are gathered, but again and again in a loop: each round waits for its slowest call
(https://amplified-process-d87.notion.site/gather-e597a9285f8849c5b13cd2f3e4a76012).
truth: `main` waits 10 rounds of 200 ms for `two`, which sleeps; all at once would take 0.2 s."""
import asyncio
import time


async def one(number):
    await asyncio.sleep(0.03)
    return number


async def two(number):
    await asyncio.sleep(0.2)
    return number


async def main():
    began = time.monotonic()
    for number in range(10):
        await asyncio.gather(one(number), two(number))
    print("truth", round(time.monotonic() - began, 2))


asyncio.run(main())
