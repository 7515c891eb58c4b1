"""`wait` for a child whose output nobody reads
(https://docs.python.org/3/library/asyncio-subprocess.html#asyncio.subprocess.Process.wait).
truth: `convert` waits 1 s in vain for a child that stands in write to its full pipe."""
import asyncio
import sys

CHILD = "import sys; sys.stdout.write('x' * 300_000)"


async def convert():
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", CHILD, stdout=asyncio.subprocess.PIPE, limit=1000
    )
    try:
        await asyncio.wait_for(child.wait(), 1.5)
    except TimeoutError:
        print("truth: gave up")
        child.kill()
        await child.communicate()


asyncio.run(convert())
