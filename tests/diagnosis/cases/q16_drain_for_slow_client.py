"""A chat sends a message to one client after the other; one of them does not read
(https://github.com/steelkiwi/aiohttp_test_chat/issues/4).
truth: `broadcast` stands 1.2 s in `drain` for one client; the 4 after it get nothing meanwhile."""
import asyncio

clients = []


async def joined(reader, writer):
    clients.append(writer)
    await reader.read()


async def broadcast(message):
    for client in clients:
        client.write(message)
        await client.drain()


async def listen(address, asleep, got):
    reader, writer = await asyncio.open_connection(*address, limit=4096)
    await asyncio.sleep(asleep)
    while await reader.read(1 << 20):
        got.append(1)


async def main():
    server = await asyncio.start_server(joined, "127.0.0.1", 0)
    address = server.sockets[0].getsockname()
    got = []
    listeners = []
    for asleep in (0, 1.3, 0, 0, 0, 0):
        listeners.append(asyncio.create_task(listen(address, asleep, got)))
        await asyncio.sleep(0.02)
    for _ in range(4):
        await broadcast(b"x" * 8_000_000)
    for listener in listeners:
        listener.cancel()


asyncio.run(main())
