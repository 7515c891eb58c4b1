"""Healthy: trio with channels, a few files read in threads and a time-out that does not expire."""
import os
import tempfile

import trio


async def produce(send, folder):
    async with send:
        for n in range(60):
            path = os.path.join(folder, f"{n}.txt")
            await trio.Path(path).write_text("x" * 2000)
            await send.send(path)
            await trio.sleep(0.005)


async def count(receive):
    total = 0
    async for path in receive:
        with trio.move_on_after(5):
            total += len(await trio.Path(path).read_text())
    return total


async def main():
    send, receive = trio.open_memory_channel(10)
    with tempfile.TemporaryDirectory() as folder:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(produce, send, folder)
            for _ in range(3):
                nursery.start_soon(count, receive.clone())
            receive.close()


trio.run(main)
