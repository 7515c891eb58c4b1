"""HEALTHY: trio: a collector gathers what comes within 80 ms; an alarm that does not come is waited for."""
import random

import trio


async def sensor(send, n, rnd):
    async with send:
        for k in range(20):
            await trio.sleep(rnd.uniform(0.05, 0.15))
            await send.send((n, k))


async def collector(receive, batches):
    done = False
    while not done:
        batch = []
        with trio.move_on_after(0.08):
            while True:
                try:
                    batch.append(await receive.receive())
                except trio.EndOfChannel:
                    done = True
                    break
        if batch:
            batches.append(sum(k for _, k in batch))


async def alarm(event):
    with trio.move_on_after(2) as scope:
        await event.wait()
    print("alarm", not scope.cancelled_caught)


async def main():
    rnd = random.Random(3)
    send, receive = trio.open_memory_channel(50)
    batches = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(collector, receive, batches)
        nursery.start_soon(alarm, trio.Event())
        async with send:
            for n in range(8):
                nursery.start_soon(sensor, send.clone(), n, rnd)
    print(len(batches))


trio.run(main)
