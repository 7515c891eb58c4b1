"""Each round waits for a message or for the stop event, with a new task for the event that nobody cancels
(after https://github.com/python-websockets/websockets/issues/699 and questions on asyncio.wait FIRST_COMPLETED).
truth: about 1,200 tasks of `Event.wait`, made in `serve`, wait at the end; 400 for each of 3 clients.
wanted: tasks made at line 13 in `serve` pile up: they wait for an event that nobody has set."""

import asyncio


async def serve(inbox, stopping):
    handled = 0
    while not stopping.is_set():
        message = asyncio.ensure_future(inbox.get())
        stop = asyncio.ensure_future(stopping.wait())
        done, _ = await asyncio.wait({message, stop}, return_when=asyncio.FIRST_COMPLETED)
        if message in done:
            handled += 1
            await asyncio.sleep(0)
        else:
            message.cancel()
    return handled


async def client(inbox):
    for n in range(400):
        await asyncio.sleep(0.004)
        inbox.put_nowait(n)


async def main():
    stopping = asyncio.Event()
    inboxes = [asyncio.Queue() for _ in range(3)]
    servers = [asyncio.create_task(serve(inbox, stopping)) for inbox in inboxes]
    await asyncio.gather(*map(client, inboxes))
    print("truth: tasks", len(asyncio.all_tasks()))
    stopping.set()
    await asyncio.gather(*servers)


asyncio.run(main())
