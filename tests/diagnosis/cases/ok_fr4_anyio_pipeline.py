"""Healthy: an anyio pipeline with room between its stages, a time limit that is not needed."""

import anyio


def shrink(number):
    return number * 2


async def source(send):
    async with send:
        for number in range(80):
            await send.send(number)
            await anyio.sleep(0.015)


async def stage(receive, send):
    async with receive, send:
        async for number in receive:
            with anyio.fail_after(1):
                await send.send(await anyio.to_thread.run_sync(shrink, number))


async def sink(receive, seen):
    async with receive:
        async for number in receive:
            seen.append(number)


async def main():
    seen = []
    first, middle = anyio.create_memory_object_stream(16)
    second, last = anyio.create_memory_object_stream(16)
    async with anyio.create_task_group() as group:
        group.start_soon(source, first)
        group.start_soon(stage, middle, second)
        group.start_soon(sink, last, seen)
    print(len(seen))


anyio.run(main)
