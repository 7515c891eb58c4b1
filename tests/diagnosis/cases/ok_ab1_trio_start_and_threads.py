"""HEALTHY: servers that say when they have started, threads with time-outs that hold, channels that are closed."""
import time

import trio


async def listen(n, task_status=trio.TASK_STATUS_IGNORED):
    await trio.sleep(0.02)
    task_status.started(n)
    await trio.sleep(1.2)


async def produce(send):
    async with send:
        for k in range(40):
            await send.send(k)
            await trio.sleep(0.02)


async def consume(receive):
    async for item in receive:
        with trio.move_on_after(0.5):
            await trio.to_thread.run_sync(time.sleep, 0.005)


async def main():
    async with trio.open_nursery() as nursery:
        for n in range(3):
            await nursery.start(listen, n)
        send, receive = trio.open_memory_channel(10)
        for n in range(3):
            nursery.start_soon(produce, send.clone())
        send.close()
        nursery.start_soon(consume, receive)


trio.run(main)
