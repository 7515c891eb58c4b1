"""Threads write to SQLite while a backup script, another program, has the file locked for 1.3 s.
truth: 4 `web-N` wait in `save_order`; none of them is to blame."""
import os
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time

PATH = os.path.join(tempfile.mkdtemp(), "orders.db")
BACKUP = """
import sqlite3, sys, time
c = sqlite3.connect(sys.argv[1], isolation_level=None)
c.execute("begin exclusive"); time.sleep(1.3); c.execute("commit")
"""


def save_order(connection, n):
    with connection:
        connection.execute("insert into orders(n) values (?)", (n,))


def web(n):
    connection = sqlite3.connect(PATH, timeout=10)
    connection.execute("pragma synchronous=off")
    for k in range(60):
        save_order(connection, n * 100 + k)
        time.sleep(0.03)
    connection.close()


def main():
    connection = sqlite3.connect(PATH)
    connection.execute("create table orders(n)")
    connection.close()
    threads = [threading.Thread(target=web, args=(n,), name=f"web-{n}") for n in range(4)]
    for thread in threads:
        thread.start()
    time.sleep(0.4)
    subprocess.run([sys.executable, "-S", "-E", "-c", BACKUP, PATH], env={"PATH": os.environ["PATH"]}, check=True)
    for thread in threads:
        thread.join()


main()
