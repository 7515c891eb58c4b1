"""A new `httpx.AsyncClient` for each call loads the CA certificates again, on the loop
(https://github.com/encode/httpx/issues/838).
truth: `fetch_price` makes a client 20 times; each blocks the loop for 10 to 50 ms."""
import asyncio

import httpx


async def answer(reader, writer):
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n42")
    await writer.drain()
    writer.close()


async def fetch_price(port):
    async with httpx.AsyncClient(trust_env=False) as client:
        return (await client.get(f"http://127.0.0.1:{port}/price")).text


async def main():
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        for _ in range(2):
            await asyncio.gather(*(fetch_price(port) for _ in range(10)))


asyncio.run(main())
