"""Healthy: as aa05, but the lock is kept for a few milliseconds each time."""
import os
import threading
import time

import psycopg

URL = os.environ["PG_URL"]


def migrate_once():
    with psycopg.connect(URL) as connection:
        connection.execute("select pg_advisory_lock(737069)")
        connection.commit()
        connection.execute("select 1")
        connection.execute("select pg_advisory_unlock(737069)")
        connection.commit()
        time.sleep(0.2)
        for _ in range(20):
            connection.execute("select 1")
            time.sleep(0.01)


threads = [threading.Thread(target=migrate_once, name=f"worker-{n}") for n in range(5)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
