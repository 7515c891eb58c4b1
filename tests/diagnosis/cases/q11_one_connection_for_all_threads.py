"""All threads share one connection of SQLite behind a lock, and a report keeps it
(https://github.com/coleifer/huey/issues/445).
truth: 5 threads `web-N` wait for the RLock in `Database.query`; `report` has it 0.25 s in `execute` 3 times."""
import sqlite3
import threading
import time

SLOW = "with recursive c(n) as (select 1 union all select n + 1 from c limit 1500000) select max(n) from c"


class Database:
    def __init__(self):
        self.lock = threading.RLock()
        self.db = sqlite3.connect(":memory:", check_same_thread=False)

    def query(self, sql):
        with self.lock:
            return self.db.execute(sql).fetchone()


database = Database()


def serve():
    for _ in range(20):
        database.query("select 1")
        time.sleep(0.02)


def report():
    for _ in range(3):
        database.query(SLOW)
        time.sleep(0.01)


threads = [threading.Thread(target=serve, name=f"web-{n}") for n in range(5)]
threads.append(threading.Thread(target=report, name="report"))
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
