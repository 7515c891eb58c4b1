"""A client of a websocket connects again at once when the server closes it
(https://github.com/python-websockets/websockets/issues/414 asks for a pause between two attempts).
truth: `follow` connects some hundred times in 1.3 s; the server closes each connection at once."""
import asyncio
import time

import websockets


async def full(socket):
    await socket.close(1013, "try again later")


async def follow(url, end):
    attempts = 0
    while time.monotonic() < end:
        attempts += 1
        try:
            async with websockets.connect(url, compression=None) as socket:
                async for message in socket:
                    print(message)
        except (OSError, websockets.WebSocketException):
            pass
    return attempts


async def main():
    async with websockets.serve(full, "127.0.0.1", 0, compression=None) as server:
        port = server.sockets[0].getsockname()[1]
        attempts = await follow(f"ws://127.0.0.1:{port}", time.monotonic() + 1.3)
        print("truth", attempts, "attempts")


asyncio.run(main())
