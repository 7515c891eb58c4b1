"""Files are converted one after the other, each by a process of its own
(https://github.com/python/asyncio/issues/374).
truth: `convert` is awaited 12 times in turn in `convert_all`, 0.12 s each; four at a time would take a quarter."""
import asyncio


async def convert(name):
    process = await asyncio.create_subprocess_exec("sleep", "0.12")
    await process.wait()
    return name


async def convert_all(names):
    return [await convert(name) for name in names]


async def main():
    print(len(await convert_all(range(12))))


asyncio.run(main())
