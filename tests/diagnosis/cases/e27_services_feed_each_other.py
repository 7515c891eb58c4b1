"""Two tasks put into each other's bounded queue
(https://github.com/ce-rust/cerk/issues/96).
truth: `kernel` and `port` each wait in put for room in the queue that only the other empties."""
import asyncio


async def kernel(events, commands):
    while True:
        event = await events.get()
        for _ in range(3):
            await commands.put(event)


async def port(events, commands):
    while True:
        command = await commands.get()
        for _ in range(3):
            await events.put(command)


async def main():
    events, commands = asyncio.Queue(4), asyncio.Queue(4)
    events.put_nowait(1)
    try:
        async with asyncio.timeout(1.2), asyncio.TaskGroup() as group:
            group.create_task(kernel(events, commands), name="kernel")
            group.create_task(port(events, commands), name="port")
    except TimeoutError:
        print("truth: stuck")


asyncio.run(main())
