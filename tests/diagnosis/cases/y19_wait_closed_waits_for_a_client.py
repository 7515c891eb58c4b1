"""Since 3.12, `Server.wait_closed` waits for the connections, too, and a client keeps its own open
(https://github.com/python/cpython/issues/104344).
truth: `main` waits 1.2 s in `Server.wait_closed` in `stop`; the task of `handle` waits in `readline` for a client that says
nothing."""
import asyncio, time


async def handle(reader, writer):
    try:
        while line := await asyncio.wait_for(reader.readline(), 1.3):
            writer.write(line)
    except TimeoutError:
        pass
    writer.close()


async def stop(server):
    began = time.monotonic()
    server.close()
    await server.wait_closed()
    print("truth: closed after", time.monotonic() - began)


async def main():
    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    writer.write(b"hello\n")
    await reader.readline()
    await asyncio.sleep(0.1)
    await stop(server)
    writer.close()


asyncio.run(main())
