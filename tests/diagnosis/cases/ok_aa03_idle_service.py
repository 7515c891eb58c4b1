"""healthy: a service ends when nothing has come for 0.2 s, and three tasks wait for that"""
import asyncio


async def main():
    loop, stop, timer = asyncio.get_running_loop(), asyncio.Event(), None

    def idle():
        stop.set()

    async def connection():
        nonlocal timer
        for _ in range(20):
            await asyncio.sleep(0.02)
            if timer:
                timer.cancel()
            timer = loop.call_later(0.2, idle)

    async def until_stopped():
        await stop.wait()

    async with asyncio.TaskGroup() as group:
        for _ in range(4):
            group.create_task(connection())
        for _ in range(3):
            group.create_task(until_stopped())


asyncio.run(main())
