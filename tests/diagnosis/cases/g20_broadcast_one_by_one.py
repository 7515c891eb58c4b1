"""A hub sends each message to one client after the other; the phone on a bad line takes 120 ms
for each, so that all who publish wait for it.

After https://github.com/python-websockets/websockets/issues/859
"""
import asyncio


async def client(inbox: asyncio.Queue, takes: float):
    while await inbox.get() is not None:
        await asyncio.sleep(takes)


async def hub(messages: asyncio.Queue, clients: list):
    while (item := await messages.get()) is not None:
        text, sent = item
        for inbox in clients:
            await inbox.put(text)
        sent.set_result(True)


async def publish(messages, n):
    await asyncio.sleep(n * 0.06)
    sent = asyncio.get_running_loop().create_future()
    await messages.put((f"m{n}", sent))
    await sent


async def main():
    messages, clients = asyncio.Queue(), [asyncio.Queue(1) for _ in range(4)]
    tasks = [asyncio.create_task(client(c, 0.12 if i == 2 else 0.001)) for i, c in enumerate(clients)]
    served = asyncio.create_task(hub(messages, clients))
    await asyncio.gather(*(publish(messages, n) for n in range(16)))
    await messages.put(None)
    await served
    for c in clients:
        await c.put(None)
    await asyncio.gather(*tasks)


asyncio.run(main())
