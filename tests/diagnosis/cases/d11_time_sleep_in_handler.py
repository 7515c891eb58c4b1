"""time.sleep in a handler stops the whole server (aio-libs/aiohttp#3630).
truth: `handle_report` sleeps 0.15 s in the loop four times; `handle_ping` waits behind it."""
import asyncio
import time


def load_report():
    time.sleep(0.15)


async def handle_report():
    await asyncio.sleep(0.05)
    load_report()


async def handle_ping():
    late = 0.0
    for _ in range(40):
        before = time.perf_counter()
        await asyncio.sleep(0.02)
        late = max(late, time.perf_counter() - before - 0.02)
    return late


async def main():
    ping = asyncio.create_task(handle_ping())
    for _ in range(4):
        await handle_report()
    print(f"truth ping late {await ping * 1e3:.0f} ms")


asyncio.run(main())
