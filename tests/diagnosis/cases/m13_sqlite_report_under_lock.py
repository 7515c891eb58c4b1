"""One SQLite connection for all threads behind a lock, and one slow query.
After https://github.com/requests-cache/requests-cache/pull/796. Under `db_lock`, `monthly`
runs a query of 0.2 s; the coroutines' `get_user` wait for the lock in their threads."""

import asyncio
import sqlite3
import threading
import time

db = sqlite3.connect(":memory:", check_same_thread=False)
db.execute("create table user(id integer primary key, name text)")
db.executemany("insert into user values(?, ?)", [(n, f"u{n}") for n in range(500)])
db_lock = threading.Lock()


def get_user(n):
    with db_lock:
        return db.execute("select name from user where id = ?", (n,)).fetchone()


def monthly():
    sql = """with recursive c(x) as (select 1 union all select x + 1 from c where x < 1200000)
             select sum(x) from c"""
    with db_lock:
        return db.execute(sql).fetchone()


async def request(n, took):
    for k in range(8):
        began = time.monotonic()
        await asyncio.to_thread(get_user, n * 10 + k)
        took.append(time.monotonic() - began)
        await asyncio.sleep(0.03)


async def reports():
    for _ in range(4):
        await asyncio.to_thread(monthly)
        await asyncio.sleep(0.05)


async def main():
    took = []
    await asyncio.gather(reports(), *(request(n, took) for n in range(4)))
    print(f"slowest look-up {max(took):.2f} s")


asyncio.run(main())
