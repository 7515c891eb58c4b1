"""Two requests of httpx share one connection."""

import asyncio

import httpx


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while await reader.readline():
        while (await reader.readline()).strip():
            pass
        await asyncio.sleep(0.01)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n")
        await asyncio.sleep(0.01)
        writer.write(b"late")
    writer.close()


async def get(client: httpx.AsyncClient, url: str) -> None:
    await client.get(url)  #: await connection pool (httpcore) slots=1


async def main() -> None:
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    limits = httpx.Limits(max_connections=1)
    async with httpx.AsyncClient(limits=limits) as client:
        other = asyncio.create_task(get(client, url))
        async with client.stream("GET", url) as answer:  #: await connect (httpcore)
            await answer.aread()  #: await body (httpcore)
        await other
        async with client.stream("GET", url) as answer:  #: await response (httpcore)
            await answer.aread()
    server.close()


asyncio.run(main())
