"""The workers of a server are killed one after the other, and nobody starts new ones
(https://github.com/Kludex/uvicorn/issues/517).
truth: both workers ended by SIGKILL by 0.5 s; 4 clients wait 1.2 s each in `ask` for an answer and give up."""
import asyncio
import multiprocessing
import os
import signal
import socket
import time


async def handle(reader, writer):
    path = (await reader.readline()).split()[1]
    if path == b"/large":
        os.kill(os.getpid(), signal.SIGKILL)  # out of memory
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    await writer.drain()
    writer.close()


async def serve(listening):
    server = await asyncio.start_server(handle, sock=listening)
    await server.serve_forever()


def worker(listening):
    asyncio.run(serve(listening))


async def ask(port, path):
    try:
        async with asyncio.timeout(1.2):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(f"GET {path} HTTP/1.1\r\n\r\n".encode())
            answer = await reader.read()
            writer.close()
            return answer
    except (TimeoutError, ConnectionError) as error:
        return repr(error)


async def main():
    context = multiprocessing.get_context("fork")
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        workers = [context.Process(target=worker, args=(listening,)) for _ in range(2)]
        for one in workers:
            one.start()
        await asyncio.sleep(0.2)
        for path in ("/", "/large", "/", "/large"):
            await ask(port, path)
            await asyncio.sleep(0.05)
        print("truth", await asyncio.gather(*(ask(port, "/") for _ in range(4))))
    for one in workers:
        one.kill()
        one.join()


asyncio.run(main())
