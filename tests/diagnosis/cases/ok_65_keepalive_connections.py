"""Healthy: connections that are idle most of the time, closed after their time-out, and EOF handled."""
import asyncio


async def serve(reader, writer):
    while True:
        try:
            line = await asyncio.wait_for(reader.readline(), 0.8)
        except TimeoutError:
            break
        if not line:
            break
        writer.write(line)
        await writer.drain()
    writer.close()


async def client(address, number):
    reader, writer = await asyncio.open_connection(*address)
    for n in range(3):
        writer.write(b"hello\n")
        await reader.readline()
        await asyncio.sleep(0.1 + 0.01 * number)
    if number % 2:
        await reader.read()  # until the server hangs up
    writer.close()


async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    address = server.sockets[0].getsockname()
    await asyncio.gather(*(client(address, number) for number in range(10)))
    server.close()


asyncio.run(main())
