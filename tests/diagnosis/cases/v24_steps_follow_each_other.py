"""Twelve clients send at the same time, and each message takes 12 ms of computing on the loop.
truth: `serve` computes in `render`; `presence` is late by more than 100 ms."""
import asyncio
import textwrap


def render(text):
    lines = []
    for width in range(20, 60):
        lines.append("\n".join(textwrap.wrap(text * 40, width)))
    return max(lines, key=len)


async def serve(reader, writer):
    while line := await reader.readline():
        writer.write(f"{len(render(line.decode()))}\n".encode())
        await writer.drain()
    writer.close()


async def presence(late):
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + 0.02
        await asyncio.sleep(0.02)
        late.append(loop.time() - due)


async def client(port, n):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for k in range(8):
        writer.write(b"the quick brown fox jumps over the lazy dog again \n")
        await reader.readline()
        await asyncio.sleep(0.25)
    writer.close()


async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    late = []
    tasks = [asyncio.create_task(presence(late)) for _ in range(4)]
    await asyncio.gather(*(client(port, n) for n in range(12)))
    for task in tasks:
        task.cancel()
    server.close()


asyncio.run(main())
