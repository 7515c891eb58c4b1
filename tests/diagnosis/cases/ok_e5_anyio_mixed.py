"""HEALTHY: anyio: a bounded stream, short thread calls within the limiter, and one fail_after on purpose."""
import time

import anyio


def lookup(n):
    time.sleep(0.004)
    return n


async def producer(send, n):
    async with send:
        for k in range(25):
            await send.send((n, k))
            await anyio.sleep(0.02)


async def consumer(receive, out):
    async with receive:
        async for n, k in receive:
            out.append(await anyio.to_thread.run_sync(lookup, k))


async def optional(event):
    try:
        with anyio.fail_after(1.2):
            await event.wait()
    except TimeoutError:
        print("no leader, going on")


async def main():
    send, receive = anyio.create_memory_object_stream(20)
    out = []
    async with anyio.create_task_group() as group:
        group.start_soon(optional, anyio.Event())
        for _ in range(3):
            group.start_soon(consumer, receive.clone(), out)
        receive.close()
        async with send:
            for n in range(4):
                group.start_soon(producer, send.clone(), n)
    print(len(out))


anyio.run(main)
