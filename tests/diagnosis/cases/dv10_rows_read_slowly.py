"""A report reads rows slowly from an open SELECT, and writers find the database locked
(as in many questions on "database is locked").
truth: writers waited 0.8 s each in `writer` and failed, while `report` had its SELECT open,
asleep in `render`."""

import os
import sqlite3
import tempfile
import threading
import time

PATH = os.path.join(tempfile.mkdtemp(), "shop.db")
lost = 0


def prepare():
    with sqlite3.connect(PATH) as connection:
        connection.execute("create table orders (id integer primary key, total int)")
        connection.executemany(
            "insert into orders (total) values (?)", ((n,) for n in range(2000))
        )


def render(row):
    time.sleep(0.002)
    return row[1] * 2


def report():
    connection = sqlite3.connect(PATH)
    total = 0
    for row in connection.execute("select id, total from orders"):
        total += render(row)
    connection.close()
    return total


def writer(name):
    global lost
    for n in range(3):
        connection = sqlite3.connect(PATH, timeout=0.8)
        try:
            with connection:
                connection.execute("update orders set total = total + 1 where id = ?", (n + 1,))
        except sqlite3.OperationalError as error:
            lost += 1
            print(name, error)
        connection.close()
        time.sleep(0.1)


def main():
    prepare()
    threads = [threading.Thread(target=report, name="report")]
    threads += [threading.Thread(target=writer, args=(n,), name=f"writer-{n}") for n in range(2)]
    for thread in threads:
        thread.start()
        time.sleep(0.1)
    for thread in threads:
        thread.join()
    print("lost updates:", lost)


main()
