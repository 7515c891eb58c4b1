"""Threads keep a connection of a small pool while they call another service
(after reports of `PoolTimeout` in psycopg_pool).
truth: 2 connections; `checkout` sleeps 0.2 s in `charge` with one; 6 threads share them."""
import os
import threading
import time

from psycopg_pool import ConnectionPool

pool = ConnectionPool(os.environ["PG_URL"], min_size=2, max_size=2, open=True)
pool.wait()


def charge():
    time.sleep(0.2)


def checkout():
    with pool.connection() as connection:
        connection.execute("select 1")
        charge()


threads = [threading.Thread(target=checkout, name=f"web-{n}") for n in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
pool.close()
