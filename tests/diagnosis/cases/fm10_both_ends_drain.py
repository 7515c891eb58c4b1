"""A client writes all its lines before it reads an answer, and the server answers each line at once.

`sync-client` stands in `drain` of `push` for 1.1 s, until its time is over, and `handle` in its
own `drain`: each waits for the other to read.
"""

import asyncio, time
import uvloop

async def handle(r, w):
    try:
        while line := await r.readline():
            w.write(line * 40); await w.drain()
    except (ConnectionError, asyncio.CancelledError): pass

async def push(r, w):
    for i in range(60000):
        w.write(b"x" * 1000 + b"\n"); await w.drain()

async def sync_client(port):
    r, w = await asyncio.open_connection("127.0.0.1", port)
    t = time.perf_counter()
    try:
        async with asyncio.timeout(1.2): await push(r, w)
    except TimeoutError: print(f"truth push gave up after {time.perf_counter()-t:.2f} s")
    w.transport.abort()

async def good_client(port):
    r, w = await asyncio.open_connection("127.0.0.1", port)
    for _ in range(40):
        w.write(b"hi\n"); await r.readexactly(120); await asyncio.sleep(0.03)
    w.close()

async def main():
    s = await asyncio.start_server(handle, "127.0.0.1", 0); port = s.sockets[0].getsockname()[1]
    await asyncio.gather(asyncio.create_task(sync_client(port), name="sync-client"), asyncio.create_task(good_client(port), name="good-client"))
    s.close()
uvloop.run(main())
