"""A payment asks for a row with a lock time-out of half a second and tries again, while the
nightly booking of another thread keeps its transaction open over slow work
(https://github.com/langchain-ai/langgraph/issues/4723).
truth: `pay` waited 1.4 s in three attempts for the row that `book` keeps locked while it sleeps."""
import asyncio
import os
import threading
import time

import psycopg

URL = os.environ["PG_URL"]
LOCKED = threading.Event()


def send_statement():
    time.sleep(1.4)


def book():
    with psycopg.connect(URL) as connection:
        connection.execute("update account set cents = cents + 1 where id = 1")
        LOCKED.set()
        send_statement()
        connection.commit()


async def pay(connection, cents):
    for _ in range(5):
        try:
            async with connection.transaction():
                await connection.execute("set local lock_timeout = '500ms'")
                await connection.execute(
                    "update account set cents = cents - %s where id = 1", (cents,)
                )
            return
        except psycopg.errors.LockNotAvailable:
            continue


async def main():
    clerk = threading.Thread(target=book, name="clerk")
    clerk.start()
    await asyncio.to_thread(LOCKED.wait)
    connection = await psycopg.AsyncConnection.connect(URL)
    await pay(connection, 300)
    await connection.close()
    clerk.join()


with psycopg.connect(URL) as first:
    first.execute("drop table if exists account")
    first.execute("create table account (id int primary key, cents int)")
    first.execute("insert into account values (1, 1000)")
asyncio.run(main())
