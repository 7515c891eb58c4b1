"""A feed makes a task for each message and client, so that nobody waits for a slow client: its tasks pile up
(after https://github.com/auntiepickle/totalmix-osc-bridge/issues/32 and https://github.com/aio-libs/aiohttp/issues/1367).
truth: 600 `send_state` tasks, those for the client that does not read wait in drain and never end (about 200).
wanted: tasks `send_state`, made in `broadcast` pile up: they wait for the lock over a drain (line 12) for a client that does not read."""

import asyncio


async def send_state(writer, lock, state):
    async with lock:
        writer.write(state)
        await writer.drain()


class Hub:
    def __init__(self):
        self.clients = []
        self.tasks = set()

    async def on_client(self, reader, writer):
        self.clients.append((writer, asyncio.Lock()))

    def broadcast(self, state):
        for writer, lock in self.clients:
            task = asyncio.create_task(send_state(writer, lock, state))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)


async def browser(port, reads):
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=4096)
    while reads:
        if not await reader.read(65536):
            break
    await asyncio.sleep(9)


async def main():
    hub = Hub()
    server = await asyncio.start_server(hub.on_client, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    browsers = [asyncio.create_task(browser(port, reads)) for reads in (True, True, False)]
    await asyncio.sleep(0.1)
    for _ in range(250):
        hub.broadcast(b"x" * 60000)
        await asyncio.sleep(0.01)
    print("truth: tasks not done", len(hub.tasks))
    for task in [*browsers, *hub.tasks]:
        task.cancel()


asyncio.run(main())
