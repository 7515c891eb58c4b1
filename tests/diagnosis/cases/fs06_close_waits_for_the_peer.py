"""After github.com/Runware/sdk-python/pull/37: closing a websocket takes its whole time-out.

Truth: `disconnect` waits for the server's close frame, which never comes, until `close_timeout`
(0.7 s) is over, once for each session.
"""

import asyncio
import base64
import hashlib

from websockets.asyncio.client import connect

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


async def serve(reader, writer):
    head = await reader.readuntil(b"\r\n\r\n")
    lines = dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:] if b": " in line)
    key = base64.b64encode(hashlib.sha1(lines[b"Sec-WebSocket-Key"] + GUID).digest())
    writer.write(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + key + b"\r\n\r\n"
    )
    writer.write(b"\x81\x02ok")
    await writer.drain()
    while await reader.read(4096):
        pass
    writer.close()


async def disconnect(socket):
    await socket.close()


async def infer(url):
    socket = await connect(url, close_timeout=0.7, ping_interval=None)
    answer = await socket.recv()
    await disconnect(socket)
    return answer


async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    for _ in range(4):
        await infer(url)
    server.close()


asyncio.run(main())
