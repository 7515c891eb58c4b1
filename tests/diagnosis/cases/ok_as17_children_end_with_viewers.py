"""Healthy: each viewer's child is ended and awaited as the viewer goes."""

import asyncio


async def stream(n):
    child = await asyncio.create_subprocess_exec("sleep", "30", stdout=asyncio.subprocess.PIPE)
    try:
        await asyncio.wait_for(child.stdout.read(100), 0.05)
    except TimeoutError:
        pass
    finally:
        child.kill()
        await child.wait()


async def main():
    for n in range(24):
        await asyncio.create_task(stream(n))
        await asyncio.sleep(0.03)


asyncio.run(main())
