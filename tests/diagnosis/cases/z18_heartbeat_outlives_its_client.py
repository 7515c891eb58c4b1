"""Each client starts a heartbeat that nobody cancels when the client leaves.
truth: each `connect` starts a `heartbeat` task that is never cancelled when the client leaves (`handle`): 150
tasks at the end."""
import asyncio


async def heartbeat(n):
    while True:
        await asyncio.sleep(0.5)


async def handle(n):
    asyncio.create_task(heartbeat(n))
    for _ in range(3):
        await asyncio.sleep(0.02)


async def clients():
    async with asyncio.TaskGroup() as group:
        for n in range(150):
            group.create_task(handle(n))
            await asyncio.sleep(0.02)


asyncio.run(clients())
