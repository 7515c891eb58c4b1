"""Synchronous routes of Quart run in the loop's default executor, and slow ones fill it
(https://github.com/pallets/quart/issues/309).
truth: both workers of the default executor are in `report`, 0.4 s each; `status` waits up to 1.4 s for one."""
import asyncio
import time
from concurrent.futures import ThreadPoolExecutor

from quart import Quart

app = Quart(__name__)


@app.get("/report")
def report():
    time.sleep(0.4)  # builds a PDF
    return "done"


@app.get("/status")
def status():
    return "up"


async def main():
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(2))
    client = app.test_client()

    async def ask(path, after):
        await asyncio.sleep(after)
        began = time.monotonic()
        await client.get(path)
        return time.monotonic() - began

    reports = [ask("/report", 0.01 * n) for n in range(8)]
    states = [ask("/status", 0.1 + 0.15 * n) for n in range(8)]
    times = await asyncio.gather(*reports, *states)
    print("truth", f"status {max(times[8:]):.2f} s")


asyncio.run(main())
