"""Two requests of curl_cffi share one handle."""

import asyncio

from curl_cffi.requests import AsyncSession


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while await reader.readline():
        while (await reader.readline()).strip():
            pass
        await asyncio.sleep(0.01)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate")
    writer.close()


async def get(session: AsyncSession, url: str) -> None:
    await session.get(url)  #: await connection pool (curl_cffi) slots=1


async def main() -> None:
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    async with AsyncSession(max_clients=1) as session:
        other = asyncio.create_task(get(session, url))
        await session.get(url)  #: await response (curl_cffi)
        await other
    server.close()


asyncio.run(main())
