"""A task waits for an event that another one would have set, had it not failed.
truth: `consume` waits 1.2 s in Event.wait until its time-out; `connect` failed before `set`."""
import asyncio
import contextlib


async def connect(connected):
    await asyncio.sleep(0.02)
    raise ConnectionError
    connected.set()


async def consume(connected):
    try:
        await asyncio.wait_for(connected.wait(), 1.2)
    except TimeoutError:
        print("truth consume gave up")


async def main():
    connected = asyncio.Event()
    failing = asyncio.create_task(connect(connected))
    await asyncio.create_task(consume(connected), name="consumer")
    with contextlib.suppress(ConnectionError):
        await failing


asyncio.run(main())
