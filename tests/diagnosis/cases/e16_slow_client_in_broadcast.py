"""A broadcast sends to all clients while it has the lock; one of them does not read
(https://github.com/yuanyunfan/AITaskQueue/issues/4).
truth: `broadcast` has the asyncio.Lock for 1 s in send; `join` and other broadcasts wait for it."""
import asyncio

from websockets.asyncio.client import connect
from websockets.asyncio.server import serve

clients = set()


async def broadcast(lock, text):
    async with lock:
        for client in list(clients):
            try:
                await asyncio.wait_for(client.send(text), 0.7)
            except TimeoutError:
                pass


async def join(lock):
    async with lock:
        pass


async def main():
    lock = asyncio.Lock()
    closing = asyncio.Event()

    async def handler(socket):
        clients.add(socket)
        await closing.wait()

    async with serve(handler, "127.0.0.1", 0, write_limit=1000, max_queue=2) as server:
        port = server.sockets[0].getsockname()[1]
        url = f"ws://127.0.0.1:{port}"
        slow = await connect(url, compression=None)
        slow.transport.pause_reading()
        await asyncio.sleep(0.1)
        big = "x" * 20_000_000
        tasks = [asyncio.create_task(broadcast(lock, big), name="broadcast")]
        await asyncio.sleep(0.05)
        tasks += [asyncio.create_task(join(lock), name=f"join-{n}") for n in range(4)]
        await asyncio.gather(*tasks)
        closing.set()
        slow.transport.abort()


asyncio.run(main())
