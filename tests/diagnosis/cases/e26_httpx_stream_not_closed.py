"""A streamed response that is never closed keeps its connection
(https://github.com/encode/httpx/discussions/2556).
truth: `download` took both connections; 3 tasks of `check` wait 0.8 s each in vain."""
import asyncio

import httpx


async def answer(reader, writer):
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + b"x" * 1000)
    await asyncio.sleep(3)
    writer.close()


async def download(client, url):
    response = await client.send(client.build_request("GET", url), stream=True)
    return response.status_code


async def check(client, url):
    try:
        await client.get(url)
    except httpx.PoolTimeout:
        return "gave up"


async def main():
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    limits = httpx.Limits(max_connections=2)
    async with httpx.AsyncClient(limits=limits, timeout=httpx.Timeout(5, pool=0.8)) as client:
        print(await asyncio.gather(download(client, url), download(client, url)))
        print("truth", await asyncio.gather(*(check(client, url) for _ in range(3))))
    server.close()


asyncio.run(main())
