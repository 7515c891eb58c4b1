"""Client and server of one loop both read: the greeting has no newline
(after https://devgem.io/posts/fixing-a-hanging-asyncio-server-with-streamreader-and-streamwriter-in-python).
truth: `handle` waits in readline for `session`, which waits in readline for the answer of `handle`, 1.2 s."""
import asyncio


async def handle(reader, writer):
    name = await reader.readline()
    writer.write(b"welcome " + name)
    await writer.drain()
    writer.close()


async def session(port, name):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(name.encode())
    await writer.drain()
    try:
        return await asyncio.wait_for(reader.readline(), 1.2)
    except TimeoutError:
        return b"nothing"
    finally:
        writer.close()


async def main():
    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    print("truth", await asyncio.gather(*(session(port, n) for n in ("ada", "bob", "eve"))))
    server.close()


asyncio.run(main())
