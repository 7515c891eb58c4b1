"""Threads that end without closing keep their connections of the pool
(https://github.com/coleifer/peewee/issues/1881).
truth: the 3 connections were taken in `load_profile` by threads that have ended; 5 others ask for one for 0.8 s, in vain."""
import os
import tempfile
import threading
import time

from playhouse.pool import MaxConnectionsExceeded, PooledSqliteDatabase

folder = tempfile.mkdtemp()
database = PooledSqliteDatabase(os.path.join(folder, "users.db"), max_connections=3, timeout=0.8)
kept = []
failed = []


def load_profile(user):
    database.connect()
    kept.append(database.connection())
    return database.execute_sql("select ?", (user,)).fetchone()


def handle_request(user):
    try:
        load_profile(user)
    except MaxConnectionsExceeded:
        failed.append(user)


threads = []
for user in range(8):
    thread = threading.Thread(target=handle_request, args=(user,), name=f"request-{user}")
    thread.start()
    threads.append(thread)
    time.sleep(0.05)
for thread in threads:
    thread.join()
print("truth", len(failed), "requests without a connection")
