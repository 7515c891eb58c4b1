"""After github.com/QuentinFuxa/WhisperLiveKit/issues/220: "1011 keepalive ping timeout". Needs websockets.

Truth: the server transcribes each chunk of audio in the loop (0.9 s of computing in `process_iter`); meanwhile nobody
answers the pings of the other clients (0.4 s), and their connections are closed and opened again.
"""

import asyncio
import time

import websockets
from websockets.asyncio.client import connect
from websockets.asyncio.server import serve


class Transcriber:
    def process_iter(self, audio):
        end, score = time.thread_time() + 0.9, 0
        while time.thread_time() < end:
            score = (score * 31 + len(audio)) % 65537
        return score

    async def handle(self, socket):
        async for audio in socket:
            if len(audio) > 1000:
                tokens = self.process_iter(audio)
                await socket.send(str(tokens))
            else:
                await socket.send("ok")


async def listener(port, lost, end):
    while time.monotonic() < end:
        try:
            async with connect(f"ws://127.0.0.1:{port}", ping_interval=0.2, ping_timeout=0.4) as socket:
                while time.monotonic() < end:
                    await socket.send(b"status")
                    await socket.recv()
                    await asyncio.sleep(0.05)
        except (websockets.ConnectionClosed, TimeoutError):
            lost.append(1)


async def speaker(port):
    async with connect(f"ws://127.0.0.1:{port}", ping_interval=None) as socket:
        for _ in range(4):
            await asyncio.sleep(0.4)
            await socket.send(b"\0" * 32_000)
            await socket.recv()


async def main():
    lost = []
    async with serve(Transcriber().handle, "127.0.0.1", 0, ping_interval=None) as server:
        port = server.sockets[0].getsockname()[1]
        end = time.monotonic() + 5.0
        await asyncio.gather(speaker(port), *(listener(port, lost, end) for _ in range(5)))
    print("truth", len(lost), "connections lost")


asyncio.run(main())
