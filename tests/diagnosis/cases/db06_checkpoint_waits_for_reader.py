"""A checkpoint that truncates the log waits for a report that still reads, and keeps all writers out
meanwhile (after https://github.com/yapstudios/YapDatabase/issues/197).
truth: `report` keeps a read transaction 1.2 s, asleep in `render`; `maintenance` stands 1 s in
`wal_checkpoint(truncate)`; 3 writers wait in `store` as long."""
import os
import sqlite3
import tempfile
import threading
import time

path = os.path.join(tempfile.mkdtemp(), "app.db")
reading = threading.Event()
stop = threading.Event()
waits = []


def connect():
    return sqlite3.connect(path, timeout=10, isolation_level=None)


def render(rows):
    time.sleep(1.2)


def report():
    db = connect()
    db.execute("begin")
    rows = db.execute("select count(*) from event").fetchall()
    reading.set()
    render(rows)
    db.execute("commit")


def store(db, n):
    begun = time.monotonic()
    db.execute("insert into event values (?)", (n,))
    waits.append(time.monotonic() - begun)


def write():
    db = connect()
    n = 0
    while not stop.is_set():
        store(db, n)
        n += 1
        time.sleep(0.02)


def truncate_log():
    connect().execute("pragma wal_checkpoint(truncate)").fetchall()


def main():
    db = connect()
    db.execute("pragma journal_mode=wal")
    db.execute("create table event(n)")
    db.executemany("insert into event values (?)", [(n,) for n in range(100)])
    writers = [threading.Thread(target=write, name=f"writer-{n}") for n in range(3)]
    for thread in writers:
        thread.start()
    reader = threading.Thread(target=report, name="report")
    reader.start()
    reading.wait()
    time.sleep(0.1)
    keeper = threading.Thread(target=truncate_log, name="maintenance")
    keeper.start()
    reader.join()
    keeper.join()
    time.sleep(0.3)
    stop.set()
    for thread in writers:
        thread.join()
    print("truth longest writes", sorted(round(w, 2) for w in waits)[-4:])


main()
