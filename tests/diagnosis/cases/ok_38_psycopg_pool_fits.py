"""HEALTHY: 4 threads, 4 connections, short transactions of one row each."""
import os
import threading

from psycopg_pool import ConnectionPool

pool = ConnectionPool(os.environ["PG_URL"], min_size=4, max_size=4, open=True)
pool.wait()
with pool.connection() as connection:
    connection.execute("create table hit(n int primary key, hits int)")
    for n in range(4):
        connection.execute("insert into hit values (%s, 0)", (n,))


def work(n):
    for _ in range(100):
        with pool.connection() as connection:
            connection.execute("update hit set hits = hits + 1 where n = %s", (n,))


threads = [threading.Thread(target=work, args=(n,), name=f"worker-{n}") for n in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
pool.close()
