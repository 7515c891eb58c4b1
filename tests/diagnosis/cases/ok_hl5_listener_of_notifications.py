"""HEALTHY: a task listens for PostgreSQL's notifications, of which one comes now and then."""
import asyncio
import os

import psycopg


async def connect():
    return await psycopg.AsyncConnection.connect(os.environ["PG_URL"], autocommit=True)


async def listen(seen):
    async with await connect() as connection:
        await connection.execute("listen news")
        async for notification in connection.notifies():
            seen.append(notification.payload)


async def main():
    seen = []
    listener = asyncio.create_task(listen(seen))
    async with await connect() as connection:
        for n in range(4):
            await asyncio.sleep(1.2)
            await connection.execute("select pg_notify('news', %s)", (str(n),))
    await asyncio.sleep(0.1)
    listener.cancel()
    await asyncio.wait({listener})
    print(seen)


asyncio.run(main())
