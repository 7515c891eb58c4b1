"""Each viewer starts a child for its stream; when the viewer goes, nobody ends the child (asyncio.subprocess)
(after https://github.com/aio-libs/aiohttp/discussions and reports of ffmpeg processes that pile up).
truth: 24 children of `stream` run at the end, though each viewer was gone after 0.05 s.
wanted: children started in `stream` (line 10) pile up: nobody waits for them or ends them."""

import asyncio


async def stream(n):
    child = await asyncio.create_subprocess_exec(
        "sleep", "30", stdout=asyncio.subprocess.PIPE
    )
    children.append(child)
    await asyncio.wait_for(child.stdout.read(100), 0.05)


async def viewer(n):
    try:
        await stream(n)
    except TimeoutError:
        pass  # gone


children = []


async def main():
    for n in range(24):
        await asyncio.create_task(viewer(n))
        await asyncio.sleep(0.03)
    print("truth: alive", sum(child.returncode is None for child in children))
    for child in children:
        child.kill()
    await asyncio.gather(*(child.wait() for child in children))


asyncio.run(main())
