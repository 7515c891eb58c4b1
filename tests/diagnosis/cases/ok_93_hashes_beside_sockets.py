"""Healthy: a line server on uvloop; hashing is done in threads and releases the GIL."""
import asyncio
import hashlib

import uvloop


def digest(data):
    return hashlib.pbkdf2_hmac("sha256", data, b"salt", 3000).hex()


async def serve(reader, writer):
    while line := await reader.readline():
        answer = await asyncio.to_thread(digest, line)
        writer.write(answer.encode() + b"\n")
        await writer.drain()
    writer.close()


async def client(port, n):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for k in range(15):
        writer.write(f"client {n} line {k}\n".encode())
        await reader.readline()
        await asyncio.sleep(0.05)
    writer.close()


async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    await asyncio.gather(*(client(port, n) for n in range(8)))
    server.close()


uvloop.run(main())
