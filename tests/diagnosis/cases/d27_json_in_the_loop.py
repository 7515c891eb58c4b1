"""A large document is parsed in the loop while others wait (as aio-libs/aiohttp#3457).
truth: `upload` blocks the loop for a fifth of a second in json; `heartbeat` is late."""
import asyncio
import json
import time

document = json.dumps([{"id": n, "tags": ["a", "b", str(n)]} for n in range(120_000)])


async def upload():
    await asyncio.sleep(0.1)
    return len(json.loads(document))


async def heartbeat():
    late = 0.0
    for _ in range(30):
        before = time.perf_counter()
        await asyncio.sleep(0.02)
        late = max(late, time.perf_counter() - before - 0.02)
    return late


async def main():
    beat = asyncio.create_task(heartbeat())
    for _ in range(4):
        await upload()
    print(f"truth late {await beat * 1e3:.0f} ms")


asyncio.run(main())
