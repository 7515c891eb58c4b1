"""Routes call a synchronous engine whose global lock a background job keeps for a whole batch
(after https://github.com/r-spade/ormah/issues/18).
truth: `index_updater` has `DB_LOCK` 0.7 s at a time in `write_batch` (sqlite commits and embedding); `remember`, a
coroutine, waits for it on the loop; all other tools are late by as much."""
import asyncio
import os
import sqlite3
import tempfile
import threading
import time

DB_LOCK = threading.RLock()
path = os.path.join(tempfile.mkdtemp(), "memory.db")
stop = threading.Event()
took = []


def embed(n):
    time.sleep(0.035)
    return b"\0" * 64


def write_batch(db):
    with DB_LOCK:
        for n in range(20):
            db.execute("insert into vector values (?, ?)", (n, embed(n)))
        db.commit()


def index_updater():
    db = sqlite3.connect(path)
    while not stop.wait(0.4):
        write_batch(db)


class Engine:
    def __init__(self):
        self.db = sqlite3.connect(path)

    def remember(self, text):
        with DB_LOCK:
            self.db.execute("insert into memory values (?)", (text,))
            self.db.commit()

    def recall(self):
        return self.db.execute("select count(*) from memory").fetchone()[0]


async def remember(engine, n):
    engine.remember(f"note {n}")


async def recall(engine):
    return engine.recall()


async def client(engine, n):
    for m in range(15):
        begun = time.monotonic()
        await (remember(engine, m) if n == 0 else recall(engine))
        await asyncio.sleep(0.1)
        took.append(time.monotonic() - begun - 0.1)


async def main():
    db = sqlite3.connect(path)
    db.execute("create table memory(text)")
    db.execute("create table vector(n, data)")
    db.commit()
    job = threading.Thread(target=index_updater, name="index_updater")
    job.start()
    engine = Engine()
    await asyncio.gather(*(client(engine, n) for n in range(5)))
    stop.set()
    job.join()
    print("truth slowest", sorted(round(t, 2) for t in took)[-6:])


asyncio.run(main())
