"""After github.com/Comfy-Org/comfy-mcp/pull/50: readers of pipes take the default executor.

Truth: each of three jobs parks a thread in `read_all` until its child ends, 0.9 s; the default
executor has three threads: `lookup` waits for one of them.
"""

import asyncio
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

CHILD = "import time; time.sleep(0.9); print('done')"


def read_all(pipe):
    return pipe.read()


async def run_workflow():
    child = subprocess.Popen([sys.executable, "-c", CHILD], stdout=subprocess.PIPE)
    out = await asyncio.to_thread(read_all, child.stdout)
    child.wait()
    return out


def lookup(name):
    return name.upper()


async def tool(number):
    await asyncio.sleep(0.1 + 0.02 * number)
    return await asyncio.to_thread(lookup, f"node {number}")


async def main():
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(3))
    for _ in range(2):
        jobs = [run_workflow() for _ in range(3)]
        await asyncio.gather(*jobs, *(tool(number) for number in range(6)))


asyncio.run(main())
