"""HEALTHY: threads with a connection each, WAL, short writes, a nightly-like vacuum once."""
import os
import random
import sqlite3
import tempfile
import threading
import time

path = os.path.join(tempfile.mkdtemp(), "cache.db")
db = sqlite3.connect(path)
db.execute("pragma journal_mode=wal")
db.execute("create table kv(k integer primary key, v text)")
db.commit()


def worker(seed):
    rnd, own = random.Random(seed), sqlite3.connect(path, timeout=5)
    own.execute("pragma synchronous=off")
    for _ in range(40):
        k = rnd.randrange(200)
        if own.execute("select v from kv where k = ?", (k,)).fetchone() is None:
            own.execute("insert or replace into kv values (?, ?)", (k, "x" * 50))
            own.commit()
        time.sleep(0.03)
    own.close()


threads = [threading.Thread(target=worker, args=(n,), name=f"worker-{n}") for n in range(4)]
for t in threads:
    t.start()
for t in threads:
    t.join()
