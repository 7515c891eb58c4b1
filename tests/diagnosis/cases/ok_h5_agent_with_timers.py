"""An agent: a timer that renews itself, a queue with an SQLite writer, a tool every 0.4 s,
log lines to a file, a status thread."""

import logging
import os
import queue
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time

where = tempfile.mkdtemp()
logging.basicConfig(filename=os.path.join(where, "log"), level=logging.INFO)
rows, stop = queue.Queue(), threading.Event()


def beat():
    logging.info("beat")
    rows.put(("beat", time.time()))
    if not stop.is_set():
        timer = threading.Timer(0.05, beat)
        timer.daemon = True
        timer.start()


def write():
    db = sqlite3.connect(os.path.join(where, "db"))
    db.execute("create table r(kind text, at real)")
    while (row := rows.get()) is not None:
        with db:
            db.execute("insert into r values(?, ?)", row)
    print(db.execute("select count(*) from r").fetchone()[0] > 30)


def inventory():
    while not stop.wait(0.4):
        done = subprocess.run([sys.executable, "-S", "-c", "print(1)"], stdout=subprocess.PIPE)
        rows.put(("inventory", float(done.stdout)))


def status():
    while not stop.wait(0.1):
        logging.info("queued %d", rows.qsize())


threads = [threading.Thread(target=f, name=f.__name__) for f in (write, inventory, status)]
for t in threads:
    t.start()
beat()
time.sleep(2.2)
stop.set()
threads[1].join()
threads[2].join()
rows.put(None)
threads[0].join()
