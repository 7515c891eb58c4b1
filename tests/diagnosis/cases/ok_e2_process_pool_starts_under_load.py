"""HEALTHY: an asyncio service starts its pool of processes with its first jobs, while clients are served."""
import asyncio
import concurrent.futures
import os


def render(n):
    return sum(k * k for k in range(60_000)) + n


async def handle(reader, writer):
    while line := await reader.readline():
        writer.write(line.upper())
        await writer.drain()
    writer.close()


async def client(port, n):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for k in range(30):
        writer.write(b"ping %d\n" % k)
        await reader.readline()
        await asyncio.sleep(0.06)
    writer.close()


async def jobs(pool):
    loop = asyncio.get_running_loop()
    await asyncio.sleep(0.5)
    for n in range(10):
        await asyncio.gather(*(loop.run_in_executor(pool, render, n) for _ in range(2)))
        await asyncio.sleep(0.1)


async def main():
    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with concurrent.futures.ProcessPoolExecutor(2) as pool:
        await asyncio.gather(jobs(pool), *(client(port, n) for n in range(12)))
    server.close()
    print(os.getpid())


if __name__ == "__main__":
    asyncio.run(main())
