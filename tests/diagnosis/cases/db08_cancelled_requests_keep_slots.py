"""Requests that are cancelled before they are connected leave their connections in the pool, which is
full for ever (after https://github.com/encode/httpcore/pull/1099, encode/httpx#1171).
truth: pool of 2; five `suggest` of the same moment are cancelled at once, while they connect; afterwards all
`fetch_price` wait for a slot until PoolTimeout (0.6 s each), to the end."""
import asyncio

import httpx

failed = 0


async def serve(reader, writer):
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    await writer.drain()
    writer.close()


async def suggest(client, url):
    await client.get(url)


async def fetch_price(client, url):
    global failed
    try:
        return (await client.get(url)).text
    except httpx.PoolTimeout:
        failed += 1


async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = "http://127.0.0.1:%d/" % server.sockets[0].getsockname()[1]
    limits = httpx.Limits(max_connections=2)
    async with httpx.AsyncClient(limits=limits, timeout=httpx.Timeout(5, pool=0.6), verify=False) as client:
        for _ in range(3):
            await fetch_price(client, url)
        typing = [asyncio.create_task(suggest(client, url)) for _ in range(5)]
        await asyncio.sleep(0)
        for task in typing:
            task.cancel()
        await asyncio.gather(*typing, return_exceptions=True)
        for _ in range(3):
            await asyncio.gather(*(fetch_price(client, url) for _ in range(3)))
    print("truth pool time-outs", failed)
    server.close()


asyncio.run(main())
