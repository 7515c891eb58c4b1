"""A background task of a service reloads its prices once, in a synchronous library; meanwhile
nobody accepts the connections of clients outside. After
https://github.com/Kludex/starlette/issues/2972: `refresh` blocks the loop for 0.8 s, asleep
in `load_prices`; up to six new connections wait until it is over.
"""
import asyncio
import sys
import time
from functools import partial

CLIENTS = """
import socket, sys, threading, time
def ask(n):
    time.sleep(n * 0.02)
    for _ in range(10):
        with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as line:
            line.sendall(b"price\\n")
            line.recv(100)
        time.sleep(0.15)
threads = [threading.Thread(target=ask, args=(n,)) for n in range(6)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""


def load_prices():
    time.sleep(0.8)


async def refresh(served):
    await served.wait()
    await asyncio.sleep(0.3)
    load_prices()
    await asyncio.sleep(60)


async def serve(served, reader, writer):
    await reader.readline()
    served.set()
    writer.write(b"12.5\n")
    await writer.drain()
    writer.close()


async def main():
    served = asyncio.Event()
    server = await asyncio.start_server(partial(serve, served), "127.0.0.1", 0)
    task = asyncio.create_task(refresh(served))
    port = str(server.sockets[0].getsockname()[1])
    quiet = [sys.executable, "-I", "-S", "-c"]
    clients = await asyncio.create_subprocess_exec(*quiet, CLIENTS, port)
    await clients.wait()
    task.cancel()
    server.close()


asyncio.run(main())
