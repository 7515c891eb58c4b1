"""A service of websockets that sends more than its client takes, until that reads."""

import asyncio

from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve

BIG, TIMES = "x" * 1_000_000, 24  # more than the system's buffers hold


async def tell(socket: ServerConnection) -> None:
    await socket.recv()  #: await message (websockets)
    asyncio.get_running_loop().call_later(0.01, full.set)
    for _ in range(TIMES):
        await socket.send(BIG)  #: await send (websockets)


async def main() -> None:
    async with serve(tell, "127.0.0.1", 0, compression=None) as server:
        port = server.sockets[0].getsockname()[1]
        async with connect(f"ws://127.0.0.1:{port}") as socket:  #: await connect (websockets)
            await socket.send("hello")
            await full.wait()
            for _ in range(TIMES):
                await socket.recv()  #: await message (websockets)


full = asyncio.Event()
asyncio.run(main())
