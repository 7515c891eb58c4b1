"""A connection that was taken by getconn is not put back when the query fails
(after reports of pools that run dry after failed queries).
truth: 2 connections were lost in `find`, whose query failed; 4 threads `req` wait 0.8 s in vain for one."""
import os
import threading

import psycopg
from psycopg_pool import ConnectionPool, PoolTimeout

pool = ConnectionPool(os.environ["PG_URL"], min_size=2, max_size=2, timeout=0.8)
pool.wait()


def find(sql):
    connection = pool.getconn()
    row = connection.execute(sql).fetchone()
    pool.putconn(connection)
    return row


def handle(sql):
    try:
        find(sql)
    except (psycopg.Error, PoolTimeout) as error:
        print(type(error).__name__)


for sql in ("select 1", "select nothing", "select 2", "select none"):
    handle(sql)
threads = [threading.Thread(target=handle, args=("select 3",), name=f"req-{n}") for n in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
pool.close()
