"""After github.com/encode/httpx/issues/550: responses are streamed and never closed.

Truth: `probe` asks with `stream=True`, looks at the status and never closes the response: the
client's four connections never come back; the others run into PoolTimeout in `probe`.
"""

import asyncio

import httpx

kept = []


async def serve(reader, writer):
    while await reader.readuntil(b"\r\n\r\n"):
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2000000\r\n\r\n")
        writer.write(b"x" * 2_000_000)
        try:
            await writer.drain()
        except ConnectionError:
            return


async def probe(client, url):
    try:
        request = client.build_request("GET", url)
        response = await client.send(request, stream=True)
        kept.append(response)
        return response.status_code
    except httpx.PoolTimeout:
        return 0


async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    limits = httpx.Limits(max_connections=4)
    async with httpx.AsyncClient(limits=limits, timeout=httpx.Timeout(5, pool=0.8)) as client:
        for _ in range(3):
            print(await asyncio.gather(*(probe(client, url) for _ in range(6))))
    server.close()


asyncio.run(main())
