"""Healthy: forty small tools, four at a time, their output read by the loop."""
import asyncio


async def convert(n, gate):
    async with gate:
        process = await asyncio.create_subprocess_exec(
            "sh", "-c", f"sleep 0.03; echo {n}", stdout=asyncio.subprocess.PIPE
        )
        out, _ = await process.communicate()
        return int(out)


async def heartbeat():
    while True:
        await asyncio.sleep(0.05)


async def main():
    beat = asyncio.create_task(heartbeat())
    gate = asyncio.Semaphore(4)
    await asyncio.gather(*(convert(n, gate) for n in range(40)))
    beat.cancel()


asyncio.run(main())
