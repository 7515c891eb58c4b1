"""Requests are multiplexed on one connection; the other side takes 300 ms for each, many at once,
and one task reads all answers."""
import asyncio
import itertools

numbers, pending = itertools.count(1), {}


async def serve(reader, writer):
    async def answer(line):
        await asyncio.sleep(0.3)
        writer.write(line)

    tasks = set()
    while line := await reader.readline():
        tasks.add(asyncio.create_task(answer(line)))
    writer.close()


async def read(reader):
    while line := await reader.readline():
        pending.pop(int(line)).set_result(None)


async def user(writer, n):
    await asyncio.sleep(n * 0.03)
    for _ in range(4):
        number = next(numbers)
        pending[number] = asyncio.get_running_loop().create_future()
        writer.write(b"%d\n" % number)
        await pending[number]


async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    task = asyncio.create_task(read(reader))
    await asyncio.gather(*(user(writer, n) for n in range(12)))
    writer.close()
    await task
    server.close()


asyncio.run(main())
