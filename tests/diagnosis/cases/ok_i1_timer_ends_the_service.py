"""healthy: a service with two waiters for stop and a set-up task, told to stop after 1.6 s"""
import asyncio
async def setup(): await asyncio.sleep(0.05)
async def until_stopped(stop): await stop.wait()
async def main():
    stop = asyncio.Event()
    asyncio.get_running_loop().call_later(1.6, stop.set)
    async with asyncio.TaskGroup() as g:
        g.create_task(setup()); g.create_task(until_stopped(stop)); g.create_task(until_stopped(stop))
asyncio.run(main())
