"""An import computes each row inside one long transaction of SQLite; other writers wait
(https://github.com/coleifer/peewee/issues/1188).
truth: 4 threads wait in `save_event` (execute) up to 1 s while `import-feed` parses between its inserts."""
import sqlite3
import tempfile
import threading
import time
from contextlib import closing, contextmanager

PATH = tempfile.mkdtemp() + "/events.db"


@contextmanager
def transaction():
    with closing(sqlite3.connect(PATH, timeout=5, isolation_level=None)) as db:
        db.execute("begin immediate")
        yield db
        db.execute("commit")


def parse(number):
    end = time.thread_time() + 0.01
    total = number
    while time.thread_time() < end:
        total += sum(range(50))
    return total


def import_feed(started):
    with transaction() as db:
        started.set()
        for number in range(80):
            db.execute("insert into events values (?)", (parse(number),))


def save_event(number):
    with transaction() as db:
        db.execute("insert into events values (?)", (number,))


with closing(sqlite3.connect(PATH)) as db:
    db.execute("pragma journal_mode=wal")
    db.execute("create table events (value)")
started = threading.Event()
feed = threading.Thread(target=import_feed, args=(started,), name="import-feed")
feed.start()
started.wait()
threads = [threading.Thread(target=save_event, args=(n,), name=f"web-{n}") for n in range(4)]
for thread in [*threads]:
    thread.start()
for thread in [*threads, feed]:
    thread.join()
