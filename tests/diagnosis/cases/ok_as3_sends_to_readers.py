"""Healthy: a task for each send, all clients read."""

import asyncio


async def send_state(writer, lock, state):
    async with lock:
        writer.write(state)
        await writer.drain()


clients, tasks = [], set()


async def on_client(reader, writer):
    clients.append((writer, asyncio.Lock()))


async def browser(port):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while await reader.read(65536):
        pass
    writer.close()


async def main():
    server = await asyncio.start_server(on_client, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    browsers = [asyncio.create_task(browser(port)) for _ in range(3)]
    await asyncio.sleep(0.1)
    for _ in range(150):
        for writer, lock in clients:
            task = asyncio.create_task(send_state(writer, lock, b"x" * 6000))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        await asyncio.sleep(0.01)
    for writer, _ in clients:
        writer.close()
    await asyncio.gather(*browsers)


asyncio.run(main())
