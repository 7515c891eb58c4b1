"""`StreamReader.read()` without a number reads until the end, and the server keeps the connection for the next request
(https://github.com/python/cpython/issues/100226).
truth: `ask` waits 1.2 s in `StreamReader.read` until its time-out; the task of `handle` has answered and waits in `readline` for
the next request of the same connection."""
import asyncio, time


async def handle(reader, writer):
    while line := await reader.readline():
        writer.write(line.upper())
    writer.close()


async def ask(address):
    reader, writer = await asyncio.open_connection(*address)
    writer.write(b"hello\n")
    began = time.monotonic()
    try:
        async with asyncio.timeout(1.2):
            return await reader.read()
    except TimeoutError:
        print("truth: gave up after", time.monotonic() - began)
    finally:
        writer.close()


async def main():
    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    await ask(server.sockets[0].getsockname())
    server.close()


asyncio.run(main())
