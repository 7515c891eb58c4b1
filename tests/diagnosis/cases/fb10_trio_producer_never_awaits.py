"""A producer on trio sleeps with `time.sleep` and never awaits, so that its consumer does not run
(https://github.com/python-trio/trio/issues/591).
truth: `produce` blocks the loop 1.6 s, in time.sleep; `consume` gets all 8 items at its end."""
import time

import trio

gaps = []


async def produce(channel):
    async with channel:
        for number in range(8):
            channel.send_nowait((number, time.monotonic()))
            time.sleep(0.2)


async def consume(channel):
    async for number, made in channel:
        gaps.append(time.monotonic() - made)


async def report():
    for _ in range(10):
        await trio.sleep(0.02)


async def main():
    send, receive = trio.open_memory_channel(100)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(consume, receive)
        nursery.start_soon(report)
        nursery.start_soon(produce, send)
    print("truth", round(max(gaps), 2))


trio.run(main)
