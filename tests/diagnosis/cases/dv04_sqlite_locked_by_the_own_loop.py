"""A coroutine keeps a transaction of sqlite3 open over an await, and another one writes
(https://github.com/gevent/gevent/issues/1881 has the same with PostgreSQL).
truth: `signup` blocked the loop 1.5 s twice in `execute`; another `signup` has the transaction
open, asleep in `notify`."""

import asyncio
import os
import sqlite3
import tempfile

PATH = os.path.join(tempfile.mkdtemp(), "app.db")


async def notify(user):
    await asyncio.sleep(0.2)


async def signup(user):
    connection = sqlite3.connect(PATH, timeout=1.5)
    try:
        connection.execute("insert into users values (?)", (user,))
        await notify(user)
        connection.commit()
    except sqlite3.OperationalError as error:
        print(user, error)
        connection.rollback()
    connection.close()


async def main():
    with sqlite3.connect(PATH) as connection:
        connection.execute("create table users (name text)")
    await asyncio.gather(*(signup(f"user-{n}") for n in range(3)))


asyncio.run(main())
