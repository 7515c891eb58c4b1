"""Ten sessions at once, each a chain of requests that need one another's answers."""

import asyncio


async def answer(reader, writer):
    while line := await reader.readline():
        await asyncio.sleep(0.02)
        writer.write(b"%d\n" % (int(line) + 1))
        await writer.drain()
    writer.close()


async def ask(reader, writer, value):
    writer.write(b"%d\n" % value)
    return int(await reader.readline())


async def session(port, n):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    cursor = n
    for _ in range(25):
        cursor = await ask(reader, writer, cursor)
        await asyncio.sleep(0.005)
    writer.close()
    return cursor


async def main():
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    print(sum(await asyncio.gather(*(session(port, n) for n in range(10)))))
    server.close()


asyncio.run(main())
