"""After github.com/glasslion/redlock/issues/41: a lock on five servers is taken one by one.

Truth: `acquire` awaits `acquire_node` for each of five servers in turn, 60 ms each, though none
needs the one before.
"""

import asyncio

import redis.asyncio


async def serve(reader, writer):
    while head := await reader.readline():
        for _ in range(int(head[1:])):
            size = int((await reader.readline())[1:])
            await reader.readexactly(size + 2)
        await asyncio.sleep(0.06)
        writer.write(b"+OK\r\n")
        await writer.drain()


async def acquire_node(node, name):
    return await node.set(name, "token", nx=True, px=1000)


async def acquire(nodes, name):
    taken = 0
    for node in nodes:
        taken += bool(await acquire_node(node, name))
    return taken > len(nodes) // 2


async def job(nodes, number):
    for turn in range(3):
        await acquire(nodes, f"lock:{number}:{turn}")
        await asyncio.sleep(0.01)


async def main():
    servers = [await asyncio.start_server(serve, "127.0.0.1", 0) for _ in range(5)]
    ports = [server.sockets[0].getsockname()[1] for server in servers]
    nodes = [redis.asyncio.Redis(port=port, protocol=2) for port in ports]
    await asyncio.gather(*(job(nodes, number) for number in range(4)))
    for node in nodes:
        await node.aclose()


asyncio.run(main())
