"""The connection is lost, and the iterator over its queue waits on (https://github.com/mosquito/aio-pika/issues/379).

Truth: `read_loop`, which alone puts into the queue, returns at 0.2 s as the broker closes the connection;
`consume` waits in Queue.get for the rest, 1.8 s, until `main` gives up.
"""

import asyncio


async def broker(reader, writer):
    for number in range(10):
        writer.write(b"message %d\n" % number)
        await asyncio.sleep(0.02)
    writer.close()


async def read_loop(reader, queue):
    while line := await reader.readline():
        await queue.put(line)


async def consume(queue, count):
    got = []
    while len(got) < count:
        got.append(await queue.get())
    return got


async def main():
    server = await asyncio.start_server(broker, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    queue = asyncio.Queue()
    pump = asyncio.create_task(read_loop(reader, queue))
    try:
        await asyncio.wait_for(consume(queue, 20), 2)
    except TimeoutError:
        print("truth: gave up after 2 s, pump done:", pump.done())
    writer.close()


asyncio.run(main())
