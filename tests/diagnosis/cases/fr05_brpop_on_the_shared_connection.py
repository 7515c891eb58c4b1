"""After github.com/aio-libs-abandoned/aioredis-py/issues/511: `brpop` keeps the one connection.

Truth: `next_job` keeps the client's only connection for each blocking `brpop` (0.4 s); the
`set` of the requests in `save` waits for it.
"""

import asyncio

import redis.asyncio


async def serve(reader, writer):
    while head := await reader.readline():
        words = []
        for _ in range(int(head[1:])):
            size = int((await reader.readline())[1:])
            words.append((await reader.readexactly(size + 2))[:-2])
        if words[0].upper() == b"BRPOP":
            await asyncio.sleep(0.4)
            writer.write(b"*-1\r\n")
        else:
            writer.write(b"+OK\r\n")
        await writer.drain()


async def next_job(client):
    for _ in range(5):
        await client.brpop(["jobs"], timeout=0.4)


async def save(client, number):
    await client.set(f"user:{number}", "seen")


async def requests(client):
    for burst in range(8):
        async with asyncio.TaskGroup() as group:
            for number in range(4):
                group.create_task(save(client, burst * 4 + number))


async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    client = redis.asyncio.Redis(port=port, single_connection_client=True, protocol=2)
    await client.initialize()
    await asyncio.gather(next_job(client), requests(client))
    await client.aclose()
    server.close()


asyncio.run(main())
