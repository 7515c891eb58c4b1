"""Healthy: one task for the stop event, for all rounds."""

import asyncio


async def serve(inbox, stopping):
    stop = asyncio.ensure_future(stopping.wait())
    while not stop.done():
        message = asyncio.ensure_future(inbox.get())
        done, _ = await asyncio.wait({message, stop}, return_when=asyncio.FIRST_COMPLETED)
        if message not in done:
            message.cancel()


async def client(inbox):
    for n in range(400):
        await asyncio.sleep(0.004)
        inbox.put_nowait(n)


async def main():
    stopping = asyncio.Event()
    inboxes = [asyncio.Queue() for _ in range(3)]
    servers = [asyncio.create_task(serve(inbox, stopping)) for inbox in inboxes]
    await asyncio.gather(*map(client, inboxes))
    stopping.set()
    await asyncio.gather(*servers)


asyncio.run(main())
