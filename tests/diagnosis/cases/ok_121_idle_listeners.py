"""LISTEN with nothing to hear: a task and a thread wait for notifications of PostgreSQL until they are
stopped, beside a pool that is used now and then. Nobody waits for them."""
import asyncio
import os
import threading

import psycopg
from psycopg_pool import AsyncConnectionPool

URL = os.environ["PG_URL"]


async def listen():
    async with await psycopg.AsyncConnection.connect(URL, autocommit=True) as db:
        await db.execute("listen prices")
        async for note in db.notifies():
            print("price", note.payload)


def listen_in_thread():
    with psycopg.connect(URL, autocommit=True) as db:
        db.execute("listen orders")
        for note in db.notifies(timeout=10, stop_after=1):
            print("order", note.payload)


async def main():
    thread = threading.Thread(target=listen_in_thread, name="listener")
    thread.start()
    task = asyncio.create_task(listen())
    async with AsyncConnectionPool(URL, min_size=1, max_size=2) as pool:
        for _ in range(8):
            async with pool.connection() as db:
                await db.execute("select 1")
            await asyncio.sleep(0.2)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        async with pool.connection() as db:
            await db.execute("select pg_notify('orders', 'last')")
    thread.join()


asyncio.run(main())
