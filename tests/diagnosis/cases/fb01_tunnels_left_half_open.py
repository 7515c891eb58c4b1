"""A tunnelling proxy on uvloop does well for a while, then everything stops
(https://github.com/MagicStack/uvloop/issues/23).
truth: 6 permits are never given back: each `tunnel` waits in `pump` for an upstream which has nothing to say,
though its client has gone; 12 later clients wait 1 s for a permit and give up."""
import asyncio

import uvloop

late = []


async def upstream(reader, writer):
    while line := await reader.readline():
        writer.write(b"re:" + line)
    writer.close()


async def pump(reader, writer):
    while data := await reader.read(4096):
        writer.write(data)
        await writer.drain()


async def tunnel(permits, port, reader, writer):
    async with permits:
        up_reader, up_writer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(pump(reader, up_writer), pump(up_reader, writer))


async def client(port, number):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"hello %d\n" % number)
    try:
        await asyncio.wait_for(reader.readline(), 1)
    except TimeoutError:
        late.append(number)
    writer.close()


async def main():
    permits = asyncio.Semaphore(6)
    back = await asyncio.start_server(upstream, "127.0.0.1", 0)
    port = back.sockets[0].getsockname()[1]
    front = await asyncio.start_server(lambda r, w: tunnel(permits, port, r, w), "127.0.0.1", 0)
    async with asyncio.TaskGroup() as group:
        for number in range(18):
            group.create_task(client(front.sockets[0].getsockname()[1], number))
            await asyncio.sleep(0.05)
    print("truth", len(late), "clients got no answer")


uvloop.run(main())
