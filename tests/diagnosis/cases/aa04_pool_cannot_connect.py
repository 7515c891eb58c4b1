"""The database is down; threads wait in psycopg's pool until its time-out, which says nothing of
the reason (https://github.com/psycopg/psycopg/issues/1315).
truth: 3 `web-N` wait 1.2 s in `getconn` and fail, since the pool's worker can not connect (refused)."""
import logging
import socket
import threading

from psycopg_pool import ConnectionPool, PoolTimeout

logging.getLogger("psycopg.pool").setLevel(logging.CRITICAL)
with socket.socket() as probe:
    probe.bind(("127.0.0.1", 0))
    port = probe.getsockname()[1]
pool = ConnectionPool(
    f"host=127.0.0.1 port={port} user=postgres connect_timeout=2", min_size=2, timeout=1.2, open=False
)
pool.open()
failed = []


def handle():
    try:
        with pool.connection() as connection:
            connection.execute("select 1")
    except PoolTimeout:
        failed.append(1)


threads = [threading.Thread(target=handle, name=f"web-{n}") for n in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print("truth:", len(failed), "failed")
pool.close(timeout=0.1)
