"""Shutdown cancels all tasks and waits; one of them traps the cancel and goes on with its shielded work
(https://github.com/home-assistant/core/pull/56499).
wanted: `stop` waited 1.5 s after its cancel for `sync_devices`, which waits on in shielded `push_states` (sleep)"""
import asyncio, time


async def push_states():
    for _ in range(15):
        await asyncio.sleep(0.1)


async def sync_devices():
    inner = asyncio.ensure_future(push_states())
    try:
        await asyncio.shield(inner)
    except asyncio.CancelledError:
        await inner
        raise


async def poll_sensor(i):
    while True:
        await asyncio.sleep(0.2)


async def stop(tasks):
    for t in tasks: t.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def main():
    tasks = [asyncio.create_task(poll_sensor(i)) for i in range(6)]
    tasks.append(asyncio.create_task(sync_devices()))
    await asyncio.sleep(0.3)
    t = time.monotonic()
    await stop(tasks)
    print("truth", time.monotonic() - t)

asyncio.run(main())
