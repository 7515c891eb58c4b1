"""Two requests of httpx2 share one connection."""

import asyncio

import httpx2


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while await reader.readline():
        while (await reader.readline()).strip():
            pass
        await asyncio.sleep(0.01)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n")
        await asyncio.sleep(0.01)
        writer.write(b"late")
    writer.close()


async def get(client: httpx2.AsyncClient, url: str) -> None:
    await client.get(url)  #: await connection pool (httpcore2) slots=1


async def main() -> None:
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    limits = httpx2.Limits(max_connections=1)
    async with httpx2.AsyncClient(limits=limits) as client:
        other = asyncio.create_task(get(client, url))
        async with client.stream("GET", url) as answer:  #: await connect (httpcore2)
            await answer.aread()  #: await body (httpcore2)
        await other
        async with client.stream("GET", url) as answer:  #: await response (httpcore2)
            await answer.aread()
    server.close()


asyncio.run(main())
