"""CLEAN: one thread writes short transactions, another one reads."""
import os
import sqlite3
import tempfile
import threading
import time

path = os.path.join(tempfile.mkdtemp(), "d.db")
with sqlite3.connect(path) as setup:
    setup.execute("create table t(x)")


def write():
    connection = sqlite3.connect(path)
    for n in range(10):
        with connection:
            connection.execute("insert into t values (?)", (n,))
        time.sleep(0.05)
    connection.close()


def read():
    connection = sqlite3.connect(path)
    for _ in range(10):
        connection.execute("select count(*) from t").fetchone()
        time.sleep(0.05)
    connection.close()


threads = [threading.Thread(target=write, name="writer"), threading.Thread(target=read, name="reader")]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
