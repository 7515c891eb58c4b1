"""`asyncio.wait(..., FIRST_COMPLETED)` is called again for each of many tasks
(after https://github.com/python/cpython/issues about the quadratic cost of asyncio.wait).
truth: `collect` computes most of the time in asyncio.wait: some 1,000 rounds over up to 10,000 tasks each."""
import asyncio


async def download(number):
    await asyncio.sleep(0.01 + number / 3000)
    return number


async def ticker(late):
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + 0.01
        await asyncio.sleep(0.01)
        late.append(loop.time() - due)


async def collect(numbers):
    pending = {asyncio.create_task(download(n)) for n in numbers}
    results = []
    while pending:
        done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        results += [task.result() for task in done]
    return results


async def main():
    late = []
    tick = asyncio.create_task(ticker(late))
    await collect(range(10000))
    tick.cancel()
    print(f"truth ticker was late by {sum(late):.2f} s in all")


asyncio.run(main())
