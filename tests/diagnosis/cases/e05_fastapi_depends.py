"""A dependency gives its connection back in a thread of the pool whose threads all wait for a
connection (https://github.com/fastapi/fastapi/issues/3205).
truth: both tokens are in `read_item`, which waits for one of 2 connections; `close` needs a token."""
import asyncio
import queue

import anyio
import anyio.to_thread

connections = queue.Queue()
for n in range(2):
    connections.put(n)


def open_session():
    return {"connection": None}


def read_item(session):
    try:
        session["connection"] = connections.get(timeout=1.0)
    except queue.Empty:
        return "gave up"
    return "ok"


def close(session):
    if session["connection"] is not None:
        connections.put(session["connection"])


async def handle(limiter):
    session = await anyio.to_thread.run_sync(open_session, limiter=limiter)
    try:
        return await anyio.to_thread.run_sync(read_item, session, limiter=limiter)
    finally:
        await asyncio.sleep(0.01)  # the response is validated and sent
        await anyio.to_thread.run_sync(close, session, limiter=limiter)


async def main():
    limiter = anyio.CapacityLimiter(2)
    print("truth", await asyncio.gather(*(handle(limiter) for _ in range(10))))


asyncio.run(main())
