"""HEALTHY: a chat over asyncio streams, whose clients come in bursts; some idle out by time-out."""
import asyncio
import random

rooms = {}


async def handle(reader, writer):
    room = (await reader.readline()).decode().strip()
    members = rooms.setdefault(room, set())
    members.add(writer)
    try:
        while True:
            async with asyncio.timeout(0.6):
                line = await reader.readline()
            if not line:
                break
            for w in list(members):
                w.write(line)
            await writer.drain()
    except TimeoutError:
        writer.write(b"bye, idle\n")
    finally:
        members.discard(writer)
        writer.close()


async def client(port, n, rnd):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"room%d\n" % (n % 3))
    for k in range(rnd.randrange(3, 12)):
        await asyncio.sleep(rnd.uniform(0.02, 0.12))
        writer.write(b"hi from %d\n" % n)
        await reader.readline()
    if n % 4 == 0:
        while await reader.readline():
            pass
    writer.close()


async def main():
    rnd = random.Random(4)
    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with asyncio.TaskGroup() as group:
        for burst in range(3):
            for n in range(15):
                group.create_task(client(port, burst * 15 + n, rnd))
            await asyncio.sleep(0.5)
    server.close()


asyncio.run(main())
